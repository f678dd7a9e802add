/*
 * A server that leaves a question unanswered is silent: link.h. Who polls would stand still with it, and does without
 * for a while.
 */
#include "core/instance.h"
#include "node.h"

#define SILENCE_NS INT64_C(1000000000)
/* Who has waited for less, as his own timeout is short, knows nothing of the server. */
#define WAITED_NS INT64_C(400000000)

void redis_channel_unanswered(const struct redis_channel *ch, int64_t asked)
{
	int64_t now = ipc_now();

	if (now - asked >= WAITED_NS)
		redis_link_route(ch->link, ch->slot)->silent = now + SILENCE_NS;
}

bool redis_channel_is_silent(const struct redis_channel *ch)
{
	return ipc_now() < redis_link_route(ch->link, ch->slot)->silent;
}

/* Who did without looks again. */
void redis_silence_ends(struct redis_node *node)
{
	if (!node->silent)
		return;
	node->silent = 0;
	redis_wake_kinds(node->owner);
}

void redis_silence_answered(const redisAsyncContext *ac, const redisReply *reply)
{
	struct redis_conn *c = ac->data;

	if (reply && c->ac == ac)
		redis_silence_ends(ipc_container(c, struct redis_node, conn));
}

/* Which node of a cluster has which slots: asked of the first node when it is there, and told by MOVED since. */
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "node.h"

static void cluster_range(struct redis_link *rl, const redisReply *range, const struct redis_place *asked)
{
	int64_t from = redis_reply_number(redis_reply_at(range, 0), -1),
		to = redis_reply_number(redis_reply_at(range, 1), -1);
	const redisReply *primary = redis_reply_at(range, 2);
	const redisReply *host = redis_reply_at(primary, 0);
	struct redis_place place = *asked;
	struct redis_node *node;

	if (!host || from < 0 || to >= REDIS_SLOTS)
		return;
	if (host->type == REDIS_REPLY_STRING && host->len)
		snprintf(place.host, sizeof(place.host), "%.255s", host->str);
	place.port = (unsigned)redis_reply_number(redis_reply_at(primary, 1), 0);
	node = redis_link_node_at(rl, &place);
	for (; node && from <= to; from++)
		rl->slots[from] = node;
}

static void cluster_answered(redisAsyncContext *ac, void *answer, void *arg)
{
	const redisReply *reply = answer;
	struct redis_conn *c = ac->data;
	struct redis_link *rl = ipc_container(c, struct redis_node, conn)->owner;

	(void)arg;
	if (!reply || c->ac != ac || reply->type != REDIS_REPLY_ARRAY)
		return;
	if (!rl->slots)
		rl->slots = calloc(REDIS_SLOTS, sizeof(struct redis_node *));
	for (size_t i = 0; rl->slots && i < reply->elements; i++)
		cluster_range(rl, reply->element[i], &c->place);
}

void redis_cluster_ask(struct redis_node *node)
{
	redisAsyncCommand(node->conn.ac, cluster_answered, NULL, "CLUSTER SLOTS");
}

int redis_cluster_next(const struct redis_link *rl, int slot)
{
	const struct redis_node *const *slots = (const struct redis_node *const *)rl->slots;

	if (!slots)
		return slot < 0 ? 0 : -1;
	for (int next = slot + 1; next < REDIS_SLOTS; next++) {
		bool seen = !slots[next];

		for (int before = 0; before < next && !seen; before++)
			seen = slots[before] == slots[next];
		if (!seen)
			return next;
	}
	return -1;
}

void redis_cluster_seek(const struct redis_link *rl, struct redis_place *place)
{
	struct ipc_list *pos, *next;
	unsigned at = 0, turn = rl->seed;

	/* Those that were given first, then those that we heard of. */
	if (turn % (rl->seed_count + rl->node_count) < rl->seed_count) {
		*place = rl->seeds[turn % (rl->seed_count + rl->node_count)];
		return;
	}
	turn = turn % (rl->seed_count + rl->node_count) - rl->seed_count;
	ipc_list_each(pos, next, &rl->nodes)
		if (at++ == turn)
			*place = ipc_container(pos, struct redis_node, link)->conn.place;
}

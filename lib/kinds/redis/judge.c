/*
 * Whether this daemon may judge that others are dead, as their leases are over by the server's clock (prelude.lua:
 * expired()). They cannot have renewed them while the server was away, and a clock that jumps says nothing of them: so
 * whoever was cut off for long, finds a server that has just begun, or sees its clock jump, leaves them the time to
 * renew first.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/instance.h"
#include "node.h"
#include "options.h"

/* By so much it may seem to differ, as answers take their time; prelude.lua bears 3 s. */
enum { JUMP_MS = 2000 };

static int64_t lease_ns(const struct redis_node *node)
{
	return redis_lease_seconds(node->owner->ipc) * INT64_C(1000000000);
}

/* Enough for all to find the server again, and to renew: lease.c. */
static void judge_later(struct redis_node *node, int64_t now)
{
	node->judge.from = now + lease_ns(node) / 2;
}

void redis_judge_met(struct redis_node *node)
{
	struct redis_judge *j = &node->judge;
	int64_t now = ipc_now(), lease = lease_ns(node);
	bool was_away = j->heard ? now - j->heard > lease / 3 : now - node->conn.began < lease;

	if (was_away)
		judge_later(node, now);
	j->heard = j->asked = now;
	j->ahead = node->conn.ahead;
}

void redis_judge_lost(struct redis_node *node, bool was_up)
{
	/* Whoever owed us no answer may have been there until now. */
	if (was_up && ipc_list_empty(&node->sent))
		node->judge.heard = ipc_now();
}

static void judge_told(redisAsyncContext *ac, void *answer, void *arg)
{
	struct redis_node *node = ipc_container((struct redis_conn *)ac->data, struct redis_node, conn);
	struct redis_judge *j = &node->judge;
	const redisReply *reply = answer;
	int64_t now = ipc_now(), ahead;

	(void)arg;
	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    now - j->asked > JUMP_MS * INT64_C(1000000))
		return;
	ahead = strtoll(reply->element[0]->str, NULL, 10) * 1000 + strtoll(reply->element[1]->str, NULL, 10) / 1000 -
		now / 1000000;
	if (llabs(ahead - j->ahead) > JUMP_MS)
		judge_later(node, now);
	j->ahead = ahead;
}

void redis_judge_time(struct redis_node *node, char text[static REDIS_JUDGE_TEXT])
{
	struct redis_judge *j = &node->judge;
	int64_t now = ipc_now();

	text[0] = '\0';
	if (!node->conn.is_up || !j->ahead)
		return;
	/* Clocks drift, and jump. */
	if (now - j->asked > lease_ns(node) / 3) {
		j->asked = now;
		redisAsyncCommand(node->conn.ac, judge_told, NULL, "TIME");
	}
	if (now >= j->from)
		snprintf(text, REDIS_JUDGE_TEXT, "%" PRId64, now / 1000000 + j->ahead);
}

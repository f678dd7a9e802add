/*
 * Whether this daemon may judge that others are dead, as their leases are over by the server's clock (prelude.lua:
 * expired()). They cannot have renewed them while the server was away, and a clock that jumps says nothing of them: so
 * who was cut off, finds a server that has just begun, or sees its clock jump, leaves them the time to renew first. How
 * long that takes goes by their leases, not by ours: the script knows them.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/instance.h"
#include "node.h"

/* By so much it may seem to differ, as answers take their time; prelude.lua bears 3 s. */
enum { JUMP_MS = 2000 };
/* Who is cut off for less loses not even the shortest lease (options.c) by it. */
#define AWAY_NS INT64_C(1000000000)
/* Clocks drift, and jump: so often they are asked for. */
#define CLOCK_NS INT64_C(3000000000)

static void judge_disturbed(struct redis_judge *j, int64_t at)
{
	if (at > j->disturbed)
		j->disturbed = at;
}

static void judge_clock(struct redis_judge *j, int64_t ahead, int64_t now)
{
	if (j->ahead && llabs(ahead - j->ahead) > JUMP_MS)
		judge_disturbed(j, now);
	j->ahead = ahead;
}

void redis_judge_met(struct redis_node *node)
{
	struct redis_judge *j = &node->judge;
	int64_t now = ipc_now(), began = node->conn.began;

	judge_disturbed(j, now - j->heard > AWAY_NS || began > now ? now : began);
	judge_clock(j, node->conn.ahead, now);
	j->heard = j->asked = now;
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
	judge_clock(j, ahead, now);
}

void redis_judge_time(struct redis_node *node, char text[static REDIS_JUDGE_TEXT])
{
	struct redis_judge *j = &node->judge;
	int64_t now = ipc_now();

	text[0] = '\0';
	if (!node->conn.is_up || !j->ahead)
		return;
	if (now - j->asked > CLOCK_NS) {
		j->asked = now;
		redisAsyncCommand(node->conn.ac, judge_told, NULL, "TIME");
	}
	snprintf(text, REDIS_JUDGE_TEXT, "%" PRId64 " %" PRId64, now / 1000000 + j->ahead,
		 (now - j->disturbed) / 1000000);
}

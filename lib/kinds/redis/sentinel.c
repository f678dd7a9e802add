/* Where the primary is, asked of sentinels: at the start, and again whenever it was lost. */
#include <stdlib.h>

#include "core/instance.h"
#include "node.h"

/* While the primary is away it is asked for again so often. */
#define AGAIN_NS INT64_C(250000000)

struct redis_sentinel {
	struct redis_conn conn;
	struct redis_link *owner;
	struct ipc_timer timer;
	bool asked;
};

static struct redis_sentinel *sentinel_of(struct redis_conn *c)
{
	return ipc_container(c, struct redis_sentinel, conn);
}

static void sentinel_expired(struct ipc_timer *timer)
{
	redis_sentinel_ask(ipc_container(timer, struct redis_sentinel, timer));
}

static void sentinel_answered(redisAsyncContext *ac, void *answer, void *arg)
{
	const redisReply *reply = answer;
	struct redis_conn *c = ac->data;
	struct redis_sentinel *s = sentinel_of(c);
	struct redis_link *rl = s->owner;
	struct redis_place place = {0};
	char why[512];

	(void)arg;
	if (!reply || c->ac != ac)
		return;
	s->asked = false;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
		snprintf(why, sizeof(why), "the sentinel at %s knows no primary '%s'%s%s",
			 redis_place_text(&c->place).text, rl->primary_name,
			 reply->type == REDIS_REPLY_ERROR ? ": " : "",
			 reply->type == REDIS_REPLY_ERROR ? reply->str : "");
		/* Another one may. */
		redis_conn_again(c, false, -EAGAIN, why);
	} else {
		snprintf(place.host, sizeof(place.host), "%.255s", reply->element[0]->str);
		place.port = (unsigned)atoi(reply->element[1]->str);
		redis_link_found(rl, &place);
	}
	if (!redis_link_is_up(rl))
		ipc_timer_start(rl->ipc->loop, &s->timer, ipc_now() + AGAIN_NS, sentinel_expired);
}

void redis_sentinel_ask(struct redis_sentinel *s)
{
	if (!s->conn.is_up || s->asked)
		return;
	s->asked = true;
	redisAsyncCommand(s->conn.ac, sentinel_answered, NULL, "SENTINEL get-master-addr-by-name %s",
			  s->owner->primary_name);
}

static void sentinel_up(struct redis_conn *c)
{
	sentinel_of(c)->asked = false;
	redis_sentinel_ask(sentinel_of(c));
}

/* The connection keeps the words: redis_sentinel_why(). */
static void sentinel_down(struct redis_conn *c, bool was_up, int err, const char *why)
{
	(void)c;
	(void)was_up;
	(void)err;
	(void)why;
}

/* They take turns. */
static void sentinel_seek(struct redis_conn *c)
{
	struct redis_link *rl = sentinel_of(c)->owner;

	c->place = rl->seeds[rl->seed++ % rl->seed_count];
}

struct redis_sentinel *redis_sentinel_new(struct redis_link *rl)
{
	struct redis_sentinel *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->owner = rl;
	s->conn.ipc = rl->ipc;
	s->conn.plain = true;
	s->conn.up = sentinel_up;
	s->conn.down = sentinel_down;
	s->conn.again = sentinel_seek;
	redis_conn_start(&s->conn);
	return s;
}

const char *redis_sentinel_why(const struct redis_sentinel *s)
{
	return s->conn.why;
}

void redis_sentinel_free(struct redis_sentinel *s)
{
	ipc_timer_stop(s->owner->ipc->loop, &s->timer);
	redis_conn_stop(&s->conn);
	free(s);
}

/* Calls for the open files of /sem in a Redis. */
#include <stdlib.h>

#include "sem.h"

struct rsem_call *rsem_call_new(struct ipc_chan *chan, struct rsem_handle *s)
{
	struct rsem_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->chan = chan;
	c->handle = s;
	c->wakes = rsem_chan(chan)->waiters.wakes;
	c->call.once = true;
	return c;
}

bool rsem_call_start(struct rsem_call *c, const struct redis_script *script, const struct redis_arg *args,
		     unsigned count, void (*done)(struct redis_call *, int err, const struct redisReply *))
{
	if (redis_call_start(&rsem_chan(c->chan)->redis.channel, &c->call, script, args, count, done) < 0) {
		free(c);
		return false;
	}
	ipc_chan_hold(c->chan);
	return true;
}

int rsem_call_result(const struct rsem_call *c, int err, const struct redisReply *reply)
{
	return redis_handle_result(c->handle ? &c->handle->h : NULL, err, reply);
}

void rsem_call_end(struct rsem_call *c)
{
	struct ipc_chan *chan = c->chan;

	free(c);
	ipc_chan_drop(chan);
}

void rsem_call_leave(struct rsem_call *c)
{
	if (!c)
		return;
	if (redis_call_withdraw(&c->call))
		rsem_call_end(c);
	else
		c->handle = NULL;
}

int rsem_error_take(struct rsem_handle *s, int side)
{
	int r = s->error[side];

	s->error[side] = 0;
	return r;
}

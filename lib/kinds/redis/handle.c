#include "handle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/ref.h"

void redis_id_new(char id[static REDIS_ID])
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = (uint64_t)ipc_now();
	snprintf(id, REDIS_ID, "%013" PRIx64, (number >> 12) | 1);
}

struct redis_holder redis_holder_new(struct redis_kind *k)
{
	struct redis_holder holder;

	snprintf(holder.text, sizeof(holder.text), "%08" PRIx32, ++k->holders);
	return holder;
}

struct ipc_ref redis_handle_ref(const struct ipc_handle *h)
{
	struct ipc_ref ref = {.kind = h->kind, .ino = ipc_ref_ino(h->ipc, h->kind, h->chan->st.st_ino)};

	snprintf(ref.base, sizeof(ref.base), "%s", h->chan->name);
	return ref;
}

/* The object is not there any more. Who removes a name says so to all; a FLUSHALL does not. */
static int gone(struct ipc_handle *h)
{
	struct redis_chan *rc = redis_chan(h->chan);
	bool told = !rc->known;

	rc->known = false;
	if (told)
		return -EIDRM;
	return ipc_refuse(h->ipc, &h->cred, EIDRM, ipc_handle_path(h).text,
			  "it is not in the Redis any more: it was removed, or the Redis was emptied (FLUSHALL)");
}

int redis_handle_result(struct ipc_handle *h, int err, const struct redisReply *reply)
{
	if (err == 0 && !redis_reply_is_gone(reply))
		return 0;
	if (err == 0)
		return h ? gone(h) : -EIDRM;
	if (!h)
		return err;
	return ipc_refuse(h->ipc, &h->cred, -err, ipc_handle_path(h).text, "%s",
			  redis_link_why(redis_chan(h->chan)->channel.link));
}

struct tale {
	struct redis_call call;
	struct redis_chan *chan;
	void (*done)(struct redis_chan *);
};

static void tale_done(struct redis_call *call, int err, const struct redisReply *reply)
{
	struct tale *t = ipc_container(call, struct tale, call);
	struct redis_chan *chan = t->chan;

	(void)err;
	(void)reply;
	if (t->done)
		t->done(chan);
	free(t);
	ipc_chan_drop(&chan->chan);
}

bool redis_tell(struct redis_chan *chan, const struct redis_script *script, const struct redis_arg *args,
		unsigned count, bool once, void (*done)(struct redis_chan *))
{
	struct tale *t = calloc(1, sizeof(*t));

	if (!t)
		return false;
	t->chan = chan;
	t->done = done;
	t->call.once = once;
	t->call.stubborn = true;
	if (redis_call_start(&chan->channel, &t->call, script, args, count, tale_done) < 0) {
		free(t);
		return false;
	}
	ipc_chan_hold(&chan->chan);
	return true;
}

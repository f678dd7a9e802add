/*
 * Messages that were delivered too often, on their way to NAME.dead: made there first, then settled, so that none is
 * lost.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/event.h"
#include "core/instance.h"
#include "mq.h"

#define DEAD ".dead"
#define RETRY_NS INT64_C(1000000000)

REDIS_SCRIPT(mq_bury);

struct rmq_bury {
	struct redis_call call;
	struct redis_channel dead;
	struct ipc_timer again;
	struct ipc_cred cred; /* who reads */
	struct rmq_debt *debt;
	bool explained;
	size_t len;
	char message[];
};

static void bury_start(struct rmq_bury *b);

static void bury_again(struct ipc_timer *timer)
{
	bury_start(ipc_container(timer, struct rmq_bury, again));
}

static void bury_end(struct rmq_bury *b)
{
	redis_channel_fini(&b->dead);
	free(b);
}

static void bury_tell(const struct rmq_bury *b, int err, const char *uid)
{
	struct ipc_chan *chan = b->debt->chan;
	const struct ipc_path path = ipc_chan_path(chan);
	const char *why = redis_link_why(b->dead.link);

	if (!err && chan->ipc->events)
		ipc_event_messages(chan, IPC_EVENT_DEAD, &b->cred, 1);
	if (!err)
		ipc_refuse(chan->ipc, &b->cred, ECANCELED, path.text,
			   "a message of %zu bytes was delivered %u times and given back each time: it is in %s" DEAD
			   " now",
			   b->len, b->debt->debt.deliveries, path.text);
	else if (uid)
		ipc_refuse(chan->ipc, &b->cred, EPERM, path.text,
			   "a message that was delivered %u times cannot go to %s" DEAD
			   ", which belongs to user %s, and waits: remove it",
			   b->debt->debt.deliveries, path.text, uid);
	else
		ipc_refuse(chan->ipc, &b->cred, -err, path.text,
			   "a message that was delivered %u times cannot go to %s" DEAD ", and waits: %s",
			   b->debt->debt.deliveries, path.text, err == -ENOSPC ? "that queue is full" : why);
}

static void bury_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct rmq_bury *b = ipc_container(call, struct rmq_bury, call);
	int64_t said = err ? -1 : redis_reply_number(redis_reply_at(reply, 0), -1);
	const redisReply *uid = redis_reply_at(reply, 1);

	if (said == 1) {
		struct ipc_chan *chan = b->debt->chan;

		bury_tell(b, 0, NULL);
		rmq_settled(&b->debt->debt);
		bury_end(b);
		ipc_chan_drop(chan);
		return;
	}
	if (!b->explained)
		bury_tell(b, err ? err : -ENOSPC, said == 2 && uid ? uid->str : NULL);
	b->explained = true;
	/* It is still owed by us meanwhile, and nobody gets it. */
	if (err == -ENOTCONN ||
	    ipc_timer_start(b->debt->chan->ipc->loop, &b->again, ipc_now() + RETRY_NS, bury_again) < 0) {
		struct ipc_chan *chan = b->debt->chan;

		free(b->debt);
		bury_end(b);
		ipc_chan_drop(chan);
	}
}

static void bury_start(struct rmq_bury *b)
{
	const struct redis_chan *rc = &rmq_chan(b->debt->chan)->redis;
	struct redis_arg args[9];
	char id[REDIS_ID];

	redis_id_new(id);
	args[0] = redis_text(id);
	args[1] = redis_number(rc->st.st_uid);
	args[2] = redis_number(rc->st.st_gid);
	args[3] = redis_number(rc->st.st_mode & 07777);
	args[4] = redis_number(time(NULL));
	args[5] = redis_number(rc->field[RMQ_MAXMSG]);
	args[6] = redis_number(rc->field[RMQ_MSGSIZE]);
	args[7] = (struct redis_arg){.data = b->debt->tag, .len = 2};
	args[8] = (struct redis_arg){.data = b->message, .len = b->len};
	b->call.once = true;
	if (redis_call_start(&b->dead, &b->call, &redis_script_mq_bury, args, 9, bury_done) < 0)
		ipc_timer_start(rc->chan.ipc->loop, &b->again, ipc_now() + RETRY_NS, bury_again);
}

bool rmq_bury(struct rmq_handle *r, const redisReply *e)
{
	struct ipc_chan *chan = r->h.chan;
	const size_t lead = RMQ_COUNT + RMQ_TAG;
	char name[IPC_NAME_MAX + sizeof(DEAD)];
	struct rmq_bury *b;
	uint32_t deliveries;

	memcpy(&deliveries, e->str, RMQ_COUNT);
	deliveries = ntohl(deliveries);
	if (!(r->h.facets.set & IPC_F_TRIES) || deliveries <= (uint64_t)r->h.facets.tries)
		return false;
	b = calloc(1, sizeof(*b) + e->len);
	if (b)
		b->debt = calloc(1, sizeof(*b->debt));
	snprintf(name, sizeof(name), "%s" DEAD, chan->name);
	if (!b || !b->debt || redis_channel_init(&b->dead, rmq_chan(chan)->redis.channel.link, "mq", name) < 0) {
		free(b ? b->debt : NULL);
		free(b);
		return false;
	}
	b->cred = r->h.cred;
	b->len = e->len - lead;
	memcpy(b->message, e->str + lead, b->len);
	b->debt->chan = chan;
	b->debt->debt.deliveries = deliveries - 1;
	memcpy(b->debt->tag, e->str + RMQ_COUNT, RMQ_TAG);
	b->debt->holder = r->holder;
	ipc_list_init(&b->debt->debt.link);
	rmq_hold(rmq_chan(chan), 1);
	ipc_chan_hold(chan);
	bury_start(b);
	return true;
}

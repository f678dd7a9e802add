/* Messages that were taken from a queue in a Redis, and go back there. */
#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "core/instance.h"
#include "core/message.h"
#include "mq.h"

REDIS_SCRIPT(mq_back);

static void back_done(struct redis_chan *rc)
{
	redis_wake_one(&ipc_container(rc, struct rmq_chan, redis)->waiters[IPC_IN]);
}

/* Messages, each behind its tag, go back where they were. Returns whether they are on their way. */
static bool back_send(struct rmq_chan *q, const struct redis_arg *messages, unsigned count)
{
	return redis_tell(&q->redis, &redis_script_mq_back, messages, count, true, back_done);
}

/* An owed message that has been given to no handle: it goes back like one that a reader gave back. */
static void owed_return(struct rmq_chan *q, const redisReply *message, struct redis_holder holder)
{
	struct rmq_debt *d = calloc(1, sizeof(*d));
	uint32_t deliveries;

	if (!d)
		return; /* it goes back with our lease */
	memcpy(&deliveries, message->str, RMQ_COUNT);
	memcpy(d->tag, message->str + RMQ_COUNT, RMQ_TAG);
	d->holder = holder;
	d->chan = &q->redis.chan;
	d->debt.deliveries = ntohl(deliveries) - 1;
	ipc_list_init(&d->debt.link);
	rmq_hold(q, 1);
	rmq_given_back(&d->debt);
}

void rmq_return(struct rmq_chan *q, const redisReply *reply, size_t from, size_t to, struct redis_holder holder,
		bool owes)
{
	struct redis_arg *args;

	if (from >= to)
		return;
	if (owes) {
		for (size_t i = from; i < to; i++)
			owed_return(q, reply->element[i], holder);
		return;
	}
	args = calloc(to - from, sizeof(*args));
	for (size_t i = from; args && i < to; i++)
		args[i - from] = (struct redis_arg){.data = reply->element[i]->str, .len = reply->element[i]->len};
	if (!args || !back_send(q, args, (unsigned)(to - from)))
		ipc_refuse(q->redis.chan.ipc, &(struct ipc_cred){.uid = q->redis.st.st_uid}, ENOMEM,
			   ipc_chan_path(&q->redis.chan).text, "%zu messages were lost for want of memory", to - from);
	free(args);
}

/*
 * From the last to the first: each before all others of its priority. Its number is the server's to give, as other
 * daemons give messages back, too: the same number twice would make one message of two.
 */
void rmq_give_back(struct ipc_handle *h, const char *data, size_t len, unsigned prio)
{
	struct rmq_chan *q = rmq_chan(h->chan);
	const char *body = ipc_message_unframe(h, data, &len);
	unsigned inverse = 32767u - prio;
	char *copy = malloc(len + RMQ_TAG);
	struct redis_arg arg = {.data = copy, .len = len + RMQ_TAG};

	ipc_chan_went_back(h->chan, len);
	if (!copy) {
		ipc_refuse(h->ipc, &h->cred, ENOMEM, ipc_handle_path(h).text,
			   "a message of %zu bytes could not be put back", len);
		return;
	}
	copy[0] = (char)(inverse >> 8);
	copy[1] = (char)inverse;
	memset(copy + 2, 0, RMQ_TAG - 2);
	memcpy(copy + RMQ_TAG, body, len);
	back_send(q, &arg, 1);
	free(copy);
}

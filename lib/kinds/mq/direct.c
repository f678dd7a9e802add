/* From a waiting writer to a reader, past the queue: direct.h says how one operation comes to be tried in another. */
#include "direct.h"

#include <string.h>

#include "back.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/message.h"
#include "core/op.h"
#include "core/tap.h"

/*
 * So many messages at most go into a batch directly before the queue has its turn. Then it gets as much as it holds, so
 * that native receivers have their share, and mq_notify(3) its call.
 */
enum { DIRECT_MAX = 64 };

/* Where the next message of a batch goes that is being read. */
struct mq_batch {
	struct ipc_handle *reader;
	pid_t pid; /* of who reads */
	char *at;
	size_t room;   /* bytes */
	uint64_t left; /* messages */
	int delim;
};

bool mq_direct_offer(struct ipc_handle *h, const char *data, size_t n, unsigned prio)
{
	struct mq_chan *q = mq_chan(h->chan);
	struct mq_batch *batch = q->batch;
	size_t at, framed;

	if (!batch)
		return false;
	at = ipc_message_at(batch->reader);
	if (!batch->left || batch->room < at + n + IPC_DELIM_MAX || mq_back_reserve(q) < 0) {
		batch->left = 0; /* nor what comes behind it, which must not overtake it */
		return false;
	}
	memcpy(batch->at + at, data, n);
	ipc_tap_sent(h->chan, data, n);
	ipc_tap(h->chan, IPC_TAP_OUT, batch->pid, data, n);
	ipc_message_taken(batch->reader, n);
	framed = ipc_message_frame(batch->reader, batch->at, n, prio, 0, batch->delim);
	mq_back_took(batch->reader, n, framed, prio, mq_seq_next(q), 0);
	batch->at += framed;
	batch->room -= framed;
	batch->left--;
	return true;
}

static void answer_held(struct ipc_task *task)
{
	struct mq_chan *q = ipc_container(task, struct mq_chan, answer);

	while (!ipc_list_empty(&q->held)) {
		struct ipc_op *op = ipc_container(q->held.next, struct ipc_op, link);

		ipc_op_finish(op, op->outcome);
	}
}

bool mq_direct_let_in(struct ipc_op *op, char *buf, size_t *len, size_t worst, int delim)
{
	struct ipc_handle *h = op->handle;
	struct mq_chan *q = mq_chan(h->chan);
	uint64_t before = h->chan->counts->in_messages;
	uint64_t left = h->facets.set & IPC_F_N ? h->facets.n - h->taken : DIRECT_MAX;
	/* What is to be owed must have been in the queue: it comes out of it into the journal. */
	bool direct = (h->facets.set & IPC_F_BATCH) && !h->owing;
	struct mq_batch batch = {
		.reader = h,
		.pid = op->cred.pid,
		.at = buf + *len,
		.room = op->size - *len > worst ? op->size - *len - worst : 0,
		.left = left < DIRECT_MAX ? left : DIRECT_MAX,
		.delim = delim,
	};

	q->batch = direct ? &batch : NULL;
	ipc_waitq_run_held(h->waitq, IPC_OUT, direct || *len ? &q->held : NULL);
	q->batch = NULL;
	if (!ipc_list_empty(&q->held))
		ipc_task_post(h->ipc->loop, &q->answer);
	*len = (size_t)(batch.at - buf);
	return h->chan->counts->in_messages != before;
}

void mq_direct_init(struct mq_chan *q)
{
	ipc_list_init(&q->held);
	ipc_task_init(&q->answer, answer_held);
}

void mq_direct_fini(struct mq_chan *q)
{
	ipc_task_cancel(&q->answer);
}

/*
 * What goes back: messages that were taken for a read which could not be delivered. Each returns as it was, with its own bytes
 * and priority. Where the queue has been filled meanwhile they wait for room, before all writers of this mount.
 */
#include "back.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/op.h"
#include "core/quota.h"
#include "core/ref.h"

/* A queue that notes so many messages at a read keeps the room for it. */
enum { NOTES_KEPT = 1024 };

struct returned {
	struct ipc_list link;
	struct ipc_cred cred; /* who is charged */
	size_t size;
	unsigned prio;
	char data[];
};

static void back_answer(struct ipc_task *task);

void mq_back_init(struct mq_chan *q)
{
	ipc_list_init(&q->held);
	ipc_list_init(&q->returned);
	ipc_task_init(&q->answer, back_answer);
	q->room.fd = q->back_fd = -1;
}

static void returned_free(struct mq_chan *q, struct returned *r)
{
	ipc_quota_give(q->chan.ipc, r->cred.uid, IPC_QUOTA_BYTES, r->size);
	free(r);
}

static void back_done(struct mq_chan *q)
{
	ipc_watch_remove(&q->room);
	if (q->back_fd >= 0)
		close(q->back_fd);
	q->back_fd = -1;
}

void mq_back_fini(struct mq_chan *q)
{
	unsigned lost = 0;

	mq_back_flush(q);
	while (!ipc_list_empty(&q->returned)) {
		struct returned *r = ipc_container(ipc_list_pop(&q->returned), struct returned, link);

		if (!lost++)
			ipc_refuse(q->chan.ipc, &r->cred, ENOSPC, q->chan.name,
				   "what could not be delivered found no room in the queue until its end, and is lost");
		returned_free(q, r);
	}
	back_done(q);
	ipc_task_cancel(&q->answer);
	free(q->notes);
}

/* --- notes ------------------------------------------------------------------------------------------------------------ */

void mq_back_begin(struct mq_chan *q)
{
	q->noted = 0;
	if (q->notes_room <= NOTES_KEPT)
		return;
	free(q->notes);
	q->notes = NULL;
	q->notes_room = 0;
}

int mq_back_reserve(struct mq_chan *q)
{
	size_t room = q->notes_room ? 2 * q->notes_room : 8;
	struct mq_note *grown;

	if (q->noted < q->notes_room)
		return 0;
	grown = realloc(q->notes, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	q->notes = grown;
	q->notes_room = room;
	return 0;
}

void mq_back_note(struct mq_chan *q, size_t size, size_t framed, unsigned prio)
{
	q->notes[q->noted++] = (struct mq_note){.size = size, .framed = framed, .prio = prio};
}

/* --- writes whose lines went to a reader directly ------------------------------------------------------------------- */

/* Whoever is told that his line is written must find it with the reader, or in the queue, if we die now. */
static void back_answer(struct ipc_task *task)
{
	struct mq_chan *q = ipc_container(task, struct mq_chan, answer);

	while (ipc_list_empty(&q->returned) && !ipc_list_empty(&q->held)) {
		struct ipc_op *op = ipc_container(q->held.next, struct ipc_op, link);

		ipc_op_finish(op, op->outcome);
	}
}

void mq_back_answer_later(struct mq_chan *q)
{
	if (!ipc_list_empty(&q->held))
		ipc_task_post(q->chan.ipc->loop, &q->answer);
}

/* --- giving back ------------------------------------------------------------------------------------------------------ */

bool mq_back_flush(struct mq_chan *q)
{
	bool moved = false;

	while (!ipc_list_empty(&q->returned)) {
		struct returned *r = ipc_container(q->returned.next, struct returned, link);
		int err = (int)IPC_RETRY(mq_send(q->back_fd, r->data, r->size, r->prio));

		if (err == -EAGAIN)
			return moved;
		if (err < 0)
			ipc_refuse(q->chan.ipc, &r->cred, -err, q->chan.name,
				   "a message of %zu bytes could neither be delivered nor put back", r->size);
		ipc_list_pop(&q->returned);
		returned_free(q, r);
		moved = true;
	}
	if (moved) {
		back_done(q);
		mq_back_answer_later(q);
		ipc_waitq_wake(&q->chan.waitq);
	}
	return moved;
}

static void back_room(struct ipc_watch *watch, uint32_t events)
{
	(void)events;
	mq_back_flush(ipc_container(watch, struct mq_chan, room));
}

static int back_keep(struct mq_chan *q, const struct ipc_cred *cred, const char *data, const struct mq_note *note)
{
	int r = ipc_quota_take(q->chan.ipc, cred, IPC_QUOTA_BYTES, note->size, q->chan.name);
	struct returned *kept;

	if (r < 0)
		return r;
	kept = malloc(sizeof(*kept) + note->size);
	if (!kept) {
		ipc_quota_give(q->chan.ipc, cred->uid, IPC_QUOTA_BYTES, note->size);
		return -ENOMEM;
	}
	kept->cred = *cred;
	kept->size = note->size;
	kept->prio = note->prio;
	memcpy(kept->data, data, note->size);
	ipc_list_init(&kept->link);
	ipc_list_append(&q->returned, &kept->link);
	return 0;
}

/* A reader's descriptor cannot send. */
static int back_open(struct mq_chan *q, int fd)
{
	int r = q->back_fd >= 0 ? q->back_fd : mq_reopen(fd, O_WRONLY);

	if (r >= 0)
		q->back_fd = r;
	return r < 0 ? r : 0;
}

static int back_give(struct mq_chan *q, const struct ipc_cred *cred, int fd, const char *data,
		     const struct mq_note *note)
{
	int r = back_open(q, fd);

	if (r == 0)
		r = ipc_list_empty(&q->returned) ? (int)IPC_RETRY(mq_send(q->back_fd, data, note->size, note->prio))
						 : -EAGAIN;
	return r == -EAGAIN ? back_keep(q, cred, data, note) : r;
}

void mq_back_give(struct ipc_op *op, const char *at)
{
	struct ipc_handle *h = op->handle;
	struct mq_chan *q = mq_chan(h->chan);
	size_t behind = ipc_frame_delim(h, -1) >= 0;

	for (size_t i = 0; i < q->noted; i++) {
		const struct mq_note *note = &q->notes[i];
		const char *data = at + note->framed - behind - note->size;
		int r = back_give(q, &h->cred, mq_handle(h)->fd, data, note);

		if (r < 0)
			ipc_refuse(h->ipc, &op->cred, -r, ipc_handle_path(h),
				   "a message of %zu bytes could neither be delivered nor put back: %s", note->size,
				   strerror(-r));
		h->taken--;
		ipc_chan_went_back(h->chan, note->size);
		at += note->framed;
	}
	q->noted = 0;
	if (ipc_list_empty(&q->returned))
		back_done(q);
	else if (q->room.fd < 0)
		ipc_watch_add(h->ipc->loop, &q->room, q->back_fd, EPOLLOUT, back_room);
}

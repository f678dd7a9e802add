/*
 * Requests whose answer has to be asked for elsewhere. A kind says IPC_ASKED then; by fs_reply_err() that gives the
 * request back to libfuse unanswered, and its bytes are kept here. When the answers are there the same bytes are
 * handled once more, and this time the kind knows. To libfuse that is a new request of the same number, so that its
 * answer finds who asked; a FUSE_INTERRUPT that it could not place meanwhile is found by it then, and for us it ends
 * the wait.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

struct fs_replay {
	struct ipc_ask ask;
	struct ipc_list link;
	struct ipc_task task;
	struct fs *fs;
	size_t size;
	char bytes[] __attribute__((aligned(8)));
};

static struct fuse_in_header *replay_header(struct fs_replay *r)
{
	return (struct fuse_in_header *)(void *)r->bytes;
}

static void replay_free(struct fs_replay *r)
{
	ipc_task_cancel(&r->task);
	ipc_ask_end(&r->ask);
	free(r);
}

/* It is on no list any more. end: what would have to wait still is -EINTR, or whatever it is. */
static void replay_run(struct fs_replay *r, int end)
{
	struct fs *fs = r->fs;
	struct fuse_buf buf = {.mem = r->bytes, .size = r->size};

	fs->replay.end = end;
	fs_replay_process(fs, &buf, &r->ask);
	fs->replay.end = 0;
	replay_free(r);
}

static void replay_task(struct ipc_task *task)
{
	struct fs_replay *r = ipc_container(task, struct fs_replay, task);

	ipc_list_remove(&r->link);
	replay_run(r, 0);
}

/* From within some answer: what is to be done again is done soon. */
static void replay_answered(struct ipc_ask *ask)
{
	struct fs_replay *r = ipc_container(ask, struct fs_replay, ask);

	ipc_task_post(r->fs->loop, &r->task);
}

void fs_replay_process(struct fs *fs, const struct fuse_buf *buf, struct ipc_ask *ask)
{
	struct ipc_ask first;
	const struct fuse_buf *outer = fs->replay.buf;

	if (!ask) {
		const struct fuse_in_header *in = buf->mem;
		const struct ipc_cred cred = {.uid = in->uid, .gid = in->gid, .pid = (pid_t)in->pid};

		ipc_ask_init(&first, &cred, NULL);
		ask = &first;
	}
	fs->replay.buf = buf;
	fs->replay.ask = ask;
	ipc_ask_by(fs->ipc, ask);
	fuse_session_process_buf(fs->se, buf);
	ipc_ask_by(fs->ipc, NULL);
	fs->replay.buf = outer;
	fs->replay.ask = NULL;
	if (ask == &first && !ipc_list_empty(&first.questions))
		ipc_ask_end(&first);
}

int fs_replay_later(fuse_req_t req)
{
	struct fs *fs = fs_of(req);
	const struct fuse_buf *buf = fs->replay.buf;
	struct fs_replay *r;

	if (fs->replay.end)
		return fuse_reply_err(req, fs->replay.end);
	r = buf ? malloc(sizeof(*r) + buf->size) : NULL;
	if (!r)
		return fuse_reply_err(req, ENOMEM);
	r->fs = fs;
	r->size = buf->size;
	memcpy(r->bytes, buf->mem, buf->size);
	ipc_task_init(&r->task, replay_task);
	ipc_ask_init(&r->ask, &fs->replay.ask->cred, replay_answered);
	ipc_ask_move(fs->replay.ask, &r->ask);
	ipc_list_append(&fs->replay.waiting, &r->link);
	/* What it said had been asked is there already. */
	if (!r->ask.pending)
		ipc_task_post(fs->loop, &r->task);
	fuse_reply_none(req);
	return 0;
}

void fs_replay_interrupt(struct fs *fs, const struct fuse_buf *buf)
{
	const struct fuse_in_header *in = buf->mem;
	const struct fuse_interrupt_in *interrupt = (const struct fuse_interrupt_in *)(in + 1);
	struct ipc_list *pos, *next;

	if (in->opcode != FUSE_INTERRUPT || buf->size < sizeof(*in) + sizeof(*interrupt))
		return;
	ipc_list_each(pos, next, &fs->replay.waiting) {
		struct fs_replay *r = ipc_container(pos, struct fs_replay, link);

		if (replay_header(r)->unique == interrupt->unique) {
			ipc_list_remove(&r->link);
			replay_run(r, EINTR);
			return;
		}
	}
}

void fs_replay_shut_down(struct fs *fs)
{
	while (!ipc_list_empty(&fs->replay.waiting))
		replay_run(ipc_container(ipc_list_pop(&fs->replay.waiting), struct fs_replay, link), ENOTCONN);
}

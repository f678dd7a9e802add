/* An OPEN that waits for its turn: crowd.h. */
#include <errno.h>
#include <stdlib.h>

#include "fs.h"

struct crowd_open {
	struct fs_comer comer;
	struct fs_interrupt interrupt;
	fuse_req_t req;
	fuse_ino_t ino;
	struct fuse_file_info fi;
	void (*open)(fuse_req_t, fuse_ino_t, struct fuse_file_info *, uint64_t *turn);
};

static void open_send_back(fuse_req_t req, fuse_ino_t ino, uint64_t turn)
{
	struct fs *fs = fs_of(req);

	fs_expect_retry_of(fs, fs_node(fs, ino)->serial, fs_cred(req).pid, turn);
	fs_reply_err(req, -ESTALE);
}

static void open_go(struct fs_comer *comer, uint64_t turn)
{
	struct crowd_open *o = ipc_container(comer, struct crowd_open, comer);
	struct crowd_open now = *o;
	struct fs *fs = fs_of(now.req);

	fuse_req_interrupt_func(now.req, NULL, NULL);
	free(o);
	if (!turn) {
		fs_reply_err(now.req, -ENOTCONN);
		return;
	}
	now.open(now.req, now.ino, &now.fi, &turn);
	fs_crowd_arrived(&fs->crowds, turn);
}

/* A signal does not fail an open that waits for nothing but its turn: it goes out of turn. */
static void open_interrupted(struct fs_interrupt *interrupt)
{
	struct crowd_open *o = ipc_container(interrupt, struct crowd_open, interrupt);
	fuse_req_t req = o->req;
	fuse_ino_t ino = o->ino;

	fs_crowd_leave(&o->comer);
	free(o);
	open_send_back(req, ino, 0);
}

void fs_crowd_open(fuse_req_t req, const struct fs_node *node, fuse_ino_t ino, const struct fuse_file_info *fi,
		   uint64_t *turn, void (*open)(fuse_req_t, fuse_ino_t, struct fuse_file_info *, uint64_t *turn))
{
	struct fs *fs = fs_of(req);
	uid_t uid = fs_cred(req).uid;
	struct crowd_open *o = NULL;

	if (!*turn)
		*turn = fs_crowd_turn(fs, &node->ref, uid);
	if (!*turn)
		o = malloc(sizeof(*o));
	if (!o) {
		open_send_back(req, ino, *turn);
		*turn = 0; /* it ends when he has come */
		return;
	}
	*o = (struct crowd_open){.comer.go = open_go, .req = req, .ino = ino, .fi = *fi, .open = open};
	ipc_list_init(&o->comer.link);
	if (!fs_crowd_wait(fs, &node->ref, uid, &o->comer) || !fs_interrupt_watch(&o->interrupt, req, open_interrupted))
		open_interrupted(&o->interrupt);
}

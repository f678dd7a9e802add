/*
 * The texts that grow with what there is (status), made in steps (turns.h), and counted among the bytes that the daemon
 * holds for who reads them.
 */
#ifndef FS_STEPS_H
#define FS_STEPS_H

#include "ipc.h"
#include "turns.h"

/* One in the making. The owner fills the first part and keeps it until it is over. */
struct fs_steps {
	struct ipc *ipc;
	struct ipc_cred cred;
	const char *path;			  /* for MNT/errors */
	void (*done)(struct fs_steps *, int err); /* 0: text is whole; or -errno, and there is none */

	struct ipc_list link; /* of all that are being made */
	struct fs_turn turn;
	struct fs_steps_all *all;
	struct ipc_status *status;
	struct ipc_ask ask; /* what has to be asked elsewhere for the next step */
	struct ipc_text text;
	size_t charged;
};

struct fs_steps_all {
	struct fs_turns *turns;
	struct ipc_list all;
};

void fs_steps_start(struct fs_steps_all *, struct fs_turns *);
/* Ends those that are being made with -ENOTCONN. */
void fs_steps_end(struct fs_steps_all *);
/* done() runs once, perhaps from within. */
void fs_steps_make(struct fs_steps_all *, struct fs_steps *, enum ipc_status_form);
/* done() says -EINTR. */
void fs_steps_cancel(struct fs_steps *);

#endif

/*
 * Many threads that open one name at the same instant. Each of them needs a node of its own and is sent back for it by
 * ESTALE (retry.h). Were they all on their way back at once, each one's LOOKUP would replace what the kernel has just
 * found for another, who would have to look again: with n threads n * n requests. So of those who open the same name
 * one at a time is sent back; the others' requests wait, and hold no lock meanwhile. The next one goes when the first
 * has come to his open, or has not come for some milliseconds.
 */
#ifndef FS_CROWD_H
#define FS_CROWD_H

#include <fuse_lowlevel.h>
#include <stdint.h>

#include "base/loop.h"

struct fs;
struct fs_node;
struct ipc_ref;

/* Somebody who waits to be sent back. Embedded in what he waits with. */
struct fs_comer {
	struct ipc_list link;
	/* It is his turn: the number is for fs_crowd_arrived(). 0: it never will be, the session ends. */
	void (*go)(struct fs_comer *, uint64_t turn);
};

struct fs_crowd {
	uint64_t turn; /* of who is on his way back; 0: nobody */
	uid_t uid;     /* whose they are, as long as there is anybody */
	struct ipc_list waiting;
	struct ipc_timer timer; /* for who is on his way, where others wait */
	struct ipc_task task;
	struct fs_crowds *all;
};

/*
 * By name and user. Names that share a place by chance take turns, too, which costs them little; but no user waits for
 * another: who finds a place taken by somebody else goes back out of turn.
 */
enum { FS_CROWDS = 256 };

struct fs_crowds {
	struct ipc_loop *loop;
	uint64_t last;
	struct fs_crowd crowd[FS_CROWDS];
};

void fs_crowds_start(struct fs_crowds *, struct ipc_loop *);
/* All who wait go, with turn 0. */
void fs_crowds_end(struct fs_crowds *);

/* The turn of who opens that name, if he can have it now; or 0: then he may wait for it. */
uint64_t fs_crowd_turn(struct fs *, const struct ipc_ref *, uid_t);
/* False: not here, it is another user's place. */
bool fs_crowd_wait(struct fs *, const struct ipc_ref *, uid_t, struct fs_comer *);
/* Does not wait any more. Harmless on who does not, if his link is initialised. */
void fs_crowd_leave(struct fs_comer *);
/* He has come to his open, or will not. 0 is harmless, and so is who was waited for too long. */
void fs_crowd_arrived(struct fs_crowds *, uint64_t turn);

/*
 * crowd_open.c. An OPEN that met a node which is taken: it is answered ESTALE, in its turn. open: tries it once more by
 * then, as the node may be free again.
 */
void fs_crowd_open(fuse_req_t, const struct fs_node *, fuse_ino_t, const struct fuse_file_info *, uint64_t *turn,
		   void (*open)(fuse_req_t, fuse_ino_t, struct fuse_file_info *, uint64_t *turn));

#endif

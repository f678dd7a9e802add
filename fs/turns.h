/*
 * What is made in steps (long listings and texts), each in its turn, and in turn with whatever else there is to do: one
 * step of one of them in each turn of the loop, however many there are.
 */
#ifndef FS_TURNS_H
#define FS_TURNS_H

#include "ipc.h"

struct fs_turns {
	struct ipc_loop *loop;
	struct ipc_list list;
	struct ipc_task task;
};

/* Embedded in what is made. */
struct fs_turn {
	struct ipc_list link;
	bool (*step)(struct fs_turn *); /* Returns whether there is more to do now; false: it may be gone. */
};

void fs_turns_start(struct fs_turns *, struct ipc_loop *);
void fs_turns_end(struct fs_turns *);
void fs_turn_init(struct fs_turn *, bool (*step)(struct fs_turn *));
void fs_turn_add(struct fs_turns *, struct fs_turn *);
/* Harmless where it is not in turn. Not from within step(). */
void fs_turn_remove(struct fs_turn *);

#endif

/*
 * Listings as the kinds see them: ipc_listing_begin() and the like are in ipc.h. A kind's each_name() is called again
 * and again for the next few names, so that nobody waits for another's long listing, and the core remembers where it
 * was. Each name that is there from the beginning to the end is told exactly once.
 */
#ifndef IPC_LISTING_H
#define IPC_LISTING_H

#include "chan.h"

struct ipc_listing {
	struct ipc *ipc;
	const struct ipc_kind *kind;
	struct ipc_cred cred;
	void (*emit)(void *arg, const char *name, mode_t type); /* during a step */
	void *emit_arg;
	bool whole;		    /* whole names, with any '/'; or else the names in one directory: */
	char dir[IPC_NAME_MAX + 2]; /* and its '/'; "" for the kind's own */
	size_t dir_len;
	char told[IPC_NAME_MAX + 1]; /* last */
	char at[IPC_NAME_MAX + 2];   /* of names in the table, the one that was looked at last; at first `dir` */
	bool begun;
	int fd;	     /* of names in a directory, it; -1: not open */
	mode_t type; /* the kind's, which has set it at the first step */
	void *names; /* the kind's: what it has found, and its found_free() frees */

	/*
	 * For find(): the lister's PID namespace, -1: ours. What he is was found out while he waited for the listing:
	 * later /proc may hold a helper up, as long as a process hangs in an execve(2).
	 */
	int pids;
	struct ipc_job job;
	struct ipc_timer timer; /* until helpers are free */
	int found;
	bool looking, ended;
	void (*ready)(void *arg);
	void *ready_arg;
};

/* A name, as the kind has it. */
void ipc_listing_tell(struct ipc_listing *, const char *name, mode_t type);
/*
 * Steps, which say what each_name() does: of the names in the channel table, those that shown() (NULL: all) lets pass;
 * and of the files in a directory, by take(), which need not keep out any but by telling none of them.
 */
int ipc_listing_table(struct ipc_listing *, bool (*shown)(const struct ipc_chan *));
int ipc_listing_files(struct ipc_listing *, int dir,
		      void (*take)(struct ipc_listing *, const char *file, unsigned char type));
/* Of the recorded names, where the kind's own cannot be listed; those that are gone are forgotten. */
int ipc_listing_live(struct ipc_listing *);

#endif

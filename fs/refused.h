/*
 * The callers who were told ESTALE and are expected back, each known by his thread's number. What becomes of them is in
 * retry.h; this is only where they are kept. A thread has one entry at most, and one that has ended loses it, so they
 * are bounded by what bounds threads: pid_max, and RLIMIT_NPROC for each user.
 */
#ifndef FS_REFUSED_H
#define FS_REFUSED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

/* A caller who was refused a node and is looking its name up again. */
struct fs_refused {
	struct ipc_list link; /* of all; the table's, as pid and until are */
	pid_t pid;	      /* 0: one whom we do not see (another PID namespace); all those share one entry */
	int64_t until;	      /* so long he is expected */
	uint64_t serial;      /* the node's */
	unsigned missed;      /* lookups since that found no such name */
	uint64_t makes;	      /* the name that he was about to make, as a number (fs_refusal_making()); 0: none */
	mode_t mode;	      /* with that mode */
	uint64_t notice;      /* that he is to wait for; 0: none */
	bool held;	      /* a look-up of his was told to wait for it, so it was the first */
	bool phantom;	      /* it has left an entry that he looks up first */
	uint64_t turn;	      /* that ends when he has been served: crowd.h; 0: none */
};

struct fs_refusals {
	void *tree;	      /* of struct fs_refused, by pid: tsearch(3) */
	struct ipc_list all;  /* the next one to be looked at, whether he still lives, is the first */
	unsigned count;	      /* of all */
	int64_t forgot_until; /* there was no memory for somebody, who may come so long; 0: no */
};

void fs_refusals_start(struct fs_refusals *);
/* Forgets all. Harmless on zeros, and twice. */
void fs_refusals_end(struct fs_refusals *);
/* NULL: he is not expected. */
struct fs_refused *fs_refused_find(struct fs_refusals *, pid_t);
/* He is expected from now on, and nothing else is known of him. NULL: out of memory; fs_refused_is() is true for him.
 */
struct fs_refused *fs_refused_add(struct fs_refusals *, pid_t);
void fs_refused_remove(struct fs_refusals *, struct fs_refused *);
/* Whether he is expected, or may be: while somebody could not be remembered, everybody may be he. */
bool fs_refused_is(struct fs_refusals *, pid_t);

#endif

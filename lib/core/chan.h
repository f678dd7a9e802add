/* The channel table: what is remembered under a name, and the kinds whose names live nowhere else. */
#ifndef IPC_CHAN_H
#define IPC_CHAN_H

#include "base/tree.h"
#include "counts.h"
#include "ipc.h"
#include "op.h"
#include "path.h"

/* A name in the table. Of several names of a channel the first is `own` in its struct, the others are in `links`. */
struct ipc_chan_name {
	struct ipc_tree_node node;
	const struct ipc_kind *kind;
	struct ipc_chan *chan;
	struct ipc_list link;
	uid_t charged_to;
};

static inline struct ipc_chan_name *ipc_chan_name_of(struct ipc_tree_node *node)
{
	return ipc_container(node, struct ipc_chan_name, node);
}

/* A name that the core remembers. Embedded first in a kind's own struct where it needs more. */
struct ipc_chan {
	struct ipc *ipc;
	const struct ipc_kind *kind;
	char *name; /* own.node.name */
	struct ipc_chan_name own;
	struct ipc_list links;	       /* names that link(2) gave it */
	bool listed;		       /* in the table: the name still means this object */
	unsigned refs;		       /* handles, and one for the table */
	uid_t charged_to;	       /* whose IPC_QUOTA_CHANNELS it counts in: a name that lives here */
	struct ipc_list unopened_link; /* unopened.h; a kernel object's, while nobody has it open */
	uid_t idle_of;		       /* who had it open last */
	struct ipc_list handles;
	struct ipc_waitq waitq;
	unsigned openers, readers, writers; /* of the handles */
	unsigned waiters;		    /* operations parked on them */
	unsigned holders; /* of them, those that hold something until they are closed: the kind's holds() */
	unsigned debts;	  /* messages that were handed over and are not settled: settle.h */
	bool full;	  /* a write found no room, and none has found any since; known while MNT/events is read */
	bool text;	  /* no channel: ipc_ref.text */
	struct timespec changed;	       /* by a write */
	struct stat st;			       /* kinds whose names live here: all of it; others: st_ino */
	struct ipc_counts *counts, own_counts; /* own_counts, or the object's: counts.h */
	struct ipc_list held_by;	       /* waiter.h: who waits, and has a file open that holds something of it */
	struct ipc_deadlock *deadlock;	       /* that somebody who waits for it is in; or NULL */
	struct ipc_taps *taps;		       /* tap.h; NULL: nobody looks at what passes */
	struct ipc_garbage garbage;
};

/* find: NULL if none. get: finds or makes; NULL when out of memory. Neither takes a reference. */
struct ipc_chan *ipc_chan_find(struct ipc *, const struct ipc_kind *, const char *name);
struct ipc_chan *ipc_chan_get(struct ipc *, const struct ipc_kind *, const char *name, ino_t ino);
void ipc_chan_forget(struct ipc_chan *); /* its name no longer means it; it lives on for its handles */
void ipc_chan_removed(struct ipc_chan *, const struct ipc_cred *by); /* the same, and who did that */
/*
 * `from` is in the table. What had the other name is forgotten, unless there is no memory: then nothing has happened.
 */
int ipc_chan_rename(struct ipc *, const struct ipc_kind *, const char *from, const char *to);
/* Another name for it, which is charged to the caller: -EEXIST. unlink: takes one name of several away. */
int ipc_chan_link(struct ipc_chan *, const struct ipc_cred *, const struct ipc_ref *);
void ipc_chan_unlink(struct ipc *, const struct ipc_kind *, const char *text);
/* A name of it other than this one, or NULL. */
const char *ipc_chan_other_name(const struct ipc_chan *, const char *name);
void ipc_chan_hold(struct ipc_chan *);
void ipc_chan_drop(struct ipc_chan *);
/* A kernel object's record: nobody has it open, the last who had was that user. May forget others, not this one. */
void ipc_chan_unopened(struct ipc_chan *, uid_t);
void ipc_chan_each(struct ipc *, const struct ipc_kind *, void (*fn)(struct ipc_chan *, void *), void *arg);
/*
 * The whole of a kind whose names live in the table: makes an entry with the caller as owner, -EEXIST; sets attributes.
 */
int ipc_chan_create(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, mode_t mode, struct ipc_chan **out);
int ipc_chan_chattr(struct ipc_chan *, const struct stat *, unsigned set);
int ipc_chan_stat(struct ipc *, const struct ipc_ref *, struct stat *);
/*
 * What a kind with such names need not do itself. unlink: whether it is there; forgetting it is ipc_unlink()'s.
 * renames: whether it lets ipc_rename() move its entries, as all do but those that come and go by being opened.
 */
int ipc_named_unlink(struct ipc *, const struct ipc_ref *);
bool ipc_named_renames(const struct ipc_kind *);
int ipc_named_rename(struct ipc *, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags);
int ipc_named_chattr(struct ipc *, const struct ipc_ref *, struct ipc_handle *, const struct stat *, unsigned set);
/* A message that was counted as taken is back in the channel. */
void ipc_chan_went_back(struct ipc_chan *, size_t bytes);

#endif

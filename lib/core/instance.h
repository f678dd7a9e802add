/* The instance: what all channels of one mount share. */
#ifndef IPC_INSTANCE_H
#define IPC_INSTANCE_H

#include "base/tree.h"
#include "ipc.h"

/* Of each sort of helpers that go along paths one user has so many at most: a path may end when he says. */
enum { IPC_WALKS_OF_USER_MAX = 16 };

/* The instance. */
struct ipc {
	struct ipc_loop *loop;
	struct ipc_pool *pool;
	struct ipc_pool *walkers; /* apart, for what goes along paths, which may lead through our mount */
	struct ipc_list walking;  /* whose walks those are: struct ipc_pool_part */
	/*
	 * The same for ipc_look(). A walk may lead through our mount to a name that is looked up so, and waits for
	 * that; a look goes not through our mount, so it waits for no other, and there is always a helper for it in the
	 * end.
	 */
	struct ipc_pool *lookers;
	struct ipc_list looking;
	struct ipc_options opt;
	const struct ipc_kind *const *kinds; /* as ipc_new() got them */
	void *kind_data[IPC_KINDS_MAX + 1];  /* ipc_kind_data(); the last: of a kind that is not of this instance */
	struct ipc_rundir *rundir;
	struct ipc_tree chans[IPC_KINDS_MAX + 1]; /* of each kind, the nodes of struct ipc_chan_name; as kind_data */
	struct ipc_chan_name *last_name;	  /* found last, which most often is the next; or NULL */
	unsigned chan_count;
	unsigned listed_directories; /* that listings have open */
	struct ipc_list unopened;    /* records that nobody uses, the oldest first: unopened.h */
	unsigned unopened_count;
	struct ipc_book *book;			/* counts.h */
	struct ipc_again *again[IPC_KINDS_MAX]; /* status_again.h */
	struct ipc_timer again_timer;
	/* op.c's, for waitq.c, which is below it: tries who waits on a side; ends one who does. */
	unsigned (*run)(struct ipc_waitq *, int side);
	void (*finish)(struct ipc_op *, ssize_t result);
	struct ipc_list handles;
	struct ipc_ask *ask;			    /* whoever waits for answers from elsewhere; NULL: nobody can */
	dev_t device;				    /* ipc_set_device(); 0: not known */
	struct timespec changed[IPC_KINDS_MAX + 1]; /* changed.c: of the kinds' names */
	bool down;
	bool abroad;		       /* callers from other namespaces have come */
	char hidden[32];	       /* ipc_hidden_name() */
	unsigned addresses;	       /* sockets that are bound in the mount */
	struct ipc_list bindings;      /* the kind's: sockets that are being bound */
	const struct ipc_cred *reader; /* whom a text is made for, if he counts processes in another way: reader.c */
	ino_t next_ino;
	char *scratch;
	size_t scratch_size;
	struct ipc_refusals *refusals;
	struct ipc_native *native; /* native.h; NULL while nobody reads MNT/events */
	struct ipc_told *told;	   /* told.h; with it */
	struct ipc_log *events;	   /* event.h; NULL while nobody reads MNT/events */
	void *users, *last_user;   /* quota.c */
	uid_t uid;		   /* ours */
};

/* Where a kind keeps its own state for the whole instance; NULL in the beginning. */
void **ipc_kind_data(struct ipc *, const struct ipc_kind *);
/* Its place among the instance's. */
unsigned ipc_kind_index(const struct ipc *, const struct ipc_kind *);

/* How long the processors have been kept awake (ipc_options.awake), in nanoseconds. */
static inline int64_t ipc_awake_ns(const struct ipc_awake *awake)
{
	return awake->before_ns + (awake->now ? ipc_now() - awake->since : 0);
}

/* At least n bytes (and at least 1 MiB) that are valid until the next operation; NULL when out of memory. */
char *ipc_scratch(struct ipc *, size_t n);

#endif

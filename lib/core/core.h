/*
 * What the channel kinds and the core share. Private to lib/.
 *
 * A kind is one file that ends in its table, a struct ipc_kind. The core owns names, the channel table, waiting, time-outs,
 * positions and what is kept of a message for a second read; a kind only does the system calls, and never waits.
 */
#ifndef IPC_CORE_H
#define IPC_CORE_H

#include <errno.h>

#include "ipc.h"
#include "base/pool.h"

/*
 * The largest message that surely arrives in one piece. FUSE sends a write in pieces of at most 256 pages, and a buffer
 * that starts in the middle of a page loses one of them.
 */
#define IPC_MESSAGE_MAX ((1u << 20) - 4096)

enum { IPC_IN, IPC_OUT }; /* the two sides one can wait on: for something to take, for room */

/* Operations and polls that wait for one kernel object. */
struct ipc_waitq {
	struct ipc *ipc;
	struct ipc_list ops[2];	 /* in order of arrival */
	struct ipc_list pollers; /* handles to tell when something changes */
	struct ipc_watch watch;
	struct ipc_task task;
	int fd; /* what to watch; -1: the kind calls ipc_waitq_wake() itself */
	unsigned idle_events;
};

/* A name that the core remembers. Embedded first in a kind's own struct where it needs more. */
struct ipc_chan {
	struct ipc *ipc;
	const struct ipc_kind *kind;
	char *name;
	bool listed;	  /* in the table: the name still means this object */
	unsigned refs;	  /* handles, and one for the table */
	uid_t charged_to; /* whose IPC_QUOTA_CHANNELS it counts in, for a kind whose names live here */
	struct ipc_list handles;
	struct ipc_waitq waitq;
	struct stat st; /* kinds whose names live here: all of it; others: st_ino */
	uint64_t in_messages, in_bytes, out_messages, out_bytes; /* from and to the files of this mount */
	struct ipc_garbage garbage;
};

/* An open file. Embedded first in a kind's own struct. */
struct ipc_handle {
	struct ipc *ipc;
	const struct ipc_kind *kind;
	struct ipc_chan *chan;
	struct ipc_waitq *waitq; /* where its operations wait; the channel's, unless the kind sets its own */
	struct ipc_list link, poll_link, all_link; /* of the channel, of the waitq's pollers, of the instance */
	struct ipc_facets facets;
	struct ipc_cred cred; /* who opened it */
	bool readable, writable, duplex;
	bool plain;		  /* a plain file: reads and writes go by op->offset, and nothing is kept */
	enum ipc_flush flushes;	  /* what the kind's flush() has to say for this handle */
	uint8_t open_side;	  /* which side an IPC_OPEN waits on */
	struct ipc_list ops;	  /* parked, wherever they wait */
	int64_t waiting_since[2]; /* by side: when a poll or an operation first found nothing; 0: patience.c */
	struct ipc_timer patience;

	char *keep; /* the last message delivered, for a read at an earlier offset and for the rest of a long one */
	size_t keep_len, keep_size;
	off_t keep_at, pos; /* offset of its first byte; offset behind the last read */
	int64_t taken;	    /* messages delivered */

	char *part; /* a line whose end has not been written yet */
	size_t part_len, part_size;
	bool part_refused;	   /* it became too long after its beginning had been taken */
	struct ipc_linger *linger; /* made with the first, so that closing finds room for what it may leave behind */

	void (*ready)(void *);
	void *ready_arg;
	struct ipc_garbage garbage;
};

/* What ipc_stat() and MNT/status show of a channel's state. */
struct ipc_depth {
	int64_t value; /* -1: not known to us */
	const char *unit;
};

/*
 * A channel kind. Members that may be NULL say so. Every function returns 0 or a count, or -errno; none blocks. `ref` has
 * been parsed; its facets are among `facets`, and never ctl, which the core serves.
 */
struct ipc_kind {
	const char *name;
	uint32_t facets;
	bool named;		       /* its names live in the channel table and nowhere else */
	bool plain;		       /* what is regular of it is a plain file: ipc_ref_is_plain() */
	bool transient;		       /* and an entry appears when a name is opened; forgetting it is the kind's */
	size_t chan_size, handle_size; /* 0: the plain structs */

	/* Sets up, and takes down, the kind's own state in ipc->kind_data. Or NULL. stop() may follow a failed start(). */
	int (*start)(struct ipc *);
	void (*stop)(struct ipc *);

	/* Whether this instance does without it. Or NULL: never. */
	bool (*hidden)(const struct ipc *);

	/*
	 * IPC_PLACE_ bits: to a caller from another one of these places the names mean something else. Then ref->abroad is set, and
	 * translate(), if there is one, makes ref mean to us what it meant to him; 0 or -errno.
	 */
	unsigned place;
	int (*translate)(struct ipc *, const struct ipc_cred *, struct ipc_ref *);

	/*
	 * Fills st for the object or its facet; -ENOENT. st_ino must differ between objects of this kind. S_IFDIR: names may
	 * go on behind a '/', and then come here whole.
	 */
	int (*stat)(struct ipc *, const struct ipc_ref *, struct stat *st);
	/*
	 * Where stat() said -EINPROGRESS: 0 if the name is a directory, or -errno. In a helper's thread, as ipc_cred_enter() lets
	 * it be the caller. Or NULL.
	 */
	int (*look)(const struct ipc_look *);
	/* mode has a type (see ipc_create()) and the permission bits, umask applied. -EEXIST. */
	int (*create)(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, mode_t mode);
	int (*unlink)(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
	int (*rename)(struct ipc *, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags); /* or NULL */
	int (*chattr)(struct ipc *, const struct ipc_ref *, struct ipc_handle *, const struct stat *, unsigned set);
	int (*readlink)(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, char *buf,
			size_t size); /* or NULL */
	int (*list)(struct ipc *, const struct ipc_cred *, void (*emit)(void *arg, const char *name, mode_t type),
		    void *arg);
	int (*depth)(struct ipc *, const struct ipc_ref *,
		     struct ipc_depth *); /* NULL: its names are no channels, and not in MNT/status */

	/* The channel is about to be freed. Or NULL. */
	void (*chan_free)(struct ipc_chan *);

	/* Opens h; h->chan is set already if `named`, and after it if not. -ESTALE when the object is no longer the one with that ino. On error, close() is not called. */
	int (*open)(struct ipc_handle *h, const struct ipc_ref *, int flags, ino_t ino);
	/* Brings an open handle to use; -EAGAIN: wait on h->open_side. Or NULL. */
	int (*connect)(struct ipc_op *);
	/*
	 * Takes one unit. Returns its length with op->data pointing at it; the length may exceed op->size, the core delivers
	 * the rest later. 0 is the end of the file. op->data may be h->keep (ipc_keep_reserve()) or ipc_scratch().
	 */
	ssize_t (*read)(struct ipc_op *);
	/* Sends from op->data + op->done on; raises op->done with what was taken. -EAGAIN leaves op->done true. */
	ssize_t (*write)(struct ipc_op *);
	int (*flush)(struct ipc_op *); /* or NULL */
	/* Gives back a message that read() took and that could not be delivered. Or NULL. */
	void (*undo)(struct ipc_op *, ssize_t len);
	void (*close)(struct ipc_handle *);
	unsigned (*poll)(struct ipc_handle *); /* revents */
	/*
	 * For NAME@ctl of a name that accepts. clients: 1: one waits there, 0: none, or -errno: nobody listens. join: whether it
	 * was made to listen on for this caller, until leave. Or NULL.
	 */
	int (*clients)(struct ipc_chan *);
	bool (*listen_join)(struct ipc_chan *, const struct ipc_cred *);
	void (*listen_leave)(struct ipc_chan *);
	/* In words, what an operation waits for that ran out of time; leaves text empty for the usual ones. Or NULL. */
	void (*waits_for)(const struct ipc_op *, char *text, size_t size);
	struct ipc_waitq *(*polled)(struct ipc_handle *); /* where pollers wait; NULL: h->waitq */
	/* A descriptor to watch for h->waitq, a new one that the caller closes, or -errno. NULL: waitq.fd is the kind's. */
	int (*watch_fd)(struct ipc_handle *);
	int (*fstat)(struct ipc_handle *, struct stat *); /* a handle that is a plain file; or NULL */
	int (*backing)(const struct ipc_handle *);	  /* ipc_handle_backing(); or NULL */

	/* key=value lines behind those the core writes. chan is NULL where nobody has used it yet. An error fails the read. */
	int (*ctl_show)(struct ipc *, const struct ipc_ref *, struct ipc_chan *, FILE *);
	/* -EINVAL: unknown key or bad value, with a line in why. Or NULL: nothing can be set. */
	int (*ctl_set)(struct ipc *, const struct ipc_ref *, const char *key, const char *value, char *why,
		       size_t size);
};

/* The instance. */
struct ipc {
	struct ipc_loop *loop;
	struct ipc_pool *pool;
	struct ipc_options opt;
	void *chans; /* a tree of tsearch(3), by kind and name */
	unsigned chan_count;
	struct ipc_list handles;
	bool down;
	bool abroad; /* callers from other namespaces have come */
	const struct ipc_cred
		*reader; /* whom a text is being made for, if he counts processes in another way: abroad.c */
	ino_t next_ino;
	char *scratch;
	size_t scratch_size;
	struct ipc_refusals *refusals;
	void *users, *last_user; /* quota.c */
	uid_t uid;		 /* ours */
	void *kind_data[16];	 /* by ipc_kind_index(); a kind's own state for the whole instance */
};

/* The kinds' tables; kinds.c lists them. */
extern const struct ipc_kind ipc_pipe, ipc_shm, ipc_mq, ipc_sock, ipc_sem, ipc_bcast, ipc_sig, ipc_net;

/* chan.c. find: NULL if none. get: finds or makes; NULL when out of memory. Neither takes a reference. */
struct ipc_chan *ipc_chan_find(struct ipc *, const struct ipc_kind *, const char *name);
struct ipc_chan *ipc_chan_get(struct ipc *, const struct ipc_kind *, const char *name, ino_t ino);
void ipc_chan_forget(struct ipc_chan *); /* its name no longer means it; it lives on for its handles */
/* Whatever had that name is forgotten, unless there is no memory: then nothing has happened. */
int ipc_chan_rename(struct ipc_chan *, const char *name);
void ipc_chan_hold(struct ipc_chan *);
void ipc_chan_drop(struct ipc_chan *);
void ipc_chan_each(struct ipc *, const struct ipc_kind *, void (*fn)(struct ipc_chan *, void *), void *arg);
/* The whole of a kind whose names live in the table: makes an entry with the caller as owner, -EEXIST; sets attributes. */
int ipc_chan_create(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, mode_t mode, struct ipc_chan **out);
int ipc_chan_chattr(struct ipc_chan *, const struct stat *, unsigned set);
int ipc_chan_stat(struct ipc *, const struct ipc_ref *, struct stat *);
int ipc_chan_list(struct ipc *, const struct ipc_kind *, void (*emit)(void *, const char *, mode_t), void *arg);
/* The recorded names of a kind whose own namespace cannot be listed; those that are gone are forgotten. */
int ipc_chan_list_live(struct ipc *, const struct ipc_kind *, void (*emit)(void *, const char *, mode_t), void *arg);
int ipc_chan_rename_ref(struct ipc *, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags);

/* waitq.c */
void ipc_waitq_init(struct ipc_waitq *, struct ipc *, int fd);
void ipc_waitq_close(struct ipc_waitq *, int result); /* answers who waits; closes nothing */
/* Tries those who wait on a side, in order; returns how many moved. */
unsigned ipc_waitq_run(struct ipc_waitq *, int side);
/* Something changed: tries both sides and tells the pollers, soon. */
void ipc_waitq_wake(struct ipc_waitq *);
void ipc_waitq_park(struct ipc_waitq *, struct ipc_op *, int side);
int ipc_waitq_arm(struct ipc_waitq *, struct ipc_handle *);
/* h waits on another queue from now on, with what it has parked and who polls it. 0 or -errno. */
int ipc_waitq_switch(struct ipc_handle *, struct ipc_waitq *to);

/* op.c */
int ipc_op_side(const struct ipc_op *);
ssize_t ipc_op_try(struct ipc_op *);
void ipc_op_finish(struct ipc_op *, ssize_t result);

/*
 * patience.c. left: nanoseconds until a parked operation gives up by itself, -1: never. end: what it is answered then. stop: the
 * side was not waited for in vain. try: what an operation that was tried is answered, its clock considered. poll: adds to revents
 * what has been waited for long enough, and starts the clocks of the wanted ones that are not there.
 */
int64_t ipc_patience_left(const struct ipc_op *, int64_t now);
ssize_t ipc_patience_end(const struct ipc_op *);
void ipc_patience_stop(const struct ipc_op *);
ssize_t ipc_patience_try(struct ipc_op *, ssize_t result);
unsigned ipc_patience_poll(struct ipc_handle *, unsigned events, unsigned wanted);

/* handle.c. grow: room for need bytes in *buf, charged to the handle's owner. reserve: room for n bytes in h->keep, NULL when out of memory. */
int ipc_handle_grow(struct ipc_handle *, char **buf, size_t *size, size_t need);
/* Before the first byte of a line that h may leave behind is taken: 0 or -ENOMEM. */
int ipc_handle_prepare_linger(struct ipc_handle *);
char *ipc_keep_reserve(struct ipc_handle *, size_t n);
ssize_t ipc_handle_serve(struct ipc_handle *, struct ipc_op *); /* from what is kept; -ENODATA: nothing there */
ssize_t ipc_handle_deliver(struct ipc_handle *, struct ipc_op *, ssize_t len);
void ipc_handle_cancel(struct ipc_handle *, int result); /* answers what it has parked */
bool ipc_handle_has_rest(const struct ipc_handle *);

/* At least n bytes (and at least 1 MiB) that are valid until the next operation; NULL when out of memory. */
char *ipc_scratch(struct ipc *, size_t n);

/*
 * frame.c: lines and nul. Cuts op's data at delim and gives each message to send(); keeps an unfinished one on the handle.
 * max: the longest message. send: 0, or -errno.
 */
ssize_t ipc_frame_write(struct ipc_op *, char delim, size_t max,
			int (*send)(struct ipc_handle *, const char *, size_t));
/* Sends the unfinished line; op->type is IPC_FLUSH. */
int ipc_frame_flush(struct ipc_op *, int (*send)(struct ipc_handle *, const char *, size_t));
/* The delimiter that h's facets ask for, or `none`. */
int ipc_frame_delim(const struct ipc_handle *, int none);

/* ctl.c. waiters: operations parked on the channel's handles. */
unsigned ipc_chan_waiters(const struct ipc_chan *);
extern const struct ipc_kind ipc_ctl;
/* The name of a process, escaped; "?" where there is none. */
void ipc_command(pid_t, char *out, size_t size);

/*
 * ref.c. may_act: 0, or -EPERM with a line for MNT/errors where a kernel object would need us to be the caller and we cannot.
 * enter, leave: ipc_cred_enter() and ipc_cred_leave() around what the kernel decides by who asks; leave only after a 0.
 */
int ipc_ref_may_act(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
int ipc_ref_enter(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
void ipc_ref_leave(const struct ipc_cred *, const struct ipc_ref *);
/* name of ref below the mount ("mq/jobs@lines"), for messages; in a static buffer. */
const char *ipc_ref_path(const struct ipc_ref *);
const char *ipc_handle_path(const struct ipc_handle *);
/* Puts a number in place of ref's base: 0 or -ENAMETOOLONG. */
int ipc_ref_rebase(struct ipc_ref *, pid_t number);
/* Fills st for a directory below a kind's own: a number for its name, and owner and mode as the kind's own has them. */
void ipc_dir_stat(struct ipc *, const struct ipc_ref *, struct stat *);
/* A number for what has but a name. */
ino_t ipc_name_ino(const char *name);
/* What ipc_stat() shows for the number a kind gave. */
ino_t ipc_ref_ino(const struct ipc_kind *, ino_t ino);
/* The number a kind gave, out of ipc_stat()'s. */
ino_t ipc_kind_ino(ino_t ino);
/* Kernel name: prefix and base, with `lead` in front; -ENAMETOOLONG beyond NAME_MAX. */
int ipc_kernel_name(struct ipc *, const struct ipc_ref *, const char *lead, char *out, size_t size);
/* The name without the prefix, or NULL where it has not got it. */
const char *ipc_unprefixed(struct ipc *, const char *kernel_name);

/* That we lack the means of doing something, now, says nothing about what it was to be done with. */
static inline bool ipc_is_shortage(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* Repeats a call while it fails with EINTR; -errno otherwise. */
#define IPC_RETRY(call)                                                                                                \
	({                                                                                                             \
		long r_;                                                                                               \
		do                                                                                                     \
			r_ = (long)(call);                                                                             \
		while (r_ < 0 && errno == EINTR);                                                                      \
		r_ < 0 ? -(long)errno : r_;                                                                            \
	})

#endif

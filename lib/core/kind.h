/*
 * A channel kind is one folder, or one file, that ends in its tables: what its names are, what is done with an open
 * file, and what NAME@ctl shows, held together by a struct ipc_kind. The core owns names, the channel table, waiting,
 * time-outs, positions and what is kept of a message for a second read; a kind only does the system calls, and never
 * waits.
 */
#ifndef IPC_KIND_H
#define IPC_KIND_H

#include "ipc.h"

struct ipc_debt;

/* What ipc_stat() and MNT/status show of a channel's state. */
struct ipc_depth {
	int64_t value; /* -1: not known to us */
	int64_t limit; /* writers wait, or the oldest goes, above it; 0: there is none */
	const char *unit;
};

/*
 * Members that may be NULL say so. Every function returns 0 or a count, or -errno; none blocks. `ref` has been parsed;
 * its facets are among the kind's, and never ctl, which the core serves.
 *
 * Members with one user so far say ONE USER, and what would have to know that kind if they were not there.
 */

/* What is in MNT/KIND: names, and the objects that they stand for. */
struct ipc_kind_names {
	/*
	 * IPC_PLACE_ bits: to a caller from another one of these places the names mean something else. Then ref->abroad
	 * is set, and translate(), if there is one, makes ref mean to us what it meant to him; 0 or -errno.
	 * ONE USER, sig: ref.c, which has every name first, would have to know whose names are numbers of processes.
	 */
	unsigned place;
	int (*translate)(struct ipc *, const struct ipc_cred *, struct ipc_ref *);

	/*
	 * Fills st for the object or its facet; -ENOENT. st_ino must differ between objects of this kind. S_IFDIR:
	 * names may go on behind a '/', and then come here whole.
	 */
	int (*stat)(struct ipc *, const struct ipc_ref *, struct stat *st);
	/*
	 * The cause of its -EBUSY, for MNT/errors; or NULL: it never says that. ONE USER, sig: stat() is told no
	 * caller, and object.c, which knows him, would have to know what held a process up.
	 */
	const char *busy;
	/* mode has a type (see ipc_create()) and the permission bits, umask applied. -EEXIST. */
	int (*create)(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, mode_t mode);
	/*
	 * What create() does in a child, in a helper's thread; a failure but -EEXIST puts its cause into why. Or NULL:
	 * it needs no child. ONE USER, mq: the helper's thread would have to know whose limits only a process of the
	 * caller's own meets.
	 */
	int (*make)(struct ipc_making *);
	/*
	 * A kind that is `named` may leave these four to the core. Of others, without rename() none of its names can
	 * be.
	 */
	int (*unlink)(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
	int (*rename)(struct ipc *, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags);
	int (*chattr)(struct ipc *, const struct ipc_ref *, struct ipc_handle *, const struct stat *, unsigned set);
	/* The cause of that one's -EPERM, for MNT/errors; or NULL: it is that the caller is not the owner. */
	const char *fixed;
	/*
	 * The next few names of a listing, by the functions of listing.h: 1: there are more, 0: that was all, -errno,
	 * or IPC_ASKED. Or NULL: they are those in the channel table.
	 */
	int (*each_name)(struct ipc_listing *);
	/*
	 * Comes before it, in a helper's thread, where looking takes its time: leaves l->names; 0 or -errno. found_free
	 * frees those, also after a failure. Or NULL. ONE USER, sig: listing.c would have to know that a walk through
	 * /proc is too long for the loop's thread.
	 */
	int (*find)(struct ipc_listing *l);
	void (*found_free)(void *names);
	/*
	 * Where its names are links, their target, as readlink(2). Or NULL. ONE USER, shm: object.c would have to know
	 * where its objects are.
	 */
	int (*readlink)(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, char *buf, size_t size);
	/*
	 * A descriptor of the directory where others make and remove names of the kind, or -1. Or NULL: there is none.
	 */
	int (*dir)(struct ipc *);
	/* The object that a file in there is, before the instance's prefix is taken off; NULL: none of the kind. Or
	 * NULL: of its own name. */
	const char *(*name_of)(const char *file);
	/* -errno only where memory or descriptors are short. */
	int (*depth)(struct ipc *, const struct ipc_ref *,
		     struct ipc_depth *); /* NULL: its names are no channels, and not in MNT/status */
	/*
	 * The same in fewer calls, as us and not as the caller, who may read it: for who asks again and again. st:
	 * what stat() said just now. False: depth() has to be asked. Or NULL.
	 */
	bool (*glance)(struct ipc *, const struct ipc_ref *, const struct stat *st, struct ipc_depth *);
	/*
	 * For a kind without dir(): whether an object may be there still, by its number. Or NULL: not to be told. ONE
	 * USER, sig: counts_sweep.c would have to know whose numbers are those of processes.
	 */
	bool (*lives)(ino_t);
	/*
	 * For NAME@tap of a kind whose names are the kernel's: whether the caller, who we are now, may read the object
	 * with that number. 0 or -errno. Or NULL: nothing of the kind can be tapped, or the VFS has seen to it.
	 */
	int (*may_read)(struct ipc *, const struct ipc_ref *, ino_t ino);
};

/*
 * Names that are sockets, with an inode of the mount as their address: address.c and look.c. ONE USER, sock: those two
 * would have to know how it keeps its sockets. Another kind that can be bound in the mount would fill the same table.
 */
struct ipc_kind_addresses {
	/*
	 * Where stat() said -EINPROGRESS: 0 if the name is a directory, or -errno. In a helper's thread, as
	 * ipc_cred_enter() lets it be the caller.
	 */
	int (*look)(const struct ipc_look *, int root); /* of the caller; -1: ours */
	/* In place of look(), where it can tell. 1: it cannot; 0: it will call ipc_look_finish(); or -errno. */
	int (*await)(struct ipc *, struct ipc_look *);
	/* ipc_ref_follow(), ipc_hidden_make(), ipc_drop_addresses(). */
	bool (*is_socket)(struct ipc *, const struct ipc_ref *);
	int (*hidden_make)(struct ipc *, ino_t, struct ipc_ref *, struct stat *);
	void (*drop)(struct ipc *);
};

/* What is done with an open file. */
struct ipc_kind_handles {
	/*
	 * h->cred is given no capabilities, and open() calls ipc_cred_fix() where what is done later takes the
	 * opener's: to look at them is two system calls.
	 */
	bool asks_rights;
	/*
	 * Opens h; h->chan is set already if `named`, and after it if not. -ESTALE when the object is no longer the one
	 * with that ino. On error, close() is not called.
	 */
	int (*open)(struct ipc_handle *h, const struct ipc_ref *, int flags, ino_t ino);
	/* Brings an open handle to use; -EAGAIN: wait on h->open_side. Or NULL. */
	int (*connect)(struct ipc_op *);
	/*
	 * Of the next three, a kind that has asked elsewhere says -EINPROGRESS, and wakes the waitq when the answer is
	 * there; then -EAGAIN is what O_NONBLOCK gets.
	 */
	/*
	 * Takes one unit. Returns its length with op->data pointing at it; the length may exceed op->size, the core
	 * delivers the rest later. 0 is the end of the file. op->data may be ipc_keep_reserve()'s or ipc_scratch()'s.
	 */
	ssize_t (*read)(struct ipc_op *);
	/* Sends from op->data + op->done on; raises op->done with what was taken. -EAGAIN leaves op->done true. */
	ssize_t (*write)(struct ipc_op *);
	int (*flush)(struct ipc_op *); /* or NULL */
	/*
	 * A parked operation is to end without a result. False: the answer of what it asked elsewhere is on its way,
	 * and it may have been done: it ends with that, or after a second at most. Or NULL: it can always end.
	 */
	bool (*withdraw)(struct ipc_op *);
	/*
	 * A message that read() took for op did not reach its reader: whether it is back where the next reader finds
	 * it; if not, the handle keeps it for its own next read. Or NULL: not.
	 */
	bool (*put_back)(struct ipc_op *, const char *message, size_t len);
	/*
	 * A whole message, framed, that a reader of NAME@fifo left unread. From the last to the first, so that each
	 * goes before all others of its priority. read() tells of each by ipc_pump_note(). Or NULL: every reader has
	 * his own copies.
	 */
	void (*give_back)(struct ipc_handle *, const char *data, size_t len, unsigned prio);
	void (*close)(struct ipc_handle *);
	unsigned (*poll)(struct ipc_handle *); /* revents */
	/* In words, what an operation waits for that ran out of time; leaves text empty for the usual ones. Or NULL. */
	void (*waits_for)(const struct ipc_op *, char *text, size_t size);
	/*
	 * Since when (ipc_now()) a handle has something that others wait for and that closing it gives back; 0: it has
	 * not. The kind counts such handles in chan->holders. Or NULL: none.
	 */
	int64_t (*holds)(const struct ipc_handle *);
	/*
	 * A descriptor to watch for h->waitq, a new one that the caller closes, or -errno. NULL: waitq.fd is the
	 * kind's.
	 */
	int (*watch_fd)(struct ipc_handle *);
	int (*fstat)(struct ipc_handle *, struct stat *); /* a handle that is a plain file; or NULL */
	/*
	 * ipc_handle_backing(); or NULL. ONE USER, shm: fs/passthrough.c would have to know whose handles are files
	 * that the kernel can read by itself.
	 */
	int (*backing)(const struct ipc_handle *);
};

/*
 * What becomes of a message that was handed over with ack: it is forgotten (settled), or goes to the next reader (given
 * back). Either takes the debt, which its handle has no more.
 */
struct ipc_kind_debts {
	void (*settled)(struct ipc_debt *);
	void (*given_back)(struct ipc_debt *);
	/* The channel's name means it no longer. by: who removed it; or NULL. */
	void (*forgotten)(struct ipc_chan *, const struct ipc_cred *by);
};

/* NAME@ctl. */
struct ipc_kind_ctl {
	/*
	 * key=value lines behind those the core writes. chan is NULL where nobody has used it yet. An error fails the
	 * read. Or NULL.
	 */
	int (*show)(struct ipc *, const struct ipc_ref *, struct ipc_chan *, FILE *);
	/* -EINVAL: unknown key or bad value, with a line in why. Or NULL: nothing can be set. */
	int (*set)(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, const char *key, const char *value,
		   char *why, size_t size);
	/*
	 * For poll(2), of a name that accepts. clients: 1: one waits there, 0: none, or -errno: nobody listens. join:
	 * whether it was made to listen on for this caller, until leave. Or NULL. join and leave: ONE USER, net: ctl.c
	 * would have to know which names listen only while somebody has them open.
	 */
	int (*clients)(struct ipc_chan *);
	bool (*listen_join)(struct ipc_chan *, const struct ipc_cred *);
	void (*listen_leave)(struct ipc_chan *);
};

/* What MNT/README says of the kind, in whole lines; each may be NULL. */
struct ipc_kind_readme {
	const char *use;    /* commands, the kind's name in front: "mq     echo hi > M/mq/m" */
	const char *facets; /* those that only this kind has, its name in front: "  mq    @prio=9 send as urgent" */
	void (*where)(struct ipc *,
		      FILE *out); /* where its objects are, if they are no kernel's; the first kind's is told */
};

/* A channel kind: its properties, what it does once for an instance, and the tables above. */
struct ipc_kind {
	char name[IPC_KIND_NAME_MAX + 1];
	const char *pattern; /* what stands for a name in texts: "tcp/HOST/PORT". Or NULL: "NAME". */
	uint32_t facets;
	const struct ipc_option *const *options; /* its own mount options, NULL behind the last; or NULL: none */
	const struct ipc_kind_readme *readme;	 /* or NULL */
	bool named;				 /* its names live in the channel table and nowhere else */
	bool remote;				 /* its objects are no kernel's: nobody has to be acted as */
	/*
	 * What is regular of it is a plain file: ipc_ref_is_plain(). ONE USER, shm: ref.c and status.c would have to
	 * know which objects are used without us.
	 */
	bool plain;
	bool text; /* no channels: a text of the whole instance */
	/*
	 * An open with O_EXCL for both directions makes a small plain file instead: ipc_ref.text. ONE USER, sock: ref.c
	 * would have to know whose servers put a lock file beside the name.
	 */
	bool texts;
	/*
	 * And an entry appears when a name is opened; forgetting it is the kind's. ONE USER, net: handle.c would have
	 * to know whose names nobody makes, as they are addresses.
	 */
	bool transient;
	size_t chan_size, handle_size; /* 0: the plain structs */

	/*
	 * Sets up, and takes down, the kind's own state in *ipc_kind_data(). Or NULL. stop() may follow a failed
	 * start().
	 */
	int (*start)(struct ipc *);
	void (*stop)(struct ipc *);
	/*
	 * Gives back what a crash left in an instance's runtime directory, once the kind has started. False: there was
	 * too little memory, or too few descriptors, and somebody must come again. Or NULL: what is in there can go.
	 */
	bool (*recover)(struct ipc *, int dir);
	/*
	 * Whether this instance does without it. Or NULL: never. ONE USER, net: kind.c would have to know its mount
	 * options, which are its own.
	 */
	bool (*hidden)(const struct ipc *);
	/* Whether messages are lines unless a facet (nul) says otherwise. Or NULL: they are not. */
	bool (*framed)(const struct ipc *);
	/* The channel is about to be freed. Or NULL. */
	void (*chan_free)(struct ipc_chan *);

	const struct ipc_kind_names *names;
	const struct ipc_kind_addresses *addresses; /* or NULL: none */
	const struct ipc_kind_handles *handles;
	const struct ipc_kind_debts *debts; /* or NULL: the kind has no ack */
	const struct ipc_kind_ctl *ctl;	    /* or NULL: nothing to show or to set */
};

#endif

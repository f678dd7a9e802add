/*
 * libipc: kernel IPC objects behind one interface of names, handles and operations. It knows neither FUSE nor mounts.
 *
 * One thread calls everything here, the one that runs the loop. Errors are negative errno. Nothing blocks: an operation
 * that would have to wait says -EAGAIN, and the caller parks it.
 */
#ifndef IPC_H
#define IPC_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/escape.h"
#include "base/loop.h"
#include "base/number.h"
#include "base/pool.h"
#include "core/facet.h"
#include "ipc_options.h"

struct ipc;
struct ipc_chan;
struct ipc_handle;
struct ipc_kind;
struct ipc_status;
struct ipc_waitq;

/* Who asks. pid is the calling thread's, 0 where it is not visible to us. */
struct ipc_cred {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	bool fixed;    /* caps is what he had when he opened the file; else what he has counts: cred.h */
	uint64_t caps; /* of root, as far as they count here */
};

/* Whether he is bound by no mode (CAP_DAC_OVERRIDE). */
bool ipc_may_override(const struct ipc_cred *);

/* What a name stands for. facets.set is 0 for a plain name. Copyable. */
struct ipc_ref {
	const struct ipc_kind *kind;
	struct ipc_facets facets;
	bool abroad;	   /* whoever asks is in other namespaces, where the name has another meaning or another form */
	pid_t shown;	   /* the number that he wrote, where base is ours for the same process; 0: base is his */
	uint16_t facet_at; /* offset in base[] of the facets' text, NUL-terminated; 0: none */
	bool text;	   /* a small plain file that stands among the channels: kinds/sock/text.c */
	ino_t ino;	   /* ipc_stat()'s number of the object that is meant; 0: whatever has the name */
	char base[IPC_NAME_MAX + 2];
};

/* The kinds that there are, in their order, NULL behind the last. */
extern const struct ipc_kind *const ipc_kinds[];
/* Those that live in a Redis, by the same names; none where the build is without it. */
extern const struct ipc_kind *const ipc_redis_kinds[];
enum { IPC_KINDS_MAX = 16, IPC_KIND_NAME_MAX = 7 };

/*
 * Returns an instance that offers those kinds, or NULL with errno. Strings in options are copied, the kinds are not.
 * Free it with ipc_free() before the loop.
 */
struct ipc *ipc_new(struct ipc_loop *, const struct ipc_options *, const struct ipc_kind *const *kinds);
/* Answers what is parked with -ENOTCONN. Every handle must be closed. Accepts NULL. */
void ipc_free(struct ipc *);
/* Answers what is parked with -ENOTCONN, and from now on everything that would park. */
void ipc_shut_down(struct ipc *);

/* ts becomes the time when the last name of the kind came or went, if that is later. */
void ipc_kind_changed(struct ipc *, const struct ipc_kind *, struct timespec *ts);

/* The directory where other programs make and remove the kind's objects; -1: there is none, or we may not see it. */
int ipc_kind_dir(struct ipc *, const struct ipc_kind *);
/* What a file there is called in the kind's directory of the mount; false: it is no object of the kind. */
bool ipc_kind_name_of(struct ipc *, const struct ipc_kind *, const char *file, char *name, size_t size);

/* The instance's kinds in their order, NULL behind the last; a kind's directory name. */
const struct ipc_kind *ipc_kind_at(const struct ipc *, unsigned i);
const char *ipc_kind_name(const struct ipc_kind *);
/* Whether the instance shows it. */
bool ipc_kind_shown(const struct ipc *, const struct ipc_kind *);
/* "pipe, shm, mq" and so on: those of a list, or those that an instance shows. Both return text. */
enum { IPC_KINDS_TEXT = IPC_KINDS_MAX * (IPC_KIND_NAME_MAX + 2) };
const char *ipc_kinds_text(const struct ipc_kind *const *kinds, char text[static IPC_KINDS_TEXT]);
const char *ipc_shown_text(const struct ipc *, char text[static IPC_KINDS_TEXT]);

/*
 * The namespace. Each call returns 0 or -errno; those that a user could not guess leave a line for MNT/errors.
 *
 * resolve: -ENAMETOOLONG, -EINVAL for bad facets and for an empty name. Does not say whether the object exists.
 * resolve_name: for calls that name an object and do not open it. What does not read as facets is then part of the
 * name, in the kinds that mkfifo(2), bind(2), link(2) or rename(2) can bring new names to. stat: st_mode's type tells
 * how it is used: S_IFREG through ipc_open(), S_IFDIR as a part of longer names, DIR/NAME, all others by the kernel
 * itself. st_ino is unique over all kinds and changes when another object appears under the name. create: makes the
 * object as `mode`'s type asks (S_IFREG: whatever the kind makes on O_CREAT); -EEXIST when there is one. chattr: `set`
 * has IPC_SET_ bits; -ESTALE when the name means another object than ref->ino. rename: `flags` as renameat2(2).
 */
int ipc_resolve(struct ipc *, const struct ipc_cred *, const struct ipc_kind *, const char *name, struct ipc_ref *);
int ipc_resolve_name(struct ipc *, const struct ipc_cred *, const struct ipc_kind *, const char *name,
		     struct ipc_ref *);
/* A plain name as resolve takes it for one: with "@@" for each '@' where it would read as facets. */
void ipc_name_show(struct ipc *, const struct ipc_kind *, const char *base, char *text, size_t size);
int ipc_stat(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, struct stat *);
/* Whether ref, which perhaps somebody else has resolved, means the same to this caller. */
bool ipc_ref_suits(const struct ipc_cred *, const struct ipc_ref *);
/* Shared memory is to be a file that is served, as to callers from elsewhere. */
void ipc_ref_serve(struct ipc_ref *);
/* Whether its answers may be kept for other callers. */
bool ipc_ref_suits_all(const struct ipc *, const struct ipc_ref *);
/* Whether it is a facet whose open may wait for a client. */
bool ipc_ref_may_wait(const struct ipc_ref *);
int ipc_create(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, mode_t mode);
/*
 * ipc_stat() says -EINPROGRESS where the answer lies in the real file system, which the loop's thread must not ask.
 * Then the caller fills cred, ref and done in a look of his own and starts it: 0 or -errno. done() runs once, with what
 * ipc_stat() would have said, and may free the look. cancel: it runs soon, perhaps from within, and with any result;
 * needed for what has not ended before ipc_free().
 */
struct ipc_look {
	struct ipc_job job;
	struct ipc_list link; /* of those who wait for the same */
	struct ipc_timer timer;
	struct ipc *ipc;
	struct ipc_cred cred;
	struct ipc_ref ref;
	void (*done)(struct ipc_look *);
	int root; /* of the caller's paths; -1: ours */
	int result;
	struct stat st;
};
int ipc_look(struct ipc *, struct ipc_look *);
/*
 * Sockets get their address as an inode of the mount, made in a directory of its root that only we know. Its name; and
 * what is to be made there under that name: 0, with the channel's ref and attributes, or -ENOENT.
 */
const char *ipc_hidden_name(const struct ipc *);
int ipc_hidden_make(struct ipc *, const char *name, struct ipc_ref *, struct stat *);
/* Makes the ref for the address of a channel; false where there are none. follow: ref becomes the name that has the
 * same socket; false: there is none. */
bool ipc_ref_address(const struct ipc_ref *, struct ipc_ref *address);
bool ipc_ref_follow(struct ipc *, struct ipc_ref *);
/*
 * The mount that the addresses were made in has gone: so do those channels. Returns whether any have an address, or
 * will soon.
 */
bool ipc_has_addresses(const struct ipc *);
/* The device of the mount, st_dev, as far as it is known: NAME@ctl then finds what servers have bound there. */
void ipc_set_device(struct ipc *, dev_t);
void ipc_drop_addresses(struct ipc *);
void ipc_look_cancel(struct ipc_look *);
/*
 * Where ipc_create() would wait for a child that becomes the caller altogether (waits), a helper can do it: the caller
 * fills cred, ref, mode and done in a making of his own and starts it: 0 or -errno. done() runs once, with what
 * ipc_create() would have said, and may free it. It cannot be taken back.
 */
struct ipc_making {
	struct ipc_job job;
	struct ipc *ipc;
	struct ipc_cred cred;
	struct ipc_ref ref;
	mode_t mode;
	void (*done)(struct ipc_making *);
	int result;
	char why[512];
};
bool ipc_create_waits(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
int ipc_make(struct ipc *, struct ipc_making *);
int ipc_unlink(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
int ipc_rename(struct ipc *, const struct ipc_cred *, const struct ipc_ref *from, const struct ipc_ref *to,
	       unsigned flags);
/* Another name for the object, where names live here: -EPERM for all other kinds. */
int ipc_link(struct ipc *, const struct ipc_cred *, const struct ipc_ref *from, const struct ipc_ref *to);
/* Another name of the same object: its number as ipc_stat() has it, or 0 if there is none. */
ino_t ipc_ref_other(struct ipc *, const struct ipc_ref *, struct ipc_ref *other);
int ipc_readlink(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, char *buf, size_t size);
enum { IPC_SET_MODE = 1, IPC_SET_OWNER = 2, IPC_SET_TIMES = 4, IPC_SET_SIZE = 8 };
/* `st` carries the values; (uid_t)-1 and UTIME_OMIT leave as they are, as in fchown(2) and futimens(2). */
int ipc_chattr(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, struct ipc_handle *,
	       const struct stat *st, unsigned set);
/*
 * The names of a kind, a bounded number at a time, so that nobody waits for another's long list; each that is there all
 * the while exactly once. begin: dir is the directory whose names are wanted, "" the kind's own, NULL: whole names of
 * all; NULL when out of memory. step: calls emit for each, with st_mode's type in `type`; 1: there is more, 0: that was
 * all, -errno, IPC_ASKED, or -EINPROGRESS: helpers look for them, and ready() is called once they have. end: accepts
 * NULL, at any time but from within step().
 */
struct ipc_listing;
struct ipc_listing *ipc_listing_begin(struct ipc *, const struct ipc_cred *, const struct ipc_kind *, const char *dir,
				      void (*ready)(void *arg), void *arg);
int ipc_listing_step(struct ipc_listing *, void (*emit)(void *arg, const char *name, mode_t type), void *arg);
void ipc_listing_end(struct ipc_listing *);

/*
 * Any call on a name, an open, a poll and a read of NAME@ctl says IPC_ASKED where its answer has to be asked for
 * elsewhere, provided that ipc_ask_by() has said for whom. When all that he asked is known, answered() is called, and
 * he does again what he did, by the same ask; calls that have had their answer find it again. move: what was asked by
 * one is the other's. end: what it had is forgotten.
 */
enum { IPC_ASKED = -ERESTART };
#define IPC_POLL_ASKED 0x40000000u /* among ipc_poll_for()'s events */
struct ipc_ask {
	struct ipc_cred cred; /* of him */
	struct ipc_list questions;
	unsigned pending;
	int64_t patience; /* nanoseconds that an answer may take; 0: as long as it is usual there */
	void (*answered)(struct ipc_ask *);
};
void ipc_ask_init(struct ipc_ask *, const struct ipc_cred *, void (*answered)(struct ipc_ask *));
void ipc_ask_by(struct ipc *, struct ipc_ask *); /* NULL: for nobody */
void ipc_ask_move(struct ipc_ask *from, struct ipc_ask *to);
void ipc_ask_end(struct ipc_ask *);

/* The texts of MNT/README and MNT/errors (for that uid), written to out. */
void ipc_text_readme(struct ipc *, FILE *out);
void ipc_text_errors(struct ipc *, const struct ipc_cred *, FILE *out);

/* MNT/events and MNT/events@json, which are read as channels are: ipc_handle_new(). */
int ipc_events_open(struct ipc *, const struct ipc_cred *, bool json, int flags, struct ipc_handle **out);

enum ipc_status_form { IPC_STATUS_LINES, IPC_STATUS_JSON, IPC_STATUS_BRIEF, IPC_STATUS_METRICS, IPC_STATUS_DOT };

/*
 * MNT/status and its other forms, in steps of a bounded number of channels, so that nobody waits for another user's
 * long list. begin: NULL when out of memory. step: 1 when there is more to come, 0 at the end, or -errno where memory
 * or descriptors were too few to see all that there is; always the same out. memory: bytes that it has taken, what it
 * wrote not included. end: accepts NULL.
 */
struct ipc_status *ipc_status_begin(struct ipc *, const struct ipc_cred *, enum ipc_status_form);
int ipc_status_step(struct ipc_status *, FILE *out);
size_t ipc_status_memory(const struct ipc_status *);
void ipc_status_end(struct ipc_status *);
/*
 * Counts n more bytes as held for the user: 0, or -EDQUOT with a line for MNT/errors, or -ENOMEM. They are given back
 * by uncharge.
 */
int ipc_charge(struct ipc *, const struct ipc_cred *, size_t n, const char *path);
void ipc_uncharge(struct ipc *, uid_t, size_t n);

/* A stream into memory: text.c. open: NULL when out of memory. close: 0, and data to be freed; or -ENOMEM, and none. */
struct ipc_text {
	FILE *stream;
	char *data;
	size_t len, size;
};
FILE *ipc_text_open(struct ipc_text *);
int ipc_text_close(struct ipc_text *);

/* Remembers a refusal for MNT/errors; `path` as below the mount. Returns -err. */
int ipc_refuse(struct ipc *, const struct ipc_cred *, int err, const char *path, const char *why, ...)
	__attribute__((format(printf, 5, 6)));
/* The same where a facet is what is refused: names the help that explains it. */
int ipc_refuse_facet(struct ipc *, const struct ipc_cred *, int err, const struct ipc_ref *, const char *why, ...)
	__attribute__((format(printf, 5, 6)));

#include "ipc_handle.h"

#endif

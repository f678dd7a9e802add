/*
 * ESTALE, and who comes back after it. The kernel takes this answer to any call on a path (CREATE and OPEN, but
 * READLINK, GETATTR and SETATTR as well), walks the path once more with new LOOKUPs, and takes what it then finds. That
 * is used for four things:
 *
 * 1. A create that becomes a native open. `echo hi > MNT/pipe/p` makes the FIFO in a CREATE, which is then answered
 * ESTALE: the kernel finds a FIFO under the name, and opens that by itself. So with the link to an object of /dev/shm.
 * With O_EXCL it would find that the name exists; there the creator gets a handle that we serve.
 * 2. A node for each handle. A write holds its inode's lock, and a wait for that lock cannot be killed; so no two open
 * handles may share the inode of a channel that we serve. A node that is taken answers OPEN with ESTALE, and the LOOKUP
 * that comes next gets a free node, or a new one, for the same channel. Of many at the same name one at a time is sent
 * back so: crowd.h.
 * 3. A name that means another object by now. The kernel uses what it has cached; a call on an object that is gone, or
 * that means something else to this caller, is answered ESTALE, and the kernel looks again.
 * 4. NAME@fifo, which has two faces: an OPEN of the ordinary one makes a FIFO, and the LOOKUP that comes next finds
 * that (fifo.c, which remembers its callers by itself: what they come back to is the FIFO that was made for them).
 *
 * The kernel comes back once only: a second ESTALE reaches the program. So who has been refused is remembered by his
 * thread's number (pids.h), apart from names and nodes, which may all be gone before he is back, and his second try
 * must not fail for any of these reasons:
 * - The LOOKUP of a caller who is expected back gets a node of his own, that is not cached and that nobody else can
 * take (fs_is_retry(), fs_node_get()).
 * - His OPEN then takes whatever has the name, and makes it where he came to make it (fs_open_anew()).
 * - His CREATE that finds that another has made the name opens that (fs_create_exists()), and one that finds it gone
 * again tries again, FS_TRIES_MAX times. He is forgotten when he has been served, or has not come.
 */
#ifndef FS_RETRY_H
#define FS_RETRY_H

#include "ipc.h"
#include "pids.h"

struct fs;
struct fs_node;

/* A caller who was refused a node and is looking its name up again. */
struct fs_refused {
	struct fs_pid known; /* the thread */
	uint64_t serial;     /* the node's */
	unsigned missed;     /* lookups since that found no such name */
	uint64_t makes;	     /* the name that he was about to make, as a number (fs_refusal_making()); 0: none */
	mode_t mode;	     /* with that mode */
	uint64_t notice;     /* that he is to wait for; 0: none */
	bool held;	     /* a look-up of his was told to wait for it, so it was the first */
	bool phantom;	     /* it has left an entry that he looks up first */
	uint64_t turn;	     /* that ends when he has been served: crowd.h; 0: none */
};

struct fs_refusals {
	struct fs_pids pids;  /* of struct fs_refused */
	int64_t forgot_until; /* there was no memory for somebody, who may come so long; 0: no */
};

/* How often a caller without a further try is served again, where others make and remove the name meanwhile. */
enum { FS_TRIES_MAX = 16 };

void fs_refusals_start(struct fs_refusals *);
void fs_refusals_end(struct fs_refusals *);

/* The caller is told ESTALE; of: because he met the node with that serial; creator: he comes to make a name. */
void fs_expect_retry(struct fs *, pid_t pid);
void fs_expect_retry_of(struct fs *, uint64_t serial, pid_t pid, uint64_t turn);
void fs_expect_creator(struct fs *, pid_t pid, const struct ipc_ref *, mode_t mode, uint64_t notice);
/* His look-up is told to wait for the notice. */
void fs_refusal_held(struct fs *, pid_t pid);
/* He has waited for the notice of his FIFO. */
void fs_refusal_noticed(struct fs *, pid_t pid);
/* He has found what the kernel opens by itself, or follows. */
void fs_refusal_found(struct fs *, pid_t pid, bool link);
bool fs_is_retry(struct fs *, pid_t pid);
/* What is known of the caller, who is back; known.pid 0: nothing. done: he has been served. */
struct fs_refused fs_refusal(struct fs *, pid_t pid);
/* The same where he makes or opens that name: one who was about to make another has come for something new. */
struct fs_refused fs_refusal_making(struct fs *, pid_t pid, const struct ipc_ref *);
void fs_refusal_done(struct fs *, pid_t pid);
/* A lookup of his found no such name. */
void fs_refusal_missed(struct fs *, pid_t pid);

/* anew.c */
/* May the caller open what has that mode, where the kernel has not looked at it? */
bool fs_may_open(const struct ipc_cred *, const struct stat *, int flags);
/* The caller's last try on a node of his own whose object is gone: a handle for what has the name now. 0 or -errno. */
int fs_open_anew(struct fs *, const struct ipc_cred *, struct fs_node *, int flags, const struct fs_refused *before,
		 struct ipc_handle **out);
/*
 * The name that the caller comes to make exists: 0 if this is his last try and he may open that; -ESTALE if it is not.
 */
int fs_create_exists(struct fs *, const struct ipc_cred *, const struct ipc_ref *, int flags);

#endif

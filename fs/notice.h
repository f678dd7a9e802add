/*
 * What inotify(7) says of names. The kernel tells watchers of a directory what is made and removed by the calls that go
 * through it: mkfifo, bind, link, rename, unlink, and a CREATE that succeeds. It does not tell them
 * - of a CREATE that was answered ESTALE, so that the kernel opens the object by itself (retry.h): pipes, shared
 * memory;
 * - of what others make and remove beside the mount: mq_open(3), shm_open(3), sem_open(3);
 * and of `echo x > jobs@lines` it tells the name with its facets, where jobs is what is new.
 *
 * So a helper's thread makes the name through the mount, or removes it:
 * its LOOKUP finds what it needs for that, its MKNOD or UNLINK succeeds, and nothing comes of it but the kernel's word
 * to the watchers. The notices are given one after another, in the order in which things happened. Who makes a name by
 * open(2) waits for its notice, where he holds no lock of the directory: so the watchers hear that a name was made
 * before it can be removed again.
 */
#ifndef FS_NOTICE_H
#define FS_NOTICE_H

#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ipc.h"

struct fs;
struct fs_node;
struct fs_notice;

enum { FS_NATIVE_DIRS = IPC_KINDS_MAX };

/* A name that we change ourselves. */
struct fs_own {
	struct ipc_list link;
	const struct ipc_kind *kind;
	char name[2 * IPC_NAME_MAX + 1];
};

struct fs_notices {
	struct ipc_pool *pool; /* NULL: there are no notices */
	struct ipc_list queued;
	unsigned count;
	struct fs_notice *giving;
	atomic_int helper;    /* its thread */
	uint64_t last, given; /* the number of the last one that was queued, and that the kernel has got */
	struct ipc_list waiting;
	struct ipc_task wake; /* those whose notice cannot be given */
	/* notice_natives.c */
	struct ipc_watch watch; /* inotify's */
	struct ipc_list own;
	struct fs_own now[2]; /* for what is over at once */
	struct {
		const struct ipc_kind *kind;
		int wd;
	} dir[FS_NATIVE_DIRS];
	unsigned dirs;
};

/* Without memory or descriptors there are no notices. init: before all else. end: the device is closed. */
void fs_notices_init(struct fs *);
void fs_notices_start(struct fs *);
void fs_notices_stop(struct fs *); /* takes no more, and lets go who waits */
void fs_notices_end(struct fs *);

/*
 * The name, as its directory shows it, was made, or is gone. Returns the notice's number, or 0 where none can be given.
 */
uint64_t fs_notice(struct fs *, const struct ipc_kind *, const char *name, bool gone);
/* The same for a name that was made, without its facets. */
uint64_t fs_notice_made(struct fs *, const struct ipc_ref *);

/*
 * Whether that notice is still to be given. wait: then it takes the request, and again() gets it once more when there
 * is nothing to wait for; false where there is nothing to wait for now.
 */
bool fs_notice_is_due(const struct fs *, uint64_t number);
bool fs_notice_wait(fuse_req_t, uint64_t number, fuse_ino_t, const struct fuse_file_info *,
		    void (*again)(fuse_req_t, fuse_ino_t, struct fuse_file_info *));

/* Whether the request is the helper's; then it is answered. */
bool fs_notice_lookup(fuse_req_t, fuse_ino_t parent, const char *name);
bool fs_notice_mknod(fuse_req_t, fuse_ino_t parent, const char *name);
bool fs_notice_unlink(fuse_req_t, fuse_ino_t parent, const char *name);

/*
 * notice_natives.c: what others make and remove beside the mount, by an inotify of its own: lib/core/native.h says why
 * that one cannot serve here. start: behind fs_notices_start(), and end before fs_notices_stop(). own: what happened to
 * this name just now was done through the mount, and the kernel has told of it, or will. own_begin, own_end: the same
 * around what a helper does.
 */
void fs_natives_start(struct fs *);
void fs_natives_end(struct fs *);
void fs_natives_own(struct fs *, const struct ipc_ref *);
void fs_natives_own_both(struct fs *, const struct ipc_ref *, const struct ipc_ref *);
void fs_natives_own_begin(struct fs *, struct fs_own *, const struct ipc_ref *);
void fs_natives_own_end(struct fs *, struct fs_own *);

#endif

/* The FUSE front end: the only place that knows libfuse. It turns requests into libipc's calls, and back. */
#ifndef FS_H
#define FS_H

#include <fuse_lowlevel.h>

#include "append.h"
#include "crowd.h"
#include "deferred.h"
#include "kept.h"
#include "last_close.h"
#include "ipc.h"
#include "notice.h"
#include "steps.h"
#include "passthrough.h"
#include "replay.h"
#include "request.h"
#include "retry.h"
#include "service.h"
#include "shared_read.h"
#include "text.h"
#include "trim.h"
#include "turns.h"
#include "walker.h"

/* Seconds that the kernel may believe an answer about a channel, which other programs can remove or change. */
#define FS_TIMEOUT 1.0
/*
 * The same for what never changes: the directories, and the private FIFOs, of which the loop's thread must not be
 * asked.
 */
#define FS_TIMEOUT_FIXED 86400.0

/* Of <linux/fuse.h>, 7.38. */
enum { FS_FOPEN_PARALLEL_WRITES = 1 << 6 };

/* For cpu_latency_ns: any is good; as the machine asks for it. */
enum { FS_LATENCY_ANY = -1, FS_LATENCY_DEFAULT = -2 };

enum { FS_KINDS_MAX = IPC_KINDS_MAX };

struct fs_options {
	bool foreground, help, list, version;
	bool shared; /* allow_other */
	char *mountpoint;
	char *kinds;	   /* the first of them; NULL: all */
	unsigned kind_set; /* bits, by the order of ipc_kinds */
	const struct ipc_kind *kind[FS_KINDS_MAX + 1];
	char *prefix, *spin, *cpu_latency, *quota[IPC_QUOTA_COUNT];
	char *redis;	 /* redis=, several with spaces between; NULL: none */
	char **of_kinds; /* options that kinds declare, NULL behind the last: kind_options.c */
	size_t of_kinds_count;
	char *walkers_text;
	enum fs_walkers walkers;
	int64_t spin_ns;
	int64_t cpu_latency_ns; /* or FS_LATENCY_ */
	struct ipc_options ipc;
};

enum fs_node_type { FS_ROOT, FS_KIND, FS_TEXT, FS_HIDDEN, FS_PHANTOM, FS_CHAN, FS_FIFO };

/*
 * What a nodeid stands for; the nodeid is its address. A channel that is opened through us has one node for each handle
 * that is open at the same time: retry.h.
 */
struct fs_node {
	enum fs_node_type type;
	struct ipc_list link;	   /* of all nodes of channels */
	uint64_t serial;	   /* never used twice, unlike the address */
	uint64_t lookups;	   /* that the kernel will forget; FS_CHAN and FS_FIFO only */
	struct fs_kept_node kept;  /* FS_CHAN */
	struct fs_append *append;  /* what sets its end back; NULL: nothing does */
	struct fs_name *name;	   /* FS_CHAN: the name it was looked up under; NULL once that is gone */
	struct fs_node *next;	   /* of the same name */
	unsigned live;		   /* handles, and opens under way */
	struct ipc_handle *served; /* the handle; the kernel's own stat of an open file names none */
	int backing; /* the kernel's number for the file that stands behind its open files; 0: they are served by us */
	unsigned backed; /* how many those are */
	bool appended;	 /* writes with O_APPEND have moved the end that the kernel believes in; append.h */
	bool linked;	 /* found by its number: a FIFO or a socket with several names */
	bool private;	 /* given to one caller who is about to open it */
	bool again;	 /* a link to its own name, for who has made a FIFO and waits for the notice of it */
	ino_t ino;	 /* FS_KIND, FS_TEXT, FS_CHAN: st_ino */
	mode_t mode;	 /* FS_CHAN, FS_FIFO; S_IFDIR: others' names begin with this one */
	off_t believed;	 /* the size that the kernel believes in while stat(2) shows 0: size.c; 0: the same */
	uid_t uid;
	gid_t gid;
	struct timespec atim, mtim;  /* set after its name was gone; 0: not */
	const struct ipc_kind *kind; /* FS_KIND */
	unsigned text;		     /* FS_TEXT: index */
	off_t length;		     /* FS_TEXT: of one that never changes; 0: made anew for each open */
	struct ipc_ref ref;	     /* FS_CHAN */
};

enum { FS_AWAKE_CLIENTS = 8 };

/* What keeps processors awake while requests come: awake.c. */
struct fs_awake {
	int fd; /* -1: nothing does */
	struct ipc_loop *loop;
	struct ipc_timer timer;
	struct ipc_pool *pool; /* checks the power supply */
	struct ipc_job job;
	int64_t checked; /* when the last check began */
	bool checking, on_battery, found_battery;
	int32_t latency; /* microseconds */
	int64_t spin_ns; /* as usual */
	struct ipc_awake told;
	unsigned total;			/* requests since the timer's last turn */
	unsigned requests, clients;	/* of the present window */
	pid_t client[FS_AWAKE_CLIENTS]; /* their threads, as far as there is room */
	unsigned processors;
	unsigned enough; /* requests in a period: more than that are many */
	int64_t since;
};

struct fs {
	struct fs_options opt;
	struct ipc_loop *loop;
	struct ipc *ipc;
	struct fuse_session *se;
	struct fs_request request;
	struct fs_awake awake;
	struct fs_service service;
	struct fs_passthrough passthrough;
	struct ipc_watch device, signals, mounts;
	dev_t mount_number;    /* st_dev in it; 0: not known */
	char mount_device[32]; /* ours, as mountinfo has it; "": not known */
	bool place;	       /* where to mount is our own choice: place.c */
	int ready_fd;	       /* told once the mount answers; -1: told already */
	struct timespec started;
	struct fs_node *fixed; /* the root, the kinds' directories, and the texts */
	unsigned fixed_count;
	struct fs_node phantom; /* what a notice is about */
	struct ipc_list files, dirs, nodes;
	struct fs_kept kept;
	struct fs_trim trim;
	struct fs_listers listers;
	struct ipc_list deferred;
	struct fs_turns turns;
	struct fs_steps_all steps;
	struct fs_last_closes closers;
	struct fs_shared_reads shared_reads;
	struct fs_replays replay;
	struct fs_notices notices;
	struct fs_appends appends;
	struct ipc_pool *lockers; /* lock.c: NULL until somebody waits for a lock */
	struct ipc_list locking;  /* who does */
	struct fs_fifos *fifos;	  /* NULL until the first */
	void *names;		  /* tree of struct fs_name */
	void *linked;		  /* tree of the nodes that are */
	uint64_t serial;
	struct fs_refusals refusals;
	struct fs_crowds crowds;
};

struct fuse_in_header;

/* awake.c. start: -errno has been explained. count: a request of that thread came. */
int fs_awake_start(struct fs_awake *, struct ipc_loop *, const struct fs_options *);
void fs_awake_count(struct fs_awake *, const struct fuse_in_header *request);
void fs_awake_end(struct fs_awake *);

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* The node of a nodeid, and the nodeid of a node. */
static inline struct fs_node *fs_node(struct fs *fs, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? fs->fixed : (struct fs_node *)(uintptr_t)ino;
}

static inline fuse_ino_t fs_nodeid(const struct fs *fs, const struct fs_node *node)
{
	return node == fs->fixed ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node;
}

/* Whether the name asks for a FIFO of the opener's own: fifo.c. */
static inline bool fs_is_fifo(const struct ipc_ref *ref)
{
	return ref->facets.set & IPC_F_FIFO;
}

/* name.c. text: the name as it is written in the kind's directory. path: with its kind in front, below the mount. */
void fs_ref_text(struct fs *, const struct ipc_ref *, char *text, size_t size);
void fs_ref_path(struct fs *, const struct ipc_ref *, char *path, size_t size);

/*
 * node.c. get: the node to answer a LOOKUP with, counted, and whether the kernel may keep the answer. is_known: whether
 * there is a node of that very name.
 */
int fs_inode_init(struct fs *);
void fs_inode_fini(struct fs *);
struct fs_node *fs_node_child(struct fs *, const struct fs_node *parent, const char *name); /* fixed ones; or NULL */
struct fs_node *fs_node_get(struct fs *, const struct ipc_ref *, const struct stat *, pid_t pid, bool *cacheable);
bool fs_node_is_known(struct fs *, const struct ipc_ref *);
/* A node for the handle of an exclusive creator alone; counted. */
struct fs_node *fs_node_new_private(struct fs *, const struct ipc_ref *, const struct stat *);
void fs_node_forget(struct fs *, struct fs_node *, uint64_t lookups);
/* Takes the node for a handle; false: another one has it, and the caller must look the name up again: crowd.h. */
bool fs_node_claim(struct fs *, struct fs_node *, pid_t pid, int flags);
void fs_node_release(struct fs *, struct fs_node *);
void fs_name_gone(struct fs *, const struct ipc_ref *);
void fs_name_moved(struct fs *, const struct ipc_ref *from, const struct ipc_ref *to);
/* The name it was found by has gone, and the object has this one besides. */
void fs_node_rename(struct fs *, struct fs_node *, const struct ipc_ref *to);

/* linked.c. add: 0 or -ENOMEM. */
struct fs_node *fs_linked_find(struct fs *, ino_t);
int fs_linked_add(struct fs *, struct fs_node *);
void fs_linked_remove(struct fs *, struct fs_node *);

/*
 * A node that is no channel's, without a name: a private FIFO's. Has a lookup for each of the kernel's and one for its
 * maker.
 */
struct fs_node *fs_node_new_fifo(struct fs *, const struct stat *);

/*
 * fifo.c: NAME@fifo. open: answers an OPEN or a CREATE of one, sooner or later; the flags are open(2)'s. lookup: the
 * private FIFO that the caller is to find under this name, or NULL. lookup_helper: the same for our own threads, in the
 * root.
 */
bool fs_fifo_is_back(struct fs *, const struct ipc_cred *, const struct ipc_ref *);
void fs_fifo_open(fuse_req_t, const struct ipc_ref *, int flags, ino_t);
struct fs_node *fs_fifo_lookup(struct fs *, const struct ipc_cred *, const struct ipc_ref *);
struct fs_node *fs_fifo_lookup_helper(struct fs *, const struct ipc_cred *, const char *name);
void fs_fifo_reply_entry(fuse_req_t, struct fs_node *);
void fs_fifo_shut_down(struct fs *); /* answers who waits, and closes the pipes */
void fs_fifo_fini(struct fs *);	     /* after the unmount */

/*
 * stat.c. named: 0 where the node's name still means what it was looked up for; -ESTALE where it does not;
 * -EINPROGRESS where only a helper could tell, and it is taken to. is_open: whether somebody may have it open though
 * its name is gone.
 */
void fs_attr_fixed(const struct fs *, const struct fs_node *, struct stat *);
int fs_attr(struct fs *, fuse_req_t, struct fs_node *, struct ipc_handle *, struct stat *);
int fs_attr_named(struct fs *, const struct ipc_cred *, const struct fs_node *, struct stat *);
bool fs_attr_is_open(const struct fs_node *);

/* attr.c */
void fs_getattr(fuse_req_t, fuse_ino_t, struct fuse_file_info *);
void fs_setattr(fuse_req_t, fuse_ino_t, struct stat *, int to_set, struct fuse_file_info *);
void fs_readlink(fuse_req_t, fuse_ino_t);

/*
 * shmlink.c. depends: whether it depends on owner and caller at all what is a link. varies: whether others see a file
 * where this caller sees a link, so that the kernel must not keep it. is_unsafe: whether the caller would better see a
 * file than a link of that owner's. stands_for: whether what he opens is such a file, which he can do without the
 * kernel's serving it. explain: a line for MNT/errors, when it does not serve one that is opened with these flags.
 */
bool fs_shmlink_depends(void);
bool fs_shmlink_varies(const struct fs *, const struct ipc_ref *, const struct stat *);
bool fs_shmlink_is_unsafe(const struct ipc_cred *, const struct ipc_ref *, const struct stat *);
bool fs_shmlink_stands_for(const struct ipc_cred *, const struct ipc_ref *);
void fs_shmlink_explain(struct fs *, const struct ipc_cred *, const struct ipc_ref *, int flags);

/*
 * size.c. init: of a text that is made anew for each open. open: before a successful OPEN with those flags is answered.
 * create: the same for a CREATE. suits: whether the node may be opened so. keep: before a GETATTR is answered with
 * another size than the kernel is to believe in. is_cached: whether a READ comes from the page cache.
 */
void fs_size_init(struct fs_node *);
void fs_size_open(struct fs *, struct fs_node *, int flags);
void fs_size_create(struct fs_node *, int flags);
/* Of a node that is open for writing alone, some time after its open was answered. */
void fs_size_settle(struct fs *, struct fs_node *);
bool fs_size_suits(const struct fs_node *, int flags);
void fs_size_keep(struct fs *, const struct fs_node *);
bool fs_size_is_cached(const struct fuse_file_info *);

/* dir.c */
/*
 * Resolves a name in a directory. Where no channel can be the answer is -ENOENT, or -EPERM with a line for MNT/errors
 * if the name is to be made or changed.
 */
enum fs_intent { FS_LOOKS, FS_OPENS, FS_CHANGES };
int fs_dir_resolve(struct fs *, const struct ipc_cred *, fuse_ino_t parent, const char *name, enum fs_intent,
		   struct ipc_ref *);
/* keep: whether the kernel may. */
void fs_dir_reply_entry(fuse_req_t, const struct ipc_ref *, const struct stat *, bool keep);
void fs_lookup(fuse_req_t, fuse_ino_t parent, const char *name);
void fs_forget(fuse_req_t, fuse_ino_t, uint64_t lookups);
void fs_forget_multi(fuse_req_t, size_t count, struct fuse_forget_data *);
void fs_mknod(fuse_req_t, fuse_ino_t parent, const char *name, mode_t, dev_t);
void fs_mkdir(fuse_req_t, fuse_ino_t parent, const char *name, mode_t);
void fs_symlink(fuse_req_t, const char *link, fuse_ino_t parent, const char *name);
void fs_link(fuse_req_t, fuse_ino_t, fuse_ino_t parent, const char *name);
void fs_unlink(fuse_req_t, fuse_ino_t parent, const char *name);
void fs_rmdir(fuse_req_t, fuse_ino_t parent, const char *name);
void fs_rename(fuse_req_t, fuse_ino_t parent, const char *name, fuse_ino_t newparent, const char *newname,
	       unsigned flags);
void fs_opendir(fuse_req_t, fuse_ino_t, struct fuse_file_info *);
void fs_readdir(fuse_req_t, fuse_ino_t, size_t, off_t, struct fuse_file_info *);
void fs_releasedir(fuse_req_t, fuse_ino_t, struct fuse_file_info *);
void fs_dir_close_all(struct fs *); /* what no RELEASEDIR will close any more */

/* create.c, open.c. io.c: reading, writing, polling. close.c: close(2). */
void fs_create(fuse_req_t, fuse_ino_t parent, const char *name, mode_t, struct fuse_file_info *);
void fs_open(fuse_req_t, fuse_ino_t, struct fuse_file_info *);
void fs_read(fuse_req_t, fuse_ino_t, size_t, off_t, struct fuse_file_info *);
void fs_write(fuse_req_t, fuse_ino_t, const char *, size_t, off_t, struct fuse_file_info *);
void fs_flush(fuse_req_t, fuse_ino_t, struct fuse_file_info *);
void fs_release(fuse_req_t, fuse_ino_t, struct fuse_file_info *);
void fs_poll(fuse_req_t, fuse_ino_t, struct fuse_file_info *, struct fuse_pollhandle *);
void fs_file_close_all(struct fs *); /* what no RELEASE will close any more */

/*
 * caller.c. cred: who made the request. opens: whether that thread, which waits for our answer, is in open(2) or its
 * like; false where it cannot be told.
 */
struct ipc_cred fs_cred(fuse_req_t);
bool fs_caller_opens(pid_t thread);
bool fs_caller_is_in(pid_t thread, long syscall_number);

/* error.c: the only place where a negative errno becomes an answer. It may be 0. Returns 0, or -errno: nobody took it.
 */
int fs_reply_err(fuse_req_t, int negative_errno);

/* reply.c */
/* The answer to a SETATTR, and to a GETATTR: stat(2) shows what that says. */
void fs_reply_attr(fuse_req_t, const struct fs_node *, const struct stat *);
void fs_reply_stat(fuse_req_t, struct fs_node *, const struct stat *);
int fs_reply_entry(fuse_req_t, struct fs_node *, const struct stat *, bool cacheable);
/* Returns 0, or -errno when the caller has gone and the handle must be closed. open_flags: FOPEN_ of <linux/fuse.h>. */
int fs_reply_open(fuse_req_t, const struct fs_node *, uint64_t fh, uint32_t open_flags);
int fs_reply_create(fuse_req_t, struct fs_node *, const struct stat *, bool cacheable, uint64_t fh,
		    uint32_t open_flags);

/* lock.c: flock(2) and fcntl_locking(2). end: behind the unmount. */
void fs_flock(fuse_req_t, fuse_ino_t, struct fuse_file_info *, int op);
void fs_setlk(fuse_req_t, fuse_ino_t, struct fuse_file_info *, struct flock *, int sleep);
void fs_getlk(fuse_req_t, fuse_ino_t, struct fuse_file_info *, struct flock *);
void fs_lock_end(struct fs *);

/* session.c. Returns the process's exit status. */
int fs_session_run(struct fs *, struct fuse_args *);
/* place.c. Where to mount when nobody says so, and the directory for it; NULL: out of memory, or said why not. */
char *fs_place_default(void);
/* mount.c. Each prints one line and returns -1 when a mount cannot work. */
int fs_mount_check(struct fs *);
/*
 * mounted.c. start: the mount is there. watch: once a socket is bound in it, which keeps it alive when it is unmounted.
 * dir: for a helper's thread, a directory in the mount of that number, opened with O_PATH; or -1: should we be mounted
 * no more, nothing may happen to the directory that comes to light.
 */
void fs_mounted_start(struct fs *);
int fs_mounted_dir(const char *path, dev_t device);
void fs_mounted_watch(struct fs *);
void fs_mounted_end(struct fs *);
/* kinds.c. add: whether it is the name of a kind. take: the first one. */
bool fs_kinds_add(struct fs_options *, const char *name);
int fs_kinds_take(struct fs_options *);

/* usage.c: --help; and --options, a row of each mount option for programs: ipc_option_row(). */
void fs_usage_help(FILE *out);
void fs_usage_rows(FILE *out);
/* How long to poll for the next request before sleeping. Longer than a request and its caller's way to the next. */
#define FS_SPIN_DEFAULT "50us"

/* redis.c: one more place: redis= may be given several times; and what ipc_new() takes. 0, or -1 with a complaint. */
int fs_redis_add(struct fs_options *, const char *place);
int fs_redis_take(struct fs_options *);

/*
 * kind_options.c. know: whether a kind, of whichever engine, has that option ("NAME=VALUE"). add: keeps it. take:
 * checks them for the engine that the mount has, and hands them to ipc_new(). 0, or -1 with a complaint.
 */
bool fs_kind_options_know(const char *text);
int fs_kind_options_add(struct fs_options *, const char *text);
int fs_kind_options_take(struct fs_options *);
void fs_kind_options_free(struct fs_options *);
/* privilege.c. After the mount; from here on the daemon can only act as its callers, and unmount. */
void fs_drop_privileges(void);

extern const struct fuse_lowlevel_ops fs_ops;

#endif

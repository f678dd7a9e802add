/*
 * NAME@fifo: the channel as a FIFO of the opener's own, which a pump of the library feeds or empties.
 *
 * The name is looked up as a regular file, so that its open comes to us. We make a FIFO inode that has no name; a helper opens it
 * through the mount, by a name that is told to nobody else, and keeps the one end that is ours. Then OPEN is answered ESTALE:
 * the kernel walks the path again, in the same thread, finds the FIFO this time, and opens it by itself. Our end is there
 * already, so the client neither waits nor sees an end. inotify(7) tells that he has come: no poll event does.
 */
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs.h"
#include "interrupt.h"

/* How many helpers open FIFOs at once; each is through as soon as the loop has answered it. */
enum { HELPERS_MAX = 8 };
/* How often is looked whether a thread that should open its FIFO is still there, and for how long it is waited for. */
#define CHECK_NS INT64_C(1000000000)
#define WAIT_NS INT64_C(30000000000)
/* What the helpers' names begin with, in the mount's root. */
static const char helper_prefix[] = ".fifo-";

struct fs_fifos {
	struct fs *fs;
	struct ipc_pool *pool;
	struct ipc_watch watch; /* inotify's */
	struct ipc_list parked, waiting, working, ready;
	void *by_pid; /* of those whose openers are to come back */
	void *by_wd;
};

/* Is in one of the lists: its channel is being opened, it waits for a helper, a helper has it, it is ready for its client. */
struct fs_fifo {
	struct ipc_list link;
	struct fs *fs;
	struct ipc_ref ref;
	struct ipc_cred cred;
	int flags;
	fuse_req_t req; /* NULL: it has its answer */
	bool dead;
	struct fs_interrupt interrupt; /* while the channel is being opened */
	struct ipc_op op;	       /* IPC_OPEN */
	struct ipc_handle *handle;
	struct ipc_pump *pump; /* has the handle and fd, once there is one */
	struct fs_node *node;
	struct ipc_job job;
	atomic_int helper; /* its thread */
	int fd, wd;	   /* of the helper: our end; -errno */
	struct ipc_timer timer;
	int64_t until;
	bool expected, looked_up;
	struct ipc_garbage garbage;
	char path[]; /* for the helper */
};

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct fs_fifo *)a)->cred.pid, y = ((const struct fs_fifo *)b)->cred.pid;

	return (x > y) - (x < y);
}

static int by_wd(const void *a, const void *b)
{
	int x = ((const struct fs_fifo *)a)->wd, y = ((const struct fs_fifo *)b)->wd;

	return (x > y) - (x < y);
}

static struct fs_fifo *fifo_find(struct fs *fs, pid_t pid)
{
	struct fs_fifo key = {.cred.pid = pid};
	struct fs_fifo **found = fs->fifos ? tfind(&key, &fs->fifos->by_pid, by_pid) : NULL;

	return found ? *found : NULL;
}

static bool fifos_read_events(struct fs_fifos *fifos);

/* The one that this thread is to open. If it has been seen, it may be open by now, and inotify only not heard yet. */
static struct fs_fifo *fifo_of_pid(struct fs *fs, pid_t pid)
{
	struct fs_fifo *f = fifo_find(fs, pid);

	if (!f || !f->looked_up)
		return f;
	while (fifos_read_events(fs->fifos))
		;
	return fifo_find(fs, pid);
}

static void fifo_expect_no_more(struct fs_fifo *f)
{
	if (f->expected)
		tdelete(f, &f->fs->fifos->by_pid, by_pid);
	f->expected = false;
	ipc_timer_stop(f->fs->loop, &f->timer);
}

static void fifo_free(struct fs_fifo *f)
{
	struct fs_fifos *fifos = f->fs->fifos;

	fifo_expect_no_more(f);
	if (f->wd >= 0) {
		tdelete(f, &fifos->by_wd, by_wd);
		inotify_rm_watch(fifos->watch.fd, f->wd);
	}
	if (f->pump)
		ipc_pump_free(f->pump);
	else if (f->handle)
		ipc_close(f->handle);
	if (!f->pump && f->fd >= 0)
		close(f->fd);
	if (f->node)
		fs_node_forget(f->fs, f->node, 1);
	ipc_list_remove(&f->link);
	ipc_loop_free_later(f->fs->loop, &f->garbage, f);
}

/* Before anybody was told of it. */
static void fifo_fail(struct fs_fifo *f, int err)
{
	fuse_req_t req = f->req;

	f->req = NULL;
	fifo_free(f);
	if (req)
		fs_reply_err(req, err);
}

static void fifo_pump_ended(void *arg)
{
	fifo_free(arg);
}

/* Whether the opener still comes: he may have been killed on his way. */
static void fifo_check(struct ipc_timer *timer)
{
	struct fs_fifo *f = ipc_container(timer, struct fs_fifo, timer);
	bool lives = kill(f->cred.pid, 0) == 0 || errno != ESRCH;

	if (!lives || ipc_now() > f->until ||
	    ipc_timer_start(f->fs->loop, &f->timer, ipc_now() + CHECK_NS, fifo_check) < 0)
		fifo_free(f);
}

/* --- the helper --- */

/* Another way to the file that fd is. */
static int fifo_reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_CLOEXEC);
}

static int fifo_watch(struct fs_fifo *f)
{
	char path[32];
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	wd = inotify_add_watch(f->fs->fifos->watch.fd, path, IN_OPEN | IN_CLOSE);
	return wd < 0 ? -errno : wd;
}

static void fifo_work(struct ipc_job *job)
{
	struct fs_fifo *f = ipc_container(job, struct fs_fifo, job);
	int both;

	atomic_store(&f->helper, (int)syscall(SYS_gettid));
	do
		both = open(f->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	while (both < 0 && errno == EINTR && !job->cancelled);
	if (both < 0) {
		f->fd = -errno;
		return;
	}
	f->fd = fifo_reopen(both, (f->flags & O_ACCMODE) == O_RDONLY ? O_WRONLY : O_RDONLY);
	if (f->fd < 0)
		f->fd = -errno;
	close(both);
	/* From here on, what inotify tells is the client's doing. */
	if (f->fd >= 0)
		f->wd = fifo_watch(f);
}

static void fifo_work_done(struct ipc_job *job);

static void fifo_start_waiting(struct fs_fifos *fifos)
{
	while (!ipc_list_empty(&fifos->waiting)) {
		struct fs_fifo *f = ipc_container(fifos->waiting.next, struct fs_fifo, link);
		int r = ipc_pool_submit(fifos->pool, &f->job, fifo_work, fifo_work_done);

		/* As soon as another is through. */
		if (ipc_pool_is_busy(r) && !ipc_list_empty(&fifos->working))
			return;
		if (r < 0) {
			fifo_fail(f, r);
			continue;
		}
		ipc_list_remove(&f->link);
		ipc_list_append(&fifos->working, &f->link);
	}
}

static int fifo_explain(struct fs_fifo *f, int err, const char *what)
{
	return ipc_refuse(f->fs->ipc, &f->cred, -err, ipc_kind_name(f->ref.kind), "%s@fifo: no FIFO could be %s (%s)%s",
			  f->ref.base, what, strerror(-err),
			  err == -ENOSPC ? ": sysctl fs.inotify.max_user_watches is too low" : "");
}

/* Everything is there: the opener may look again. */
static int fifo_offer(struct fs_fifo *f)
{
	struct fs_fifos *fifos = f->fs->fifos;

	if (f->fd < 0)
		return fifo_explain(f, f->fd, "opened through the mount");
	if (f->wd < 0)
		return fifo_explain(f, f->wd, "watched");
	if (!tsearch(f, &fifos->by_wd, by_wd)) {
		inotify_rm_watch(fifos->watch.fd, f->wd);
		f->wd = -ENOMEM;
		return -ENOMEM;
	}
	f->pump = ipc_pump_new(f->handle, f->fd, fifo_pump_ended, f);
	if (!f->pump || !tsearch(f, &fifos->by_pid, by_pid))
		return -ENOMEM;
	f->expected = true;
	f->until = ipc_now() + WAIT_NS;
	return ipc_timer_start(f->fs->loop, &f->timer, ipc_now() + CHECK_NS, fifo_check);
}

static void fifo_work_done(struct ipc_job *job)
{
	struct fs_fifo *f = ipc_container(job, struct fs_fifo, job);
	struct fs_fifos *fifos = f->fs->fifos;
	fuse_req_t req = f->req;
	struct fs_fifo *before;
	int r;

	ipc_list_remove(&f->link);
	ipc_list_append(&fifos->ready, &f->link);
	if (f->dead) {
		/* by_wd does not know it. */
		f->wd = -1;
		fifo_free(f);
		return;
	}
	/* A thread opens one file at a time. */
	before = fifo_of_pid(f->fs, f->cred.pid);
	if (before)
		fifo_free(before);
	r = fifo_offer(f);
	if (r < 0)
		fifo_fail(f, r);
	else {
		f->req = NULL;
		if (fs_reply_err(req, -ESTALE) < 0)
			fifo_free(f);
	}
	fifo_start_waiting(fifos);
}

/* --- opening --- */

static int fifo_make_node(struct fs_fifo *f)
{
	static const ino_t kind = (ino_t)0x7f << 56; /* no kind of channels has so high a number */
	struct stat st = {
		.st_mode = S_IFIFO | S_IRUSR | S_IWUSR,
		.st_ino = kind | ++f->fs->serial,
		.st_uid = geteuid(),
		.st_gid = getegid(),
	};

	f->node = fs_node_new_fifo(f->fs, &st);
	if (!f->node)
		return -ENOMEM;
	sprintf(f->path, "%s/%s%llu", f->fs->opt.mountpoint, helper_prefix, (unsigned long long)f->node->serial);
	return 0;
}

/* The channel is open. */
static void fifo_prepare(struct fs_fifo *f)
{
	int r = fifo_make_node(f);

	ipc_list_remove(&f->link);
	ipc_list_append(&f->fs->fifos->waiting, &f->link);
	if (r < 0)
		fifo_fail(f, r);
	else
		fifo_start_waiting(f->fs->fifos);
}

static int fifo_op_complete(struct ipc_op *op, ssize_t result)
{
	struct fs_fifo *f = ipc_container(op, struct fs_fifo, op);

	if (result < 0)
		fifo_fail(f, (int)result);
	else
		fifo_prepare(f);
	return 0;
}

static void fifo_interrupt(struct fs_interrupt *interrupt)
{
	ipc_interrupt(&ipc_container(interrupt, struct fs_fifo, interrupt)->op);
}

static void fifo_park(struct fs_fifo *f)
{
	ipc_park(&f->op);
	/* It may be over, and f freed at the end of the loop's turn. */
	if (!f->op.waitq)
		return;
	if (!fs_interrupt_watch(&f->interrupt, f->req, fifo_interrupt))
		ipc_interrupt(&f->op);
}

static void fifo_open_channel(struct fs_fifo *f, ino_t ino)
{
	struct ipc *ipc = f->fs->ipc;
	struct stat st = {.st_ino = ino};
	int r = -ESTALE;

	/* The kernel's one second look is needed for the FIFO: what changes meanwhile is for us to look at again. */
	for (int i = 0; r == -ESTALE && i < 16; i++) {
		r = ipc_handle_new(ipc, &f->cred, &f->ref, f->flags & ~(O_CREAT | O_EXCL | O_TRUNC), st.st_ino,
				   &f->handle);
		if (r == -ESTALE && (ipc_stat(ipc, &f->cred, &f->ref, &st) < 0 || !S_ISREG(st.st_mode)))
			break;
	}
	if (r < 0) {
		fifo_fail(f, r);
		return;
	}
	f->op = (struct ipc_op){
		.type = IPC_OPEN,
		.nonblock = f->flags & O_NONBLOCK,
		.cred = f->cred,
		.handle = f->handle,
		.complete = fifo_op_complete,
	};
	ipc_list_init(&f->op.link);
	r = (int)ipc_submit(&f->op);
	if (r == IPC_WOULD_PARK)
		fifo_park(f);
	else
		fifo_op_complete(&f->op, r);
}

static void fifos_events(struct ipc_watch *watch, uint32_t events);

static int fifos_start(struct fs *fs)
{
	struct fs_fifos *fifos = calloc(1, sizeof(*fifos));
	int fd = fifos ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;
	int err = fifos ? errno : ENOMEM;

	if (fd < 0)
		goto fail;
	fifos->fs = fs;
	ipc_list_init(&fifos->parked);
	ipc_list_init(&fifos->waiting);
	ipc_list_init(&fifos->working);
	ipc_list_init(&fifos->ready);
	fifos->pool = ipc_pool_new(fs->loop, HELPERS_MAX);
	err = fifos->pool ? -ipc_watch_add(fs->loop, &fifos->watch, fd, EPOLLIN, fifos_events) : errno;
	if (err)
		goto fail;
	fs->fifos = fifos;
	return 0;
fail:
	if (fifos)
		ipc_pool_free(fifos->pool);
	if (fd >= 0)
		close(fd);
	free(fifos);
	return -err;
}

static int fifo_refuse(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, int err, const char *why)
{
	char path[2 * IPC_NAME_MAX + 16];
	size_t len = (size_t)snprintf(path, sizeof(path), "%s/", ipc_kind_name(ref->kind));

	fs_ref_text(fs, ref, path + len, sizeof(path) - len);
	return ipc_refuse(fs->ipc, cred, err, path, "%s", why);
}

static int fifo_check_open(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, int flags)
{
	int r;

	if ((flags & O_ACCMODE) != O_RDONLY && (flags & O_ACCMODE) != O_WRONLY)
		return ipc_refuse_facet(fs->ipc, cred, EINVAL, ref,
					"a FIFO has one direction: open it for reading or for writing, not for both");
	if (cred->pid <= 0)
		return fifo_refuse(fs, cred, ref, EOPNOTSUPP,
				   "your process is not visible to ipcfs, so it cannot be given a FIFO of its own; "
				   "use the name without fifo");
	r = fs->fifos ? 0 : fifos_start(fs);
	if (r == -EMFILE)
		return fifo_refuse(fs, cred, ref, EMFILE,
				   "no descriptor for inotify: sysctl fs.inotify.max_user_instances is too low");
	return r;
}

bool fs_is_fifo(const struct ipc_ref *ref)
{
	return ref->facets.set & IPC_F_FIFO;
}

void fs_fifo_open(fuse_req_t req, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	int r = fifo_check_open(fs, &cred, ref, flags);
	struct fs_fifo *f;

	if (r < 0) {
		fs_reply_err(req, r);
		return;
	}
	f = calloc(1, sizeof(*f) + strlen(fs->opt.mountpoint) + sizeof(helper_prefix) + 24);
	if (!f) {
		fs_reply_err(req, -ENOMEM);
		return;
	}
	f->fs = fs;
	f->ref = *ref;
	f->cred = cred;
	f->flags = flags;
	f->req = req;
	f->fd = f->wd = -1;
	ipc_list_append(&fs->fifos->parked, &f->link);
	fifo_open_channel(f, ino);
}

/* --- being looked up --- */

static bool ref_is(struct fs *fs, const struct ipc_ref *a, const struct ipc_ref *b)
{
	char x[2 * IPC_NAME_MAX], y[2 * IPC_NAME_MAX];

	if (a->kind != b->kind)
		return false;
	fs_ref_text(fs, a, x, sizeof(x));
	fs_ref_text(fs, b, y, sizeof(y));
	return strcmp(x, y) == 0;
}

bool fs_fifo_is_back(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct fs_fifo *f = fifo_of_pid(fs, cred->pid);

	/* Back without a look: it came by /proc/self/fd, where there is no name. The ordinary face is better than an error. */
	if (!f || f->looked_up || !ref_is(fs, &f->ref, ref))
		return false;
	fifo_free(f);
	return true;
}

struct fs_node *fs_fifo_lookup(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct fs_fifo *f = fs_is_fifo(ref) ? fifo_of_pid(fs, cred->pid) : NULL;

	if (!f || !ref_is(fs, &f->ref, ref))
		return NULL;
	/* The opener has gone, and his number is another's now. */
	if (f->cred.uid != cred->uid) {
		fifo_free(f);
		return NULL;
	}
	f->looked_up = true;
	f->node->uid = cred->uid;
	f->node->gid = cred->gid;
	return f->node;
}

struct fs_node *fs_fifo_lookup_helper(struct fs *fs, const struct ipc_cred *cred, const char *name)
{
	struct ipc_list *pos, *next;

	if (!fs->fifos || strncmp(name, helper_prefix, strlen(helper_prefix)) != 0)
		return NULL;
	ipc_list_each(pos, next, &fs->fifos->working) {
		struct fs_fifo *f = ipc_container(pos, struct fs_fifo, link);

		if (atomic_load(&f->helper) == cred->pid && strcmp(strrchr(f->path, '/') + 1, name) == 0)
			return f->node;
	}
	return NULL;
}

void fs_fifo_reply_entry(fuse_req_t req, struct fs_node *node)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = {
		.ino = fs_nodeid(fs, node),
		.attr_timeout = FS_TIMEOUT_FIXED,
	};

	fs_attr(fs, req, node, NULL, &entry.attr);
	node->lookups++;
	if (fuse_reply_entry(req, &entry) < 0)
		fs_node_forget(fs, node, 1);
}

/* --- the client comes and goes --- */

static void fifos_event(struct fs_fifos *fifos, const struct inotify_event *e)
{
	struct fs_fifo key = {.wd = e->wd};
	struct fs_fifo **found = tfind(&key, &fifos->by_wd, by_wd);
	struct fs_fifo *f = found ? *found : NULL;

	if (!f || !f->pump)
		return;
	if (e->mask & IN_OPEN) {
		fifo_expect_no_more(f);
		ipc_pump_start(f->pump);
	}
	if (e->mask & IN_CLOSE)
		ipc_pump_look(f->pump);
}

/* Events were lost: whatever can have happened is looked for. */
static void fifos_overflow(struct fs_fifos *fifos)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fifos->ready) {
		struct fs_fifo *f = ipc_container(pos, struct fs_fifo, link);

		if (f->looked_up && f->pump) {
			fifo_expect_no_more(f);
			ipc_pump_start(f->pump);
		}
		if (f->pump)
			ipc_pump_look(f->pump);
	}
}

static bool fifos_read_events(struct fs_fifos *fifos)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(fifos->watch.fd, buf, sizeof(buf));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const struct inotify_event *)(buf + at);

		at += (ssize_t)(sizeof(*e) + e->len);
		if (e->mask & IN_Q_OVERFLOW)
			fifos_overflow(fifos);
		else
			fifos_event(fifos, e);
	}
	return n > 0;
}

static void fifos_events(struct ipc_watch *watch, uint32_t events)
{
	(void)events;
	fifos_read_events(ipc_container(watch, struct fs_fifos, watch));
}

/* --- the end --- */

static void fifos_end(struct ipc_list *list)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, list)
		fifo_fail(ipc_container(pos, struct fs_fifo, link), -ENOTCONN);
}

void fs_fifo_shut_down(struct fs *fs)
{
	struct ipc_list *pos, *next;

	if (!fs->fifos)
		return;
	fifos_end(&fs->fifos->parked);
	fifos_end(&fs->fifos->waiting);
	fifos_end(&fs->fifos->ready);
	/* Those are their helpers' until they have done, or the mount has gone. */
	ipc_list_each(pos, next, &fs->fifos->working) {
		struct fs_fifo *f = ipc_container(pos, struct fs_fifo, link);

		f->dead = true;
		if (f->req)
			fs_reply_err(f->req, -ENOTCONN);
		f->req = NULL;
		if (f->handle)
			ipc_close(f->handle);
		f->handle = NULL;
	}
}

void fs_fifo_fini(struct fs *fs)
{
	struct fs_fifos *fifos = fs->fifos;
	int fd;

	if (!fifos)
		return;
	ipc_pool_free(fifos->pool);
	fd = fifos->watch.fd;
	ipc_watch_remove(&fifos->watch);
	close(fd);
	free(fifos);
	fs->fifos = NULL;
}

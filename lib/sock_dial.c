/*
 * Connecting to sockets that others made. Finding a path can block, and if it leads into our own mount it needs the loop's
 * thread, so a helper does it. Who asks is who connects: a daemon that is root takes the caller's identity for the call, so
 * that the permissions and what the server learns of its peer are the caller's; one that is not root cannot, and lends its
 * own identity to nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sock.h"

/* A full backlog gives no event: it is tried again after such times. */
#define DELAY_FIRST INT64_C(1000000)
#define DELAY_LAST INT64_C(128000000)

enum { GROUPS_MAX = 65536, STATUS_MAX = 16384 };

/* Owned by its handle, or by itself when the handle is closed while a helper has it. */
struct sock_dial {
	struct ipc_job job;
	struct ipc_timer timer;
	struct ipc *ipc;
	struct sock_handle *s; /* NULL: closed */
	struct ipc_cred cred;
	bool answers;
	int64_t delay;
	int type; /* to be tried; 0: any. Behind a success: what it was */
	int fd;	  /* the connection, or -errno */
	char target[];
};

int sock_make(int type, bool answers)
{
	const struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const int size = IPC_MESSAGE_MAX;
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* A packet must fit into it; as much of that as we may. */
	if (type != SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (answers && type == SOCK_DGRAM && bind(fd, (const struct sockaddr *)&sa, sizeof(sa.sun_family)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* In the helper's thread */

/* The supplementary groups of a process, which FUSE does not tell; none where they are not to be learnt. */
static size_t groups_of(pid_t pid, gid_t *groups, size_t max)
{
	char path[32], *text = malloc(STATUS_MAX), *at, *end;
	size_t n = 0;
	ssize_t len = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = text && pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		len = read(fd, text, STATUS_MAX - 1);
		close(fd);
	}
	if (len > 0) {
		text[len] = '\0';
		at = strstr(text, "\nGroups:");
		at = at ? at + strlen("\nGroups:") : text + len;
		while (n < max && *at != '\n') {
			unsigned long id = strtoul(at, &end, 10);

			if (end == at || *end == '\0') /* no number, or one that may be cut off */
				break;
			groups[n++] = (gid_t)id;
			at = end + strspn(end, " \t");
		}
	}
	free(text);
	return n;
}

struct identity {
	bool taken;
	int ngroups;
	gid_t gid;
	uid_t uid;
	gid_t *groups;
};

/* The bare system calls change this thread alone; glibc's functions would change them all. */
static int identity_set(uid_t uid, gid_t gid, size_t n, const gid_t *groups)
{
	if (syscall(SYS_setgroups, n, groups) < 0 || syscall(SYS_setresgid, -1, gid, -1) < 0 ||
	    syscall(SYS_setresuid, -1, uid, -1) < 0)
		return -errno;
	return 0;
}

static void identity_restore(struct identity *own)
{
	/* The user first: only root may do the rest. A thread that stays somebody else must serve nobody. */
	if (own->taken && (syscall(SYS_setresuid, -1, own->uid, -1) < 0 ||
			   identity_set(own->uid, own->gid, (size_t)own->ngroups, own->groups) < 0))
		abort();
	free(own->groups);
}

static int identity_take(struct identity *own, const struct ipc_cred *cred)
{
	gid_t *theirs;
	int r;

	*own = (struct identity){.uid = geteuid(), .gid = getegid()};
	if (own->uid != 0 || cred->uid == 0)
		return 0;
	theirs = calloc(GROUPS_MAX, sizeof(*theirs));
	own->groups = calloc(GROUPS_MAX, sizeof(*own->groups));
	own->ngroups = own->groups ? getgroups(GROUPS_MAX, own->groups) : -1;
	if (theirs && own->ngroups >= 0) {
		own->taken = true;
		r = identity_set(cred->uid, cred->gid, groups_of(cred->pid, theirs, GROUPS_MAX), theirs);
	} else {
		r = -ENOMEM;
	}
	free(theirs);
	return r;
}

/* A path of any length becomes an address by way of a descriptor. Returns it, -1 for an abstract name, or -errno. */
static int dial_address(const struct sock_dial *d, struct sockaddr_un *sa, socklen_t *len)
{
	size_t n = strlen(d->target);
	int fd;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	*len = sizeof(*sa);
	if (d->target[0] == '@') {
		if (n > sizeof(sa->sun_path))
			return -ENAMETOOLONG;
		memcpy(sa->sun_path + 1, d->target + 1, n - 1);
		*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		return -1;
	}
	do
		fd = open(d->target, O_PATH | O_CLOEXEC);
	while (fd < 0 && errno == EINTR && !atomic_load(&d->job.cancelled));
	if (fd < 0)
		return errno == EPERM ? -EACCES : -errno; /* -EPERM is -1 */
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d", fd);
	return fd;
}

static int dial_try(const struct sock_dial *d, int type, const struct sockaddr_un *sa, socklen_t len)
{
	int fd = sock_make(type, d->answers);
	int r = 0;

	if (fd < 0)
		return fd;
	while (connect(fd, (const struct sockaddr *)sa, len) < 0) {
		r = -errno;
		if (r != -EINTR || atomic_load(&d->job.cancelled))
			break;
		r = 0;
	}
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* An abstract name of another type is not found at all. */
static bool dial_wrong_type(const struct sock_dial *d, int r)
{
	return r == -EPROTOTYPE || (r == -ECONNREFUSED && d->target[0] == '@');
}

static void dial_connect(struct sock_dial *d)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	struct sockaddr_un sa;
	socklen_t len;
	int at = dial_address(d, &sa, &len);

	d->fd = at < -1 ? at : -EPROTOTYPE;
	for (unsigned i = 0; i < 3 && at >= -1; i++) {
		if (d->type && d->type != types[i])
			continue;
		d->fd = dial_try(d, types[i], &sa, len);
		if (d->fd >= 0)
			d->type = types[i];
		if (d->fd >= 0 || !dial_wrong_type(d, d->fd))
			break;
	}
	if (at >= 0)
		close(at);
}

static void dial_work(struct ipc_job *job)
{
	struct sock_dial *d = ipc_container(job, struct sock_dial, job);
	struct identity own;
	int r = identity_take(&own, &d->cred);

	if (r == 0)
		dial_connect(d);
	else
		d->fd = r;
	identity_restore(&own);
}

/* In the loop's thread */

static int dial_submit(struct sock_dial *d);
static void dial_finish(struct sock_dial *d);

static void dial_again(struct ipc_timer *timer)
{
	struct sock_dial *d = ipc_container(timer, struct sock_dial, timer);
	int r = dial_submit(d);

	if (r < 0) {
		d->fd = r;
		dial_finish(d);
	}
}

static int dial_retry(struct sock_dial *d)
{
	int64_t delay = d->delay;

	if (d->delay < DELAY_LAST)
		d->delay *= 2;
	return ipc_timer_start(d->ipc->loop, &d->timer, ipc_now() + delay, dial_again);
}

static void dial_finish(struct sock_dial *d)
{
	struct sock_handle *s = d->s;

	s->dial = NULL;
	if (d->fd >= 0) {
		sock_attach(s, d->fd, d->type);
	} else {
		s->error = ipc_refuse(d->ipc, &d->cred, -d->fd, ipc_handle_path(&s->h), "connect to %s: %s", d->target,
				      strerror(-d->fd));
		ipc_waitq_wake(&s->own);
	}
	free(d);
}

static void dial_done(struct ipc_job *job)
{
	struct sock_dial *d = ipc_container(job, struct sock_dial, job);

	if (!d->s) {
		if (d->fd >= 0)
			close(d->fd);
		free(d);
	} else if (d->fd != -EAGAIN || (d->fd = dial_retry(d)) < 0) {
		dial_finish(d);
	}
}

/* All helpers busy is no different from a full backlog. */
static int dial_submit(struct sock_dial *d)
{
	int r;

	d->fd = -EINTR;
	r = ipc_pool_submit(d->ipc->pool, &d->job, dial_work, dial_done);
	return r == -EAGAIN ? dial_retry(d) : r;
}

static int dial_check(const struct sock_handle *s, const char *target)
{
	const struct ipc_cred *cred = &s->h.cred;

	if (!target)
		return ipc_refuse(s->h.ipc, cred, EOPNOTSUPP, ipc_handle_path(&s->h),
				  "a server's socket is reached by the mount");
	if (geteuid() != 0 && cred->uid != geteuid() && cred->uid != 0)
		return ipc_refuse(s->h.ipc, cred, EACCES, ipc_handle_path(&s->h),
				  "%s would take uid %u for uid %u, whose mount this is; connect to it yourself",
				  target, (unsigned)cred->uid, (unsigned)geteuid());
	return 0;
}

int sock_dial_start(struct sock_handle *s)
{
	const struct sock_chan *c = sock_chan(s->h.chan);
	const char *mount = s->h.ipc->opt.mountpoint;
	char *target = NULL;
	struct sock_dial *d;
	int r;

	if (!c->chan.listed)
		return -ENOENT;
	if (c->target)
		target = strdup(c->target);
	else if (mount && asprintf(&target, "%s/%s/%s", mount, ipc_sock.name, c->chan.name) < 0)
		target = NULL;
	if (!target && (c->target || mount))
		return -ENOMEM;
	r = dial_check(s, target);
	d = r == 0 ? calloc(1, sizeof(*d) + strlen(target) + 1) : NULL;
	if (d) {
		d->ipc = s->h.ipc;
		d->s = s;
		d->cred = s->h.cred;
		d->answers = s->h.readable;
		d->delay = DELAY_FIRST;
		d->type = s->type;
		memcpy(d->target, target, strlen(target) + 1);
		r = dial_submit(d);
	} else if (r == 0) {
		r = -ENOMEM;
	}
	free(target);
	if (r < 0)
		free(d);
	else
		s->dial = d;
	return r;
}

void sock_dial_cancel(struct sock_handle *s)
{
	struct sock_dial *d = s->dial;

	s->dial = NULL;
	if (!d)
		return;
	d->s = NULL;
	if (d->timer.slot) {
		ipc_timer_stop(d->ipc->loop, &d->timer);
		free(d);
	} else {
		ipc_job_cancel(d->ipc->pool, &d->job);
	}
}

/*
 * Connecting to sockets that others made. Finding a path can block, and if it leads into our own mount it needs the
 * loop's thread, so a helper does it. Who asks is who connects: a daemon that is root takes the caller's identity for
 * the call, so that the permissions and what the server learns of its peer are the caller's; one that is not root
 * cannot, and lends its own identity to nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/sys.h"
#include "core/abroad.h"
#include "core/cred.h"
#include "sock.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/op.h"
#include "kinds/network.h"

/* A full backlog gives no event: it is tried again after such times. */
#define DELAY_FIRST INT64_C(1000000)
#define DELAY_LAST INT64_C(128000000)

/* Owned by its handle, or by itself when the handle is closed while a helper has it. */
struct sock_dial {
	struct ipc_job job;
	struct ipc_timer timer;
	struct ipc *ipc;
	struct sock_handle *s; /* NULL: closed */
	struct ipc_cred cred;
	int root; /* of the caller's paths; -1: ours */
	bool answers;
	struct ipc_backoff backoff;
	int type; /* to be tried; 0: any. Behind a success: what it was */
	int fd;	  /* the connection, or -errno */
	char target[];
};

void sock_outfit(int fd, int type)
{
	const int size = IPC_MESSAGE_MAX;

	if (type != SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int sock_make(int type, bool answers)
{
	const struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	sock_outfit(fd, type);
	if (answers && type == SOCK_DGRAM && bind(fd, (const struct sockaddr *)&sa, sizeof(sa.sun_family)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* In the helper's thread */

/*
 * The address of what is dialled: 0 or -errno. A path of any length becomes one by way of a descriptor, *pin, which the
 * caller closes; an abstract name needs none: -1.
 */
static int dial_address(const struct sock_dial *d, int root, struct sockaddr_un *sa, socklen_t *len, int *pin)
{
	size_t n = strlen(d->target);
	int fd;

	*pin = -1;
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	*len = sizeof(*sa);
	if (d->target[0] == '@') {
		if (n > sizeof(sa->sun_path))
			return -ENAMETOOLONG;
		memcpy(sa->sun_path + 1, d->target + 1, n - 1);
		*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		return 0;
	}
	do
		fd = ipc_path_open(root, d->target);
	while (fd == -EINTR && !atomic_load(&d->job.cancelled));
	if (fd < 0)
		return fd == -EPERM ? -EACCES : fd;
	strcpy(sa->sun_path, ipc_job_fd_path(fd).text);
	*pin = fd;
	return 0;
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

static void dial_connect(struct sock_dial *d, int root)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	struct sockaddr_un sa;
	socklen_t len;
	int pin, r = dial_address(d, root, &sa, &len, &pin);

	d->fd = r < 0 ? r : -EPROTOTYPE;
	for (unsigned i = 0; i < 3 && r == 0; i++) {
		if (d->type && d->type != types[i])
			continue;
		d->fd = dial_try(d, types[i], &sa, len);
		if (d->fd >= 0)
			d->type = types[i];
		if (d->fd >= 0 || !dial_wrong_type(d, d->fd))
			break;
	}
	if (pin >= 0)
		close(pin);
}

static void dial_work(struct ipc_job *job)
{
	struct sock_dial *d = ipc_container(job, struct sock_dial, job);
	int root = d->root < 0 ? -1 : ipc_job_borrow(d->root);
	int r = d->root >= 0 && root < 0 ? root : ipc_cred_enter(&d->cred);

	if (r == 0) {
		dial_connect(d, root);
		ipc_cred_leave(&d->cred);
	} else {
		d->fd = r;
	}
	if (root >= 0)
		close(root);
	if (d->fd >= 0)
		ipc_job_hand(job, d->fd);
}

/* In the loop's thread */

static int dial_submit(struct sock_dial *d);
static void dial_finish(struct sock_dial *d);

static void dial_free(struct sock_dial *d)
{
	if (d->root >= 0)
		close(d->root);
	free(d);
}

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
	return ipc_timer_start(d->ipc->loop, &d->timer, ipc_now() + ipc_backoff_pause(&d->backoff), dial_again);
}

static void dial_finish(struct sock_dial *d)
{
	struct sock_handle *s = d->s;

	s->dial = NULL;
	if (d->fd >= 0)
		s->error = sock_attach(s, d->fd, d->type);
	else
		s->error = ipc_refuse(d->ipc, &d->cred, -d->fd, ipc_handle_path(&s->h).text, "connect to %s: %s",
				      d->target, strerror(-d->fd));
	ipc_waitq_wake(&s->own);
	dial_free(d);
}

static void dial_done(struct ipc_job *job)
{
	struct sock_dial *d = ipc_container(job, struct sock_dial, job);
	int r;

	if (d->fd >= 0)
		d->fd = job->fd;
	r = d->s && d->fd == -EAGAIN ? dial_retry(d) : d->fd;
	if (!d->s) {
		if (d->fd >= 0)
			close(d->fd);
		dial_free(d);
	} else if (d->fd != -EAGAIN || r < 0) {
		d->fd = r;
		dial_finish(d);
	}
}

/* All helpers busy, or his, or no thread for another, is no different from a full backlog. */
static int dial_submit(struct sock_dial *d)
{
	const struct ipc_pool_part part = {&d->ipc->walking, d->cred.uid, IPC_WALKS_OF_USER_MAX};
	int r;

	d->fd = -EINTR;
	r = ipc_pool_submit_part(d->ipc->walkers, &d->job, &part, dial_work, dial_done, NULL);
	return ipc_pool_is_busy(r) ? dial_retry(d) : r;
}

/* Where to connect to, to be freed; or NULL, with the reason in err. */
static char *dial_target(const struct sock_handle *s, int *err)
{
	const struct sock_chan *c = sock_chan(s->h.chan);
	const char *mount = s->h.ipc->opt.mountpoint;
	char *target = NULL;

	*err = -ENOMEM;
	if (!c->chan.listed)
		*err = -ENOENT;
	else if (c->target)
		target = strdup(c->target);
	else if (!mount)
		*err = ipc_refuse(s->h.ipc, &s->h.cred, EOPNOTSUPP, ipc_handle_path(&s->h).text,
				  "a server's socket is reached through the mount, and there is none");
	else if (asprintf(&target, "%s/%s/%s", mount, ipc_sock.name, c->chan.name) < 0)
		target = NULL;
	return target;
}

static int dial_permit(const struct sock_handle *s, const char *target)
{
	const struct ipc_cred *cred = &s->h.cred;
	const struct ipc_path path = ipc_handle_path(&s->h);

	if (getuid() == 0 || cred->uid == getuid())
		return 0;
	return ipc_refuse(s->h.ipc, cred, EACCES, path.text,
			  "%s would take uid %u for uid %u, whose mount this is; connect to it yourself", target,
			  (unsigned)cred->uid, (unsigned)getuid());
}

static int dial_start(struct sock_handle *s, const char *target)
{
	size_t size = strlen(target) + 1;
	struct sock_dial *d = calloc(1, sizeof(*d) + size);
	int r;

	if (!d)
		return -ENOMEM;
	d->ipc = s->h.ipc;
	d->s = s;
	d->root = s->root;
	s->root = -1;
	d->cred = s->h.cred;
	d->answers = s->h.readable;
	d->backoff = (struct ipc_backoff){DELAY_FIRST, DELAY_LAST};
	d->type = s->type;
	memcpy(d->target, target, size);
	r = dial_submit(d);
	if (r < 0)
		dial_free(d);
	else
		s->dial = d;
	return r;
}

int sock_dial_place(struct sock_handle *s)
{
	const char *target = sock_chan(s->h.chan)->target;

	/* What a server bound in the mount is this mount's, wherever the caller is. */
	if (!target)
		return 0;
	if (target[0] == '@')
		return ipc_network_check(s->h.ipc, &s->h.cred, ipc_handle_path(&s->h).text);
	return ipc_abroad_root(s->h.ipc, &s->h.cred, ipc_handle_path(&s->h).text, &s->root);
}

int sock_dial_start(struct sock_handle *s)
{
	int r;
	char *target = dial_target(s, &r);

	if (!target)
		return r;
	r = dial_permit(s, target);
	if (r == 0)
		r = dial_start(s, target);
	free(target);
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
		dial_free(d);
	} else {
		ipc_job_cancel(d->ipc->walkers, &d->job);
	}
}

/*
 * NAME@addr: the socket of a channel that is ours, as an inode of the mount itself, so that it is reached by whoever
 * reaches the mount. It is bound when it is looked up first.
 *
 * A bound socket keeps the mount busy through which it was bound, and to bind is to ask ourselves for an inode. So a
 * child does it, in a mount namespace of its own that is gone at once: what is kept then is a mount that nobody sees.
 * And it binds in a directory that is nobody else's, because whoever looks NAME@addr up meanwhile holds the lock of the
 * kind's; that look-up is then answered with the same inode.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sock.h"
#include "core/chan.h"
#include "core/instance.h"
#include "core/ref.h"

/* The kernel takes less where net.core.somaxconn says so. */
enum { BACKLOG = 4096 };

struct sock_binding {
	struct ipc_job job;
	struct ipc_list link; /* of all */
	struct ipc *ipc;
	struct sock_chan *c;   /* NULL: the name is gone */
	struct ipc_list looks; /* who waits for it */
	uint64_t serial;       /* the name in the directory for it */
	int fd, result;
	bool own; /* fd is the binding's, until it is the channel's */
	char dir[];
};

/* In the child. Only what is safe behind fork(2) in a program of threads. */
static int binding_child(const struct sock_binding *b, const struct sockaddr_un *sa, bool unprivileged)
{
	/* Our end of /dev/fuse must be ours alone, or its requests would wait for it when we die. */
	if (b->fd > 0)
		syscall(SYS_close_range, 0, b->fd - 1, 0);
	syscall(SYS_close_range, b->fd + 1, ~0u, 0);
	/* Where that is forbidden the mount is kept busy, as by any server that binds in it. */
	unshare(CLONE_NEWNS | (unprivileged ? CLONE_NEWUSER : 0));
	if (chdir(b->dir) < 0 || bind(b->fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		return errno;
	return 0;
}

static int binding_wait(const struct ipc_job *job, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
		if (atomic_load(&job->cancelled))
			kill(pid, SIGKILL);
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static void binding_work(struct ipc_job *job)
{
	struct sock_binding *b = ipc_container(job, struct sock_binding, job);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	bool unprivileged = getuid() != 0;
	pid_t pid;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%llx", (unsigned long long)b->serial);
	pid = fork();
	if (pid == 0)
		_exit(binding_child(b, &sa, unprivileged));
	b->result = pid < 0 ? -errno : binding_wait(job, pid);
}

/* fd has the address now, and is the channel's; or -errno. */
static int address_use(struct sock_chan *c, int fd)
{
	int r;

	if (c->type != SOCK_DGRAM) {
		if (listen(fd, BACKLOG) < 0)
			return -errno;
		c->fd = c->chan.waitq.fd = fd;
	}
	r = ipc_waitq_arm(&c->chan.waitq, NULL);
	c->bound = r == 0;
	c->chan.ipc->addresses += c->bound;
	if (r < 0 && c->type != SOCK_DGRAM)
		c->fd = c->chan.waitq.fd = -1;
	return r;
}

static void binding_done(struct ipc_job *job)
{
	struct sock_binding *b = ipc_container(job, struct sock_binding, job);
	struct ipc_list *pos, *next;
	int r = b->result;

	ipc_list_remove(&b->link);
	if (!b->c)
		r = -ENOENT;
	else if (r == 0)
		r = address_use(b->c, b->fd);
	if (b->c)
		b->c->binding = NULL;
	if (b->own && (r < 0 || !b->c))
		close(b->fd);
	ipc_list_each(pos, next, &b->looks) {
		struct ipc_look *look = ipc_container(pos, struct ipc_look, link);

		ipc_list_remove(&look->link);
		if (r < 0 && r != -ENOENT)
			ipc_refuse(b->ipc, &look->cred, -r, ipc_ref_path(&look->ref).text,
				   "the socket cannot be bound: %s", strerror(-r));
		ipc_look_finish(look, r < 0 ? r : ipc_stat(b->ipc, &look->cred, &look->ref, &look->st));
	}
	free(b);
}

static int binding_start(struct ipc *ipc, struct sock_chan *c)
{
	const char *mount = ipc->opt.mountpoint;
	size_t size = strlen(mount) + sizeof(ipc->hidden) + 2;
	struct sock_binding *b = calloc(1, sizeof(*b) + size);
	int r;

	if (!b)
		return -ENOMEM;
	snprintf(b->dir, size, "%s/%s", mount, ipc->hidden);
	b->ipc = ipc;
	b->c = c;
	b->serial = (uint64_t)c->chan.st.st_ino;
	b->own = c->type != SOCK_DGRAM;
	b->fd = b->own ? sock_make(c->type, false) : c->fd;
	b->result = -EINTR;
	ipc_list_init(&b->looks);
	r = b->fd < 0 ? b->fd : ipc_pool_submit(ipc->pool, &b->job, binding_work, binding_done);
	if (r < 0) {
		if (b->own && b->fd >= 0)
			close(b->fd);
		free(b);
		return r;
	}
	c->binding = b;
	ipc_list_append(&ipc->bindings, &b->link);
	return 0;
}

struct sock_chan *sock_address_of(struct ipc *ipc, ino_t ino)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &ipc->bindings) {
		const struct sock_binding *b = ipc_container(pos, struct sock_binding, link);

		if (b->c && b->c->chan.st.st_ino == ino)
			return b->c;
	}
	return NULL;
}

int sock_address_await(struct ipc *ipc, struct sock_chan *c, struct ipc_look *look)
{
	int r = 0;

	if (!ipc->opt.mountpoint)
		return ipc_refuse(ipc, &look->cred, EOPNOTSUPP, ipc_ref_path(&look->ref).text,
				  "an address is a socket of the mount, and there is none");
	if (!c->binding)
		r = binding_start(ipc, c);
	if (r == 0)
		ipc_list_append(&c->binding->looks, &look->link);
	return r;
}

void sock_address_end(struct sock_chan *c)
{
	struct sock_binding *b = c->binding;

	if (!b)
		return;
	/* The child has it still. */
	if (!b->own)
		c->fd = c->chan.waitq.fd = -1;
	b->own = true;
	b->c = NULL;
	c->binding = NULL;
	ipc_job_cancel(b->ipc->pool, &b->job);
}

/*
 * Sending as somebody else. By kill(2)'s rule the sender's real user counts, and a thread that took it on could be
 * signalled by him; so a child does it, which he may stop. A helper thread waits for that child.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "core/cred.h"
#include "base/sys.h"
#include "core/instance.h"
#include "core/op.h"
#include "sig.h"

#define AGAIN_NS INT64_C(2000000)

/* Outlives the handle when that is closed first. */
struct sig_sending {
	struct ipc_job job;
	struct sig_handle *handle; /* NULL: closed */
	struct ipc_cred cred;
	int fd, signal;
	bool queued;
	siginfo_t info;
	int result;
};

static int send_as_caller(void *arg, char *why, size_t why_size)
{
	struct sig_sending *s = arg;

	if (why_size)
		*why = '\0';
	return pidfd_send_signal(s->fd, s->signal, s->queued ? &s->info : NULL, 0) < 0 ? -errno : 0;
}

static void sending_work(struct ipc_job *job)
{
	struct sig_sending *s = ipc_container(job, struct sig_sending, job);

	s->result = ipc_cred_run(&s->cred, send_as_caller, s, NULL, 0);
}

static void sending_done(struct ipc_job *job)
{
	struct sig_sending *s = ipc_container(job, struct sig_sending, job);
	struct sig_handle *handle = s->handle;

	if (handle) {
		handle->sending = NULL;
		handle->result = s->result;
		handle->answered = true;
		ipc_waitq_wake(handle->h.waitq);
	}
	close(s->fd);
	free(s);
}

static void sending_again(struct ipc_timer *timer)
{
	ipc_waitq_wake(ipc_container(timer, struct sig_handle, again)->h.waitq);
}

static int sending_submit(struct sig_handle *handle, struct sig_sending *s)
{
	struct ipc *ipc = handle->h.ipc;
	int r;

	s->fd = (int)IPC_RETRY(fcntl(handle->fd, F_DUPFD_CLOEXEC, 0));
	if (s->fd < 0)
		return s->fd;
	r = ipc_pool_submit(ipc->pool, &s->job, sending_work, sending_done);
	if (r < 0)
		close(s->fd);
	return r;
}

int sig_send_start(struct sig_handle *handle, const siginfo_t *info, int signal)
{
	struct ipc *ipc = handle->h.ipc;
	struct sig_sending at_once = {
		.handle = handle, .cred = handle->h.cred, .fd = handle->fd, .signal = signal, .queued = info};
	struct sig_sending *s;
	int r;

	if (info)
		at_once.info = *info;
	if (ipc_cred_is_us(&handle->h.cred)) {
		handle->result = send_as_caller(&at_once, NULL, 0);
		return 0;
	}
	s = malloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = at_once;
	s->result = -EINTR; /* should it be cancelled before it begins */
	r = sending_submit(handle, s);
	if (r == 0) {
		handle->sending = s;
		return -EINPROGRESS;
	}
	free(s);
	if (ipc_pool_is_busy(r))
		r = ipc_timer_start(ipc->loop, &handle->again, ipc_now() + AGAIN_NS, sending_again);
	return r < 0 ? r : -EINPROGRESS;
}

void sig_send_forget(struct sig_handle *handle)
{
	ipc_timer_stop(handle->h.ipc->loop, &handle->again);
	if (handle->sending)
		handle->sending->handle = NULL;
}

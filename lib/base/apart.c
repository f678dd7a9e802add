/*
 * Helpers with descriptors of their own: ipc_pool_new_apart(). What they open goes to the loop's thread as a message
 * (SCM_RIGHTS of unix(7)), which is there before the job is completed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker.h"

/* What a message says. They go through a stream, as that holds one of each of many threads. */
struct note {
	struct ipc_job *job;
};

struct handing {
	struct msghdr msg;
	struct iovec iov;
	struct note note;
	union {
		struct cmsghdr align;
		char text[CMSG_SPACE(sizeof(int))];
	} control;
};

static void handing_init(struct handing *h, struct ipc_job *job)
{
	memset(h, 0, sizeof(*h));
	h->note.job = job;
	h->iov = (struct iovec){.iov_base = &h->note, .iov_len = sizeof(h->note)};
	h->msg = (struct msghdr){.msg_iov = &h->iov, .msg_iovlen = 1};
	h->msg.msg_control = h->control.text;
	h->msg.msg_controllen = sizeof(h->control.text);
}

int ipc_apart_start(struct ipc_pool *pool, int also)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pool->hand) < 0)
		return -errno;
	pool->also = also;
	pool->apart = true;
	return 0;
}

void ipc_apart_end(struct ipc_pool *pool)
{
	if (!pool->apart)
		return;
	close(pool->hand[0]);
	close(pool->hand[1]);
}

bool ipc_apart_leave(const struct ipc_pool *pool)
{
	const int kept[] = {STDERR_FILENO, pool->fd, pool->hand[1], pool->also};
	int last = -1;

	/* From the top, as what the first call closes is not even copied. */
	for (int until = INT32_MAX; until > STDERR_FILENO; until = last - 1) {
		last = STDERR_FILENO;
		for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
			if (kept[i] > last && kept[i] <= until)
				last = kept[i];
		if (last < until && syscall(SYS_close_range, (unsigned)last + 1, (unsigned)until,
					    until == INT32_MAX ? CLOSE_RANGE_UNSHARE : 0) < 0)
			return false;
	}
	return true;
}

void ipc_job_hand(struct ipc_job *job, int fd)
{
	struct ipc_pool *pool = job->pool;
	struct handing h;
	struct cmsghdr *c;
	long r;

	handing_init(&h, job);
	c = CMSG_FIRSTHDR(&h.msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	r = IPC_RETRY(sendmsg(pool->hand[1], &h.msg, MSG_NOSIGNAL));
	close(fd);
	/* Else what is received sets it. */
	if (r < 0)
		job->fd = (int)r;
}

int ipc_apart_reserve(const struct ipc_pool *pool, struct ipc_job *job)
{
	job->place = fcntl(pool->fd, F_DUPFD_CLOEXEC, 0);
	return job->place < 0 ? -errno : 0;
}

void ipc_apart_release(struct ipc_job *job)
{
	if (job->place >= 0)
		close(job->place);
	job->place = -1;
}

void ipc_apart_receive(struct ipc_pool *pool)
{
	struct handing h;
	struct note note;

	while (recv(pool->hand[0], &note, sizeof(note), MSG_PEEK | MSG_DONTWAIT) == sizeof(note)) {
		const struct cmsghdr *c;

		ipc_apart_release(note.job);
		handing_init(&h, NULL);
		if (recvmsg(pool->hand[0], &h.msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
			break;
		c = CMSG_FIRSTHDR(&h.msg);
		/* What finds no room after all is closed. */
		note.job->fd = -EMFILE;
		if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&note.job->fd, CMSG_DATA(c), sizeof(int));
	}
}

struct ipc_fd_path ipc_job_fd_path(int fd)
{
	struct ipc_fd_path path;

	snprintf(path.text, sizeof(path.text), "/proc/thread-self/fd/%d", fd);
	return path;
}

/* /proc/self/fd has those of the process's first thread, which is the loop's. */
int ipc_job_borrow(int fd)
{
	return (int)IPC_RETRY(open(ipc_fd_path(fd).text, O_PATH | O_CLOEXEC));
}

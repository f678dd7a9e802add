/*
 * The floor: a file system that does nothing. Any name is a file, whose writes say that they took all, and whose reads
 * find the end. The same requests as a channel's, without a channel behind them, served either by libfuse's threads or
 * by our loop.
 *
 * usage: null_fuse mt|loop SPIN_NS MOUNTPOINT
 */
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "bench.h"
#include "base/loop.h"

enum { REQUESTS_MAX = 16 }; /* as fs/session.c */

struct null {
	struct fuse_session *se;
	struct fuse_buf buf;
	struct ipc_loop *loop;
	struct ipc_watch device;
};

/* A file's number is a hash of its name, so that nothing has to be remembered. */
static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.ino = 5381, .attr_timeout = 86400, .entry_timeout = 86400};

	(void)parent;
	for (; *name; name++)
		entry.ino = entry.ino * 33 + (unsigned char)*name;
	entry.attr.st_ino = entry.ino;
	entry.attr.st_mode = S_IFREG | 0666;
	entry.attr.st_nlink = 1;
	fuse_reply_entry(req, &entry);
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = {
		.st_ino = ino, .st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666, .st_nlink = 1};

	(void)fi;
	fuse_reply_attr(req, &st, 86400);
}

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fi->noflush = 1;
	fuse_reply_open(req, fi);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)size;
	(void)off;
	(void)fi;
	fuse_reply_buf(req, NULL, 0);
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)ino;
	(void)data;
	(void)off;
	(void)fi;
	fuse_reply_write(req, size);
}

static void null_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = null_lookup,
	.getattr = null_getattr,
	.open = null_open,
	.read = null_read,
	.write = null_write,
	.release = null_release,
};

static int null_requests(void *arg)
{
	struct null *null = arg;
	int n = 0;

	while (n < REQUESTS_MAX) {
		int r = fuse_session_receive_buf(null->se, &null->buf);

		if (r == -EINTR)
			continue;
		if (r == -EAGAIN)
			break;
		if (r <= 0)
			return -1;
		fuse_session_process_buf(null->se, &null->buf);
		n++;
	}
	return fuse_session_exited(null->se) ? -1 : n;
}

static void null_device(struct ipc_watch *watch, uint32_t events)
{
	struct null *null = ipc_container(watch, struct null, device);

	if (events & (EPOLLERR | EPOLLHUP))
		ipc_loop_stop(null->loop);
}

static int null_loop(struct null *null, int64_t spin_ns)
{
	int fd = fuse_session_fd(null->se);

	null->loop = ipc_loop_new();
	if (!null->loop || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
	    ipc_watch_add(null->loop, &null->device, fd, EPOLLIN, null_device) < 0)
		return -1;
	ipc_loop_set_busy(null->loop, null_requests, null, spin_ns);
	return ipc_loop_run(null->loop);
}

int main(int argc, char **argv)
{
	char *names[] = {argv[0], "-ofsname=null,subtype=null", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, names);
	struct null null = {0};
	int status = 1;

	if (argc != 4) {
		fputs("usage: null_fuse mt|loop SPIN_NS MOUNTPOINT\n", stderr);
		return 2;
	}
	null.se = fuse_session_new(&args, &ops, sizeof(ops), &null);
	if (!null.se)
		return 1;
	if (fuse_set_signal_handlers(null.se) == 0 && fuse_session_mount(null.se, argv[3]) == 0) {
		status = argv[1][0] == 'm' ? fuse_session_loop_mt(null.se, NULL)
					   : null_loop(&null, bench_number(argv[2]));
		fuse_session_unmount(null.se);
	}
	fuse_remove_signal_handlers(null.se);
	fuse_session_destroy(null.se);
	ipc_loop_free(null.loop);
	free(null.buf.mem);
	return status != 0;
}

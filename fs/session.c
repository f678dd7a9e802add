/* The session: requests from /dev/fuse through the loop, from the mount to its end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/callers.h"
#include "base/proc.h"
#include "fs.h"

/* So many requests in a row, then whoever waits has a turn. */
enum { REQUESTS_MAX = 16 };
/* Older ones lack FOPEN_STREAM (5.2), without which a read and a write of one open file wait for each other. */
enum { FUSE_OF_LINUX_5_4 = 31 };

/* The mount answers: from here on there is nobody to print to, and the parent may leave. */
static void session_detach(struct fs *fs)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char ok = 0;

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(fs->ready_fd, &ok, 1) != 1)
		fs_complain("cannot tell the parent: %s", strerror(errno));
	close(fs->ready_fd);
	fs->ready_fd = -1;
}

static void session_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	/*
	 * No ASYNC_DIO: it makes reads background requests, of which the kernel sends few at once, and parked ones
	 * would hold up every RELEASE. No READDIRPLUS: a listing must not look every channel up.
	 */
	conn->want &= ~(unsigned)(FUSE_CAP_ASYNC_DIO | FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS |
				  FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_AUTO_INVAL_DATA);
	/* Without it O_TRUNC would arrive as a truncation; with it, it is a flag of OPEN that means nothing here. */
	if (conn->capable & FUSE_CAP_ATOMIC_O_TRUNC)
		conn->want |= FUSE_CAP_ATOMIC_O_TRUNC;
	conn->max_background = 1024;
	conn->congestion_threshold = 1024;
	if (conn->proto_minor < FUSE_OF_LINUX_5_4)
		fs_complain("this kernel's FUSE is 7.%u; 7.%d (Linux 5.4) is the oldest that suffices",
			    conn->proto_minor, FUSE_OF_LINUX_5_4);
	if (fs->ready_fd >= 0)
		session_detach(fs);
	fs_service_ready(&fs->service, fs->loop, fs->opt.mountpoint);
}

const struct fuse_lowlevel_ops fs_ops = {
	.init = session_init,
	.lookup = fs_lookup,
	.forget = fs_forget,
	.forget_multi = fs_forget_multi,
	.getattr = fs_getattr,
	.setattr = fs_setattr,
	.readlink = fs_readlink,
	.mknod = fs_mknod,
	.mkdir = fs_mkdir,
	.unlink = fs_unlink,
	.rmdir = fs_rmdir,
	.symlink = fs_symlink,
	.rename = fs_rename,
	.link = fs_link,
	.open = fs_open,
	.read = fs_read,
	.write = fs_write,
	.flush = fs_flush,
	.release = fs_release,
	.opendir = fs_opendir,
	.readdir = fs_readdir,
	.releasedir = fs_releasedir,
	.create = fs_create,
	.poll = fs_poll,
	.flock = fs_flock,
	.setlk = fs_setlk,
	.getlk = fs_getlk,
};

static int session_requests(void *arg)
{
	struct fs *fs = arg;
	int n = 0;

	while (n < REQUESTS_MAX) {
		int r = fuse_session_receive_buf(fs->se, &fs->request.buf);
		struct fuse_buf buf;

		if (r == -EINTR)
			continue;
		/* Out of memory: the kernel has ended that request, if it was one, and there will be memory again. */
		if (r == -EAGAIN || r == -ENOMEM)
			break;
		if (r <= 0)
			return -1; /* unmounted */
		if (fs->awake.fd >= 0)
			fs_awake_count(&fs->awake, fs->request.buf.mem);
		buf = fs->request.buf; /* it may be lent, and another one be there */
		fs_replay_process(fs, &buf, NULL);
		fs_replay_interrupt(fs, &buf);
		n++;
	}
	return fuse_session_exited(fs->se) ? -1 : n;
}

static void session_device(struct ipc_watch *watch, uint32_t events)
{
	struct fs *fs = ipc_container(watch, struct fs, device);

	/* The loop polls the device as its busy source; the watch only wakes it. */
	if (events & (EPOLLERR | EPOLLHUP))
		ipc_loop_stop(fs->loop);
}

static void session_signal(struct ipc_watch *watch, uint32_t events)
{
	struct fs *fs = ipc_container(watch, struct fs, signals);

	(void)events;
	ipc_loop_stop(fs->loop);
}

static int session_watch_signals(struct fs *fs)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	/* There is no configuration to read again, and a mount outlives the terminal it was started from. */
	signal(SIGHUP, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	return ipc_watch_add(fs->loop, &fs->signals, fd, EPOLLIN, session_signal);
}

static int session_loop(struct fs *fs)
{
	int fd = fuse_session_fd(fs->se);
	int flags = fcntl(fd, F_GETFL);
	int r;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r = ipc_watch_add(fs->loop, &fs->device, fd, EPOLLIN, session_device);
	if (r < 0)
		return r;
	ipc_loop_set_busy(fs->loop, session_requests, fs, fs->opt.spin_ns);
	return ipc_loop_run(fs->loop);
}

/* Every open channel is a descriptor of ours, so the soft limit is far too low for a file system. */
static void session_raise_limit(void)
{
	struct rlimit limit;
	long most = ipc_proc_number("/proc/sys/fs/nr_open");

	if (most >= 0) {
		limit.rlim_cur = limit.rlim_max = (rlim_t)most;
		setrlimit(RLIMIT_NOFILE, &limit); /* as root */
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int session_start(struct fs *fs)
{
	int r;

	session_raise_limit();

	clock_gettime(CLOCK_REALTIME, &fs->started);
	fs->loop = ipc_loop_new();
	if (!fs->loop)
		return -errno;
	r = session_watch_signals(fs);
	if (r < 0)
		return r;
	fs_turns_start(&fs->turns, fs->loop);
	fs_steps_start(&fs->steps, &fs->turns);
	fs_shared_reads_start(&fs->shared_reads, fs->loop);
	fs_kept_start(&fs->kept);
	fs_refusals_start(&fs->refusals);
	fs_listers_start(&fs->listers);
	fs_crowds_start(&fs->crowds, fs->loop);
	fs_appends_start(fs);
	fs->trim.loop = fs->loop;
	fs->opt.ipc.awake = &fs->awake.told;
	fs->ipc = ipc_new(fs->loop, &fs->opt.ipc, fs->opt.kind);
	if (!fs->ipc)
		return -errno;
	r = fs_last_closes_start(&fs->closers, fs->loop);
	if (r < 0)
		return r;
	return fs_inode_init(fs);
}

static void session_end(struct fs *fs)
{
	int fd = fs->signals.fd;

	fs_awake_end(&fs->awake);
	fs_last_closes_end(&fs->closers);
	fs_shared_reads_end(&fs->shared_reads);
	fs_fifo_fini(fs);
	fs_lock_end(fs);
	fs_trim_end(&fs->trim);
	ipc_watch_remove(&fs->signals);
	if (fd >= 0)
		close(fd);
	ipc_free(fs->ipc);
	ipc_loop_free(fs->loop);
	fs_inode_fini(fs);
	fs_refusals_end(&fs->refusals);
	fs_listers_end(&fs->listers);
	fs_request_free(&fs->request);
}

/* Whoever waits is told that it ends; then nothing comes from the kernel any more. */
static void session_stop(struct fs *fs)
{
	fs_service_stopping(&fs->service);
	fs_natives_end(fs);
	fs_notices_stop(fs);
	ipc_shut_down(fs->ipc);
	fs_replay_shut_down(fs);
	fs_appends_stop(fs); /* also to who was done just now */
	fs_crowds_end(&fs->crowds);
	fs_fifo_shut_down(fs);
	fs_deferred_shut_down(fs);
	fs_steps_end(&fs->steps);
	fs_turns_end(&fs->turns);
	fs_last_closes_end(&fs->closers);
	fs_shared_reads_end(&fs->shared_reads);
	ipc_watch_remove(&fs->device);
	fs_mounted_end(fs);
	fuse_session_unmount(fs->se);
	fs_file_close_all(fs);
	fs_dir_close_all(fs);
}

int fs_session_run(struct fs *fs, struct fuse_args *args)
{
	int status = 1;
	int r;

	fs->device.fd = fs->signals.fd = fs->mounts.fd = -1;
	ipc_list_init(&fs->files);
	ipc_list_init(&fs->dirs);
	ipc_list_init(&fs->nodes);
	ipc_list_init(&fs->deferred);
	ipc_list_init(&fs->replay.waiting);
	fs_notices_init(fs);
	umask(0); /* the kernel has applied the caller's */
	fs->awake.fd = -1;
	r = session_start(fs);
	if (r < 0) {
		fs_complain("%s", strerror(-r));
		goto out;
	}
	fs->se = fuse_session_new(args, &fs_ops, sizeof(fs_ops), fs);
	if (!fs->se)
		goto out; /* libfuse has said why */
	if (fs_awake_start(&fs->awake, fs->loop, &fs->opt) < 0 || fuse_session_mount(fs->se, fs->opt.mountpoint) != 0)
		goto out_session;
	fs_passthrough_start(fs);
	fs_mounted_start(fs);
	fs_notices_start(fs);
	fs_natives_start(fs);
	fs_drop_privileges();
	ipc_callers_start(fs->loop);
	r = session_loop(fs);
	ipc_callers_end();
	if (r < 0)
		fs_complain("%s", strerror(-r));
	status = r < 0;
	session_stop(fs);
out_session:
	fuse_session_destroy(fs->se);
	fs_notices_end(fs);
	fs_kept_end(&fs->kept);
	fs_appends_end(fs);
out:
	session_end(fs);
	return status;
}

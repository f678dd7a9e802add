/* A kernel that lacks a feature, or a file system that is full: an error that says so, and all else goes on. */
#include "ipc.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kinds/kinds.h"
#include "../refuse.h"
#include "names.h"

static struct ipc_loop *loop;
static struct ipc *ipc;
static struct ipc_cred me;
static char prefix[32];

static void start(void)
{
	struct ipc_options options = {.prefix = prefix};

	me = (struct ipc_cred){.uid = getuid(), .gid = getgid(), .pid = getpid()};
	snprintf(prefix, sizeof(prefix), "unit_kernel_%d_", (int)getpid());
	loop = ipc_loop_new();
	cr_assert_not_null(loop);
	ipc = ipc_new(loop, &options, ipc_kinds);
	cr_assert_not_null(ipc);
}

static void stop(void)
{
	ipc_free(ipc);
	ipc_loop_free(loop);
}

static struct ipc_ref ref_of(const struct ipc_kind *kind, const char *name)
{
	struct ipc_ref ref;

	cr_assert_eq(ipc_resolve(ipc, &me, kind, name, &ref), 0);
	return ref;
}

static int create(const struct ipc_kind *kind, const char *name)
{
	struct ipc_ref ref = ref_of(kind, name);

	return ipc_create(ipc, &me, &ref, S_IFREG | 0600);
}

static int unlink_name(const struct ipc_kind *kind, const char *name)
{
	struct ipc_ref ref = ref_of(kind, name);

	return ipc_unlink(ipc, &me, &ref);
}

static int open_name(const struct ipc_kind *kind, const char *name, int flags, struct ipc_handle **h)
{
	struct ipc_ref ref = ref_of(kind, name);
	struct stat st;

	cr_assert_eq(ipc_stat(ipc, &me, &ref, &st), 0, "%s", name);
	return ipc_handle_new(ipc, &me, &ref, flags, st.st_ino, h);
}

static ssize_t submit(struct ipc_handle *h, enum ipc_op_type type, const char *data, size_t size, off_t offset)
{
	struct ipc_op op = {
		.type = type, .handle = h, .cred = me, .data = data, .size = size, .offset = offset, .complete = NULL};

	ipc_list_init(&op.link);
	return ipc_submit(&op);
}

/* Opens, does one thing, and closes. */
static ssize_t once(const struct ipc_kind *kind, const char *name, int flags, enum ipc_op_type type, const char *data)
{
	struct ipc_handle *h;
	ssize_t r = open_name(kind, name, flags, &h);

	if (r < 0)
		return r;
	r = submit(h, type, data, data ? strlen(data) : 64, 0);
	ipc_close(h);
	return r;
}

static bool refused_with(const char *part)
{
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	ipc_text_errors(ipc, &me, out);
	fclose(out);
	return strstr(text, part) != NULL;
}

static void count_name(void *arg, const char *name, mode_t type)
{
	(void)name;
	(void)type;
	++*(int *)arg;
}

static int names_of(const struct ipc_kind *kind)
{
	int n = 0;

	cr_assert_eq(u_each_name(ipc, &me, kind, NULL, count_name, &n), 0);
	return n;
}

/*
 * --- older kernels --------------------------------------------------------------------------------------------------
 */

TestSuite(old_kernel, .timeout = 20);

static void refuse(const int *calls, unsigned count)
{
	int r = refuse_calls(calls, count);

	if (r < 0)
		cr_skip_test("no seccomp filter: %s", strerror(-r));
	start();
}

#define REFUSE(...) refuse((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* That all is as usual with the semaphore s, as far as nobody has to wait. */
static void check_semaphore(void)
{
	cr_assert_eq(create(&ipc_sem, "s@value=1"), 0);
	cr_assert_eq(once(&ipc_sem, "s", O_RDONLY, IPC_READ, NULL), 2);
	cr_assert_eq(once(&ipc_sem, "s", O_WRONLY, IPC_WRITE, "1\n"), 2);
	cr_assert_eq(once(&ipc_sem, "s@hold", O_RDONLY, IPC_OPEN, NULL), 0);
	cr_assert_eq(unlink_name(&ipc_sem, "s"), 0);
}

Test(old_kernel, without_queues_the_other_kinds_go_on)
{
	REFUSE(SYS_mq_open, SYS_mq_unlink);
	cr_assert_eq(create(&ipc_mq, "q@maxmsg=1,msgsize=16"), -EOPNOTSUPP);
	cr_assert(refused_with("this kernel has no message queues"));
	cr_assert_eq(names_of(&ipc_mq), 0);
	check_semaphore();
	stop();
}

Test(old_kernel, without_futex_waitv_only_waiting_is_refused)
{
	struct ipc_handle *h;

	REFUSE(SYS_futex_waitv);
	check_semaphore();
	cr_assert_eq(create(&ipc_sem, "t"), 0);
	cr_assert_eq(once(&ipc_sem, "t", O_RDONLY, IPC_READ, NULL), -EOPNOTSUPP);
	cr_assert(refused_with("needs futex_waitv(2)"));
	cr_assert_eq(once(&ipc_sem, "t@hold", O_RDONLY, IPC_OPEN, NULL), -EOPNOTSUPP);
	cr_assert_eq(open_name(&ipc_sem, "t", O_RDONLY, &h), 0);
	cr_assert_eq(ipc_poll(h, true), POLLERR);
	ipc_close(h);
	cr_assert_eq(unlink_name(&ipc_sem, "t"), 0);
	stop();
}

Test(old_kernel, without_pidfd_open_sig_says_so)
{
	char name[16];

	REFUSE(SYS_pidfd_open);
	snprintf(name, sizeof(name), "%d", (int)getpid());
	cr_assert_eq(once(&ipc_sig, name, O_WRONLY, IPC_WRITE, "0"), -EOPNOTSUPP);
	cr_assert(refused_with("pidfd_open(2)"));
	stop();
}

Test(old_kernel, without_pidfd_send_signal_sig_says_so)
{
	char name[16];

	REFUSE(SYS_pidfd_send_signal);
	snprintf(name, sizeof(name), "%d", (int)getpid());
	cr_assert_eq(once(&ipc_sig, name, O_WRONLY, IPC_WRITE, "0"), -EOPNOTSUPP);
	cr_assert(refused_with("pidfd_send_signal(2)"));
	stop();
}

static void note_expired(struct ipc_timer *timer)
{
	(void)timer;
	ipc_loop_stop(loop);
}

Test(old_kernel, without_epoll_pwait2_timers_run)
{
	struct ipc_timer timer = {0};
	int64_t begin = ipc_now();

	REFUSE(SYS_epoll_pwait2);
	cr_assert_eq(ipc_timer_start(loop, &timer, begin + 3000000, note_expired), 0);
	cr_assert_eq(ipc_loop_run(loop), 0);
	cr_assert_geq(ipc_now(), begin + 3000000);
	stop();
}

/* Everything that is newer than Linux 5.0, but for pidfd_open. */
Test(old_kernel, what_is_newer_has_an_older_way)
{
	struct ipc_handle *h;

	REFUSE(SYS_epoll_pwait2, SYS_futex_waitv, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_close_range, SYS_openat2,
	       SYS_faccessat2, SYS_clone3, SYS_rseq);
	check_semaphore();
	cr_assert_eq(create(&ipc_mq, "q@maxmsg=1,msgsize=16"), 0);
	cr_assert_eq(open_name(&ipc_mq, "q", O_RDWR, &h), 0);
	cr_assert_eq(submit(h, IPC_WRITE, "x", 1, 0), 1);
	cr_assert_eq(submit(h, IPC_READ, NULL, 64, 0), 1);
	ipc_close(h);
	cr_assert_eq(unlink_name(&ipc_mq, "q"), 0);
	cr_assert_eq(create(&ipc_sock, "s"), 0);
	cr_assert_eq(once(&ipc_sock, "s", O_WRONLY, IPC_OPEN, NULL), 0);
	cr_assert_eq(unlink_name(&ipc_sock, "s"), 0);
	stop();
}

/*
 * --- no space left --------------------------------------------------------------------------------------------------
 */

/* Small file systems of our own over /dev/shm, and over /run for root's runtime directory. */
static void small_world(void)
{
	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=64k,mode=1777") < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "size=64k,mode=755") < 0)
		cr_skip_test("no mount namespace of its own: %s", strerror(errno));
	start();
}

static void leave(void)
{
	if (ipc)
		stop();
}

TestSuite(full, .timeout = 20, .init = small_world, .fini = leave);

/* Fills the directory's file system; to be removed again. */
static void fill(const char *dir)
{
	static const char zeros[4096];
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/filler", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	cr_assert_eq(errno, ENOSPC);
	close(fd);
}

Test(full, a_shm_file_says_ENOSPC_and_goes_on)
{
	enum { SIZE = 100000 };
	char *data = calloc(1, SIZE);
	struct ipc_handle *h;
	ssize_t n;

	cr_assert_eq(create(&ipc_shm, "s"), 0);
	cr_assert_eq(open_name(&ipc_shm, "s", O_RDWR, &h), 0);
	n = submit(h, IPC_WRITE, data, SIZE, 0);
	cr_assert(n > 0 && n < SIZE, "%zd", n);
	cr_assert_eq(submit(h, IPC_WRITE, data, SIZE, n), -ENOSPC);
	cr_assert_eq(submit(h, IPC_READ, NULL, 64, 0), 64);
	ipc_close(h);
	cr_assert_eq(unlink_name(&ipc_shm, "s"), 0);
	cr_assert_eq(create(&ipc_shm, "s@size=4096"), 0);
	cr_assert_eq(open_name(&ipc_shm, "s", O_RDWR, &h), 0);
	cr_assert_eq(submit(h, IPC_WRITE, data, 4096, 0), 4096);
	ipc_close(h);
	free(data);
}

Test(full, semaphores_are_made_whole_or_not_at_all)
{
	char name[32];
	int made = 0, r;

	do {
		snprintf(name, sizeof(name), "s%d@value=1", made);
		r = create(&ipc_sem, name);
	} while (r == 0 && ++made < 100);
	cr_assert_eq(r, -ENOSPC);
	cr_assert_gt(made, 0);
	cr_assert(refused_with("No space left on device"));
	cr_assert_eq(names_of(&ipc_sem), made);
	/* Those that there are want no more space. */
	cr_assert_eq(once(&ipc_sem, "s0", O_WRONLY, IPC_WRITE, "5\n"), 2);
	cr_assert_eq(once(&ipc_sem, "s0", O_RDONLY, IPC_READ, NULL), 2);
	cr_assert_eq(unlink_name(&ipc_sem, "s0"), 0);
	cr_assert_eq(create(&ipc_sem, "again"), 0);
}

/* A hole in the file would be filled by the first look at it, and is a SIGBUS where it cannot be. */
Test(full, a_semaphore_that_is_a_hole_is_an_error_and_no_crash)
{
	struct ipc_handle *h;
	char path[64];

	cr_assert_eq(create(&ipc_sem, "s@value=1"), 0);
	cr_assert_eq(open_name(&ipc_sem, "s", O_RDWR, &h), 0);
	snprintf(path, sizeof(path), "/dev/shm/sem.%ss", prefix);
	cr_assert_eq(truncate(path, 0), 0);
	cr_assert_eq(truncate(path, 32), 0);
	fill("/dev/shm");
	cr_assert_eq(submit(h, IPC_WRITE, "1\n", 2, 0), -EINVAL);
	cr_assert_eq(submit(h, IPC_READ, NULL, 64, 0), -EINVAL);
	cr_assert(refused_with("damaged"));
	ipc_close(h);
	cr_assert_eq(unlink("/dev/shm/filler"), 0);
	cr_assert_eq(create(&ipc_sem, "t@value=1"), 0);
	cr_assert_eq(once(&ipc_sem, "t", O_RDONLY, IPC_READ, NULL), 2);
}

/* The record of held permits is a mapped file, too. */
Test(full, a_permit_is_not_held_where_it_cannot_be_written_down)
{
	if (geteuid() != 0)
		cr_skip_test("an ordinary user's is in /tmp");
	cr_assert_eq(create(&ipc_sem, "s@value=1"), 0);
	fill("/run");
	cr_assert_eq(once(&ipc_sem, "s@hold", O_RDONLY, IPC_OPEN, NULL), -ENOSPC);
	cr_assert(refused_with("cannot be held"));
	cr_assert_eq(once(&ipc_sem, "s", O_RDONLY, IPC_READ, NULL), 2);
	cr_assert_eq(once(&ipc_sem, "s", O_WRONLY, IPC_WRITE, "\n"), 1);
	cr_assert_eq(unlink("/run/filler"), 0);
	cr_assert_eq(once(&ipc_sem, "s@hold", O_RDONLY, IPC_OPEN, NULL), 0);
}

/*
 * Names, good and bad; calls that make no sense on a channel; what ls, stat and their kin show. The texts:
 * mount/texts.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include "queue.h"

TestSuite(names, .timeout = 60);

static const char *const kinds[] = {"pipe", "shm", "mq", "sock"};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static struct queue q;

static char *queue_path(const char *facets)
{
	if (!q.name)
		q = queue_make("q", 4, 64);
	return t_path(M, "mq/%s%s", q.name, facets);
}

/* The errno of an open that creates; 0 if it opened. */
static int create_errno(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void check_errno(int result, int expected, const char *what)
{
	int err = errno;

	cr_expect_eq(result, -1, "%s succeeded", what);
	cr_expect_eq(err, expected, "%s: %s", what, strerrorname_np(err));
}

/* --- names --- */

t_test(names, longer_than_255_bytes_is_enametoolong)
{
	for (int i = 0; i < KINDS; i++) {
		char *name = t_format("%0255d", i);

		cr_expect_eq(create_errno(t_path(M, "%s/%sx", kinds[i], name)), ENAMETOOLONG, "%s", kinds[i]);
		cr_expect_eq(create_errno(t_path(M, "%s/%.250s@lines", kinds[i], name)), ENAMETOOLONG, "%s", kinds[i]);
	}
}

t_test(names, of_255_bytes_work)
{
	char *name = t_format("%s%0*d", t_name(""), (int)(255 - strlen(t_name(""))), 0);

	t_write(t_path(M, "shm/%s", name), "x");
	cr_assert_eq(unlink(t_path(M, "shm/%s", name)), 0);
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
	mqd_t fd = mq_open(t_format("/%s", name), O_RDWR | O_CREAT, 0600, &attr);
	cr_assert_geq(fd, 0);
	t_write(t_path(M, "mq/%s", name), "hello");
	struct queue long_name = queue_open(name);
	cr_assert_eq(unlink(t_path(M, "mq/%s", name)), 0);
	cr_assert_str_eq(queue_take(&long_name, NULL), "hello");
}

t_test(names, empty_before_the_facet_is_einval)
{
	for (int i = 0; i < KINDS; i++) {
		cr_expect_eq(create_errno(t_path(M, "%s/@ctl", kinds[i])), EINVAL, "%s", kinds[i]);
		cr_expect_eq(create_errno(t_path(M, "%s/@", kinds[i])), EINVAL, "%s", kinds[i]);
	}
}

t_test(names, unknown_facets_are_einval_and_explained)
{
	for (int i = 0; i < KINDS; i++)
		cr_expect_eq(create_errno(t_path(M, "%s/x@nonsense", kinds[i])), EINVAL, "%s", kinds[i]);
	cr_assert(strstr(t_read(t_path(M, "errors")), "nonsense"));
}

/* The kernel takes them for directories, but with facets behind them they would be channels that nobody can remove. */
t_test(names, no_channel_is_called_as_a_directory_is)
{
	static const char *const dots[] = {"mq/..@lines", "bcast/.@lines", "sem/..@hold", "sock/..@dgram",
					   "shm/.@size=1"};

	for (size_t i = 0; i < sizeof(dots) / sizeof(*dots); i++)
		cr_expect_eq(create_errno(t_path(M, "%s", dots[i])), EINVAL, "%s", dots[i]);
	cr_assert(t_refused("no channel can be called '..'"));
}

t_test(names, nothing_but_memory_has_a_size)
{
	static const char *const others[] = {"mq/%s", "bcast/%s", "sem/%s", "sock/%s"};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		const char *path = t_path(M, others[i], t_name("size"));

		close(t_open(path, O_WRONLY | O_CREAT | O_NONBLOCK));
		cr_expect_eq(truncate(path, 0), 0, "%s", path);
		cr_expect(truncate(path, 5) < 0 && errno == EINVAL, "%s: %s", path, strerror(errno));
		cr_expect_eq(unlink(path), 0);
	}
}

t_test(names, facets_of_other_kinds_are_einval_and_explained)
{
	static const char *const foreign[] = {"pipe/x@lines", "shm/x@listen", "mq/x@size=5", "sock/x@prio=3"};

	for (int i = 0; i < KINDS; i++)
		cr_expect_eq(create_errno(t_path(M, "%s", foreign[i])), EINVAL, "%s", foreign[i]);
	cr_assert(strstr(t_read(t_path(M, "errors")), "listen"));
}

t_test(names, slash_means_a_directory)
{
	queue_path("");
	cr_expect_eq(create_errno(t_path(M, "mq/%s/x", q.name)), ENOTDIR);
	cr_expect_eq(create_errno(t_path(M, "mq/%s/", q.name)), EISDIR);
	cr_expect_eq(create_errno(t_path(M, "mq/none/x")), ENOENT);
}

t_test(names, dots_are_directories)
{
	cr_expect_eq(create_errno(t_path(M, "mq/.")), EISDIR);
	cr_expect_eq(create_errno(t_path(M, "mq/..")), EISDIR);
	cr_expect_eq(access(t_path(M, "mq/../README"), R_OK), 0);
}

t_test(names, literal_name_with_an_at_sign_is_reached_by_two)
{
	struct queue odd = queue_make("odd@lines", 2, 16);

	t_write(t_path(M, "mq/%s", t_name("odd@@lines")), "a\nb");
	cr_assert_str_eq(queue_take(&odd, NULL), "a\nb");
}

t_test(names, facets_are_not_listed)
{
	char *out;

	queue_path("");
	t_write(queue_path("@lines"), "a\n");
	cr_assert_eq(t_sh(M, "sh", "ls $M/mq | grep -c \"^$P\"", &out), 0);
	cr_assert_str_eq(out, "1\n");
}

t_test(names, top_level_takes_no_files)
{
	cr_expect_eq(create_errno(t_path(M, "x")), EPERM);
	check_errno(access(t_path(M, "x"), F_OK), ENOENT, "access");
	check_errno(unlink(t_path(M, "README")), EPERM, "unlink README");
	check_errno(rmdir(t_path(M, "mq")), EPERM, "rmdir mq");
	check_errno(rename(t_path(M, "mq"), t_path(M, "mq2")), EPERM, "rename mq");
}

/* --- calls --- */

t_test(names, calls_that_make_other_things_are_eperm)
{
	for (int i = 0; i < KINDS; i++) {
		char *path = t_path(M, "%s/%s", kinds[i], t_name("x"));

		check_errno(mkdir(path, 0700), EPERM, "mkdir");
		check_errno(symlink("/etc/passwd", path), EPERM, "symlink");
		check_errno(link(t_path(M, "README"), path), EPERM, "link");
		if (geteuid() == 0) {
			check_errno(mknod(path, S_IFCHR | 0600, makedev(1, 3)), EPERM, "mknod of a device");
			check_errno(mknod(path, S_IFBLK | 0600, makedev(7, 0)), EPERM, "mknod of a disk");
		}
		check_errno(access(path, F_OK), ENOENT, "access");
	}
}

t_test(names, mknod_of_another_kind_is_eperm)
{
	check_errno(mkfifo(t_path(M, "mq/%s", t_name("x")), 0600), EPERM, "mkfifo in mq");
	check_errno(mkfifo(t_path(M, "shm/%s", t_name("x")), 0600), EPERM, "mkfifo in shm");
	check_errno(mkfifo(t_path(M, "sock/%s", t_name("x")), 0600), EPERM, "mkfifo in sock");
	check_errno(mknod(t_path(M, "pipe/%s", t_name("x")), S_IFSOCK | 0600, 0), EPERM, "a socket in pipe");
}

t_test(names, directory_flag_on_a_channel_is_enotdir)
{
	check_errno(open(queue_path(""), O_RDONLY | O_DIRECTORY), ENOTDIR, "open");
}

t_test(names, directory_is_eisdir)
{
	check_errno(open(t_path(M, "mq"), O_WRONLY), EISDIR, "open");
}

t_test(names, xattrs_are_not_supported)
{
	char value[8];

	check_errno((int)getxattr(queue_path(""), "user.x", value, sizeof(value)), EOPNOTSUPP, "getxattr");
	check_errno(setxattr(queue_path(""), "user.x", "v", 1, 0), EOPNOTSUPP, "setxattr");
	check_errno(removexattr(queue_path(""), "user.x"), EOPNOTSUPP, "removexattr");
	cr_expect_leq(listxattr(queue_path(""), value, sizeof(value)), 0);
}

t_test(names, calls_on_a_descriptor_of_a_channel)
{
	int fd = open(queue_path(""), O_RDWR);
	struct termios tty;

	check_errno(ioctl(fd, TCGETS, &tty), ENOTTY, "TCGETS");
	check_errno(fallocate(fd, 0, 0, 4096), EOPNOTSUPP, "fallocate");
	cr_expect_eq(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	cr_expect_eq(errno, ENODEV);
	check_errno(flock(fd, LOCK_EX | LOCK_NB), EOPNOTSUPP, "flock");
	check_errno(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}), EOPNOTSUPP, "F_SETLK");
	check_errno(ftruncate(fd, 100), EINVAL, "ftruncate");
	cr_expect_eq(isatty(fd), 0);
}

t_test(names, fsync_of_a_channel_is_no_crash)
{
	int fd = open(queue_path(""), O_WRONLY);

	cr_assert(fsync(fd) == 0 || errno == EINVAL || errno == ENOSYS, "%s", strerror(errno));
	cr_assert_eq(write(fd, "x", 1), 1);
}

t_test(names, write_of_nothing_is_zero)
{
	int fd = open(queue_path(""), O_WRONLY | O_NONBLOCK);

	cr_assert_eq(write(fd, "", 0), 0);
}

t_test(names, write_of_64_mib_is_emsgsize)
{
	size_t size = 64 << 20;
	char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = open(queue_path(""), O_WRONLY | O_NONBLOCK);

	cr_assert_neq(data, MAP_FAILED);
	check_errno((int)write(fd, data, size), EMSGSIZE, "write");
	cr_assert_eq(queue_depth(&q), 0);
}

t_test(names, write_of_64_mib_of_lines_waits_without_blocking_others)
{
	pid_t pid =
		t_spawn(M, "sh", "yes | head -c 64M >data; exec dd if=data of=$M/mq/${P}q@lines bs=64M status=none");

	queue_path("");
	queue_await_waiters(M, &q, 1);
	t_write(t_path(M, "shm/%s", t_name("s")), "x");
	kill(pid, SIGKILL);
	t_wait_exit(pid, T_PATIENCE, NULL);
}

t_test(names, read_with_a_huge_buffer)
{
	size_t size = 64 << 20;
	char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = open(queue_path(""), O_RDONLY);

	queue_send(&q, "hello", 0);
	cr_assert_eq(read(fd, data, size), 5);
}

t_test(names, texts_take_no_writes)
{
	check_errno((int)write(open(t_path(M, "errors"), O_WRONLY), "x", 1), EACCES, "write");
}

/* --- ls and its kin --- */

t_test(names, ls_shows_each_kind_as_what_it_is)
{
	char *out;

	queue_path("");
	t_name("p"), t_name("s"), t_name("x");
	cr_assert_eq(t_sh(M, "sh",
			  "mkfifo $M/pipe/${P}p; echo >$M/shm/${P}s; touch $M/sock/${P}x\n"
			  "cd $M; ls -ld pipe/${P}p shm/${P}s mq/${P}q sock/${P}x | cut -c1",
			  &out),
		     0);
	cr_assert_str_eq(out, "-\np\nl\n-\n");
}

t_test(names, test_knows_the_types)
{
	char *out;

	queue_path("");
	t_name("p"), t_name("s"), t_name("x");
	cr_assert_eq(
		t_sh(M, "bash",
		     "cd $M; mkfifo pipe/${P}p; echo >shm/${P}s; touch sock/${P}x; set -e\n"
		     "[ -p pipe/${P}p ]; [ -e shm/${P}s ]; [ -f shm/${P}s ]; [ -f mq/${P}q ]; [ -f sock/${P}x ]\n"
		     "[ -e mq/${P}q@lines ]; [ ! -e mq/${P}none ]; [ ! -e pipe/${P}none ]; [ -r mq/${P}q ]; [ ! -s mq/${P}q ]\n"
		     "[ ! -L sock/${P}x@addr ]; [ -S sock/${P}x@addr ]; [ -d mq ]; [ -f README ]",
		     &out),
		0, "%s", out);
}

t_test(names, rm_removes_each_kind)
{
	char *out;

	queue_path("");
	t_name("p"), t_name("s"), t_name("x");
	cr_assert_eq(t_sh(M, "sh",
			  "cd $M; mkfifo pipe/${P}p; echo >shm/${P}s; touch sock/${P}x; set -e\n"
			  "rm pipe/${P}p shm/${P}s mq/${P}q sock/${P}x; ls pipe shm mq sock | grep \"^$P\" || true",
			  &out),
		     0, "%s", out);
	cr_assert_str_eq(out, "");
	cr_assert_eq(mq_open(t_format("/%s", q.name), O_RDONLY), -1);
	cr_assert_neq(access(t_format("/dev/shm/%s", t_name("s")), F_OK), 0);
}

t_test(names, unlink_leaves_open_files_alone)
{
	int fd = open(queue_path(""), O_RDWR);
	char got[4];

	cr_assert_eq(unlink(queue_path("")), 0);
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert_eq(read(fd, got, 4), 1);
	struct stat st;
	cr_assert_eq(fstat(fd, &st), 0);
}

t_test(names, chmod_and_touch_reach_the_object)
{
	struct stat st;
	char *out;

	queue_path("");
	t_write(t_path(M, "shm/%s", t_name("s")), "x");
	cr_assert_eq(t_sh(M, "sh",
			  "cd $M; mkfifo pipe/${P}p; touch sock/${P}x; set -e\n"
			  "chmod 640 pipe/${P}p shm/${P}s mq/${P}q sock/${P}x\n"
			  "touch -d @1000000000 mq/${P}q shm/${P}s pipe/${P}p sock/${P}x\n"
			  "stat -L -c '%a %Y' pipe/${P}p shm/${P}s mq/${P}q sock/${P}x",
			  &out),
		     0, "%s", out);
	cr_assert_str_eq(out, "640 1000000000\n640 1000000000\n640 1000000000\n640 1000000000\n");
	cr_assert_eq(fstat(q.fd, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0640);
	cr_assert_eq(stat(t_format("/dev/shm/%s", t_name("s")), &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0640);
}

t_test(names, mode_at_creation_is_less_umask)
{
	char *out;

	t_name("p"), t_name("s"), t_name("q"), t_name("x");
	cr_assert_eq(
		t_sh(M, "sh",
		     "cd $M; umask 027; mkfifo pipe/${P}p; echo >shm/${P}s; touch mq/${P}q@maxmsg=1,msgsize=8 sock/${P}x\n"
		     "stat -L -c %a pipe/${P}p shm/${P}s mq/${P}q sock/${P}x",
		     &out),
		0);
	cr_assert_str_eq(out, "640\n640\n640\n640\n");
}

t_test(names, rename_within_a_kind)
{
	t_name("b"), t_name("a");
	t_write(t_path(M, "shm/%s", t_name("a")), "x");
	cr_assert_eq(rename(t_path(M, "shm/%s", t_name("a")), t_path(M, "shm/%s", t_name("b"))), 0);
	cr_assert_str_eq(t_read(t_format("/dev/shm/%s", t_name("b"))), "x");
	cr_assert_eq(mkfifo(t_path(M, "pipe/%s", t_name("a")), 0600), 0);
	cr_assert_eq(rename(t_path(M, "pipe/%s", t_name("a")), t_path(M, "pipe/%s", t_name("b"))), 0);
	cr_assert_eq(access(t_path(M, "pipe/%s", t_name("b")), F_OK), 0);
}

t_test(names, rename_of_a_queue_is_eopnotsupp)
{
	char *out;

	check_errno(rename(queue_path(""), t_path(M, "mq/%s", t_name("b"))), EOPNOTSUPP, "rename");
	check_errno(rename(queue_path(""), t_path(M, "shm/%s", t_name("b"))), EOPNOTSUPP, "rename to another kind");
	cr_assert_neq(t_sh(M, "sh", "mv $M/mq/${P}q $M/mq/${P}b", &out), 0);
	cr_assert_eq(access(t_path(M, "mq/%s", t_name("b")), F_OK), -1, "mv has copied a channel");
}

t_test(names, mediated_size_is_zero)
{
	struct stat st;

	queue_path("");
	queue_send(&q, "hello", 0);
	cr_assert_eq(stat(queue_path(""), &st), 0);
	cr_assert_eq(st.st_size, 0);
	cr_assert_eq(stat(queue_path("@lines"), &st), 0);
	cr_assert_eq(st.st_size, 0);
}

/*
 * Files whose name is gone, or means something else by now, while they are open; and what goes on without the daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

TestSuite(orphan, .timeout = 60);

static const char *const paths[] = {"pipe/%s",	"mq/%s",	  "mq/%s@lines", "sem/%s",
				    "bcast/%s", "sock/%s@listen", "mq/%s@ctl"};
enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

static char *path_of(int i)
{
	char path[64];

	snprintf(path, sizeof(path), paths[i], t_name("o"));
	return t_path(M, "%s", path);
}

static char *plain(int i)
{
	char path[64];

	snprintf(path, sizeof(path), paths[i], t_name("o"));
	path[strcspn(path, "@")] = '\0';
	return t_path(M, "%s", path);
}

static int connect_later(void *path)
{
	int fd;

	t_await((fd = open(path, O_WRONLY)) >= 0);
	return fd < 0;
}

static int open_orphan(int i, void (*remove)(const char *))
{
	int fd;

	if (strstr(paths[i], "pipe"))
		cr_assert_eq(mkfifo(plain(i), 0600), 0);
	else
		close(t_open(plain(i), O_WRONLY | O_CREAT | O_NONBLOCK));
	if (strstr(paths[i], "sock"))
		t_fork(connect_later, plain(i));
	fd = t_open(path_of(i), strstr(paths[i], "@ctl") ? O_RDONLY : O_RDWR);
	remove(plain(i));
	return fd;
}

static void by_unlink(const char *path)
{
	cr_assert_eq(unlink(path), 0, "%s: %s", path, strerror(errno));
}

/* Another object has the name then. */
static void by_making_another(const char *path)
{
	by_unlink(path);
	if (strstr(path, "pipe"))
		cr_assert_eq(mkfifo(path, 0640), 0);
	else
		close(t_open(path, O_WRONLY | O_CREAT | O_NONBLOCK));
	cr_assert_eq(chmod(path, 0640), 0);
}

static void expect_usable(int i, int fd)
{
	static const struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct stat st;

	cr_expect_eq(fstat(fd, &st), 0, "%s: %s", paths[i], strerror(errno));
	if (strstr(paths[i], "@ctl"))
		return;
	cr_expect_eq(fchmod(fd, 0604), 0, "%s: %s", paths[i], strerror(errno));
	cr_expect_eq(futimens(fd, then), 0, "%s: %s", paths[i], strerror(errno));
	cr_expect_eq(fchown(fd, (uid_t)-1, getegid()), 0, "%s: %s", paths[i], strerror(errno));
	cr_expect_eq(fstat(fd, &st), 0, "%s: %s", paths[i], strerror(errno));
	cr_expect_eq(st.st_mode & 07777, 0604, "%s: %o", paths[i], st.st_mode);
}

t_test(orphan, descriptors_work_when_the_name_is_gone)
{
	for (int i = 0; i < PATHS; i++)
		expect_usable(i, open_orphan(i, by_unlink));
}

t_test(orphan, descriptors_do_not_touch_what_has_the_name_now)
{
	for (int i = 0; i < PATHS; i++) {
		int fd = open_orphan(i, by_making_another);
		struct stat st;

		expect_usable(i, fd);
		cr_assert_eq(stat(plain(i), &st), 0);
		cr_expect_eq(st.st_mode & 07777, 0640, "%s: %o", paths[i], st.st_mode);
		cr_expect_gt(st.st_mtim.tv_sec, 2000);
		unlink(plain(i));
	}
}

t_test(orphan, a_queue_that_was_unlinked_natively)
{
	char *name = t_name("q");
	int fd = t_open(t_path(M, "mq/%s", name), O_RDWR | O_CREAT);
	struct stat st;

	cr_assert_eq(mq_unlink(t_format("/%s", name)), 0);
	cr_assert_eq(fchmod(fd, 0604), 0, "%s", strerror(errno));
	cr_assert_eq(ftruncate(fd, 0), 0, "%s", strerror(errno));
	cr_assert_eq(fstat(fd, &st), 0, "%s", strerror(errno));
	cr_assert_eq(write(fd, "hello", 5), 5);
}

t_test(orphan, tools_use_a_pipe_that_was_removed_or_renamed_over)
{
	t_name("");
	t_check("cd $M/pipe; for how in rm 'mv other'; do mkfifo $P other; exec 3<>$P; echo hello >&3; $how $P\n"
		"timeout 5 head -n1 <&3; stat -L -c %F /dev/fd/3; exec 3<&-; rm -f $P other; done",
		"hello\nfifo\nhello\nfifo\n");
}

t_test(orphan, a_path_descriptor_of_a_removed_name)
{
	struct stat st;
	int fd;

	close(t_open(t_path(M, "bcast/b"), O_WRONLY | O_CREAT));
	fd = t_open(t_path(M, "bcast/b"), O_PATH);
	cr_assert_eq(unlink(t_path(M, "bcast/b")), 0);
	cr_assert_eq(fstat(fd, &st), 0, "%s", strerror(errno));
}

t_test(orphan, removed_pipe_shows_no_links)
{
	char *path = t_path(M, "pipe/p");
	int fd;
	struct stat st;

	cr_assert_eq(mkfifo(path, 0600), 0);
	fd = t_open(path, O_RDWR);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_nlink, 0);
}

/* --- after the daemon's death --- */

static int cat_line(void *fd)
{
	dup2(*(int *)fd, 0);
	execlp("sh", "sh", "-c", "test \"$(timeout 5 sed -n '1{p;q}')\" = hello", (char *)NULL);
	return 127;
}

t_test(orphan, the_kernel_asks_no_dead_daemon_about_an_open_pipe)
{
	char *path = t_path(M, "pipe/p");
	struct stat st;
	int fd;

	cr_assert_eq(mkfifo(path, 0640), 0);
	fd = t_open(path, O_RDWR);
	cr_assert_eq(write(fd, "hello\n", 6), 6);
	t_mount_crash(M);
	usleep(1500000); /* what the kernel is to believe for a second would be forgotten */
	cr_assert_eq(fstat(fd, &st), 0, "%s", strerror(errno));
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(t_wait_exit(t_fork(cat_line, &fd), T_PATIENCE, NULL), 0);
}

t_test(orphan, a_mode_that_was_changed_is_seen_at_once)
{
	char *path = t_path(M, "pipe/p");
	struct stat st;
	int fd;

	cr_assert_eq(mkfifo(path, 0640), 0);
	fd = t_open(path, O_RDWR);
	cr_assert_eq(chmod(path, 0600), 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(fchmod(fd, 0644), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0644);
}

/* --- a name that is made again at once --- */

t_test(orphan, a_facet_of_a_removed_name_can_make_it_anew)
{
	char *path = t_path(M, "sock/e"), *listen = t_path(M, "sock/e@listen");
	struct stat st;

	for (int i = 0; i < 3; i++) {
		pid_t client;
		int fd;

		close(open(path, O_WRONLY | O_CREAT | O_NONBLOCK, 0600));
		cr_assert_eq(stat(listen, &st), 0);
		cr_assert_eq(unlink(path), 0);
		client = t_fork(connect_later, path);
		fd = open(listen, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		cr_assert_geq(fd, 0, "%s", strerror(errno));
		cr_assert_eq(t_wait_exit(client, T_PATIENCE, NULL), 0);
		close(fd);
		unlink(path);
	}
}

t_test(orphan, a_new_name_whose_open_would_wait_is_eagain)
{
	t_check_errno(open(t_path(M, "sock/n@listen"), O_RDWR | O_CREAT | O_NONBLOCK, 0600), EAGAIN);
	t_check_errno(open(t_path(M, "sem/%s@hold", t_name("s")), O_RDWR | O_CREAT | O_NONBLOCK, 0600), EAGAIN);
}

/* --- limits of files --- */

t_test(orphan, the_file_size_limit_does_not_end_a_writer)
{
	t_name("");
	t_check("cd $M; touch mq/$P@maxmsg=4,msgsize=64; touch bcast/$P sem/$P\n"
		"for k in mq bcast sem; do (ulimit -f 1; exec >$k/$P; [ $k = sem ] || seq 400 >/dev/null\n"
		"i=0; while [ $i -lt 400 ]; do echo 1; [ $k != mq ] || head -n1 mq/$P >/dev/null; i=$((i + 1)); done); echo $k $?; done\n"
		"dd if=/dev/zero of=bcast/$P bs=900 count=4 status=none; rm mq/$P bcast/$P sem/$P",
		"mq 0\nbcast 0\nsem 0\n");
}

/* --- a last line without its end --- */

t_test(orphan, an_unfinished_line_is_sent_at_close_whoever_inherited_the_descriptor)
{
	t_name("");
	t_check("cd $M; touch mq/$P@maxmsg=4,msgsize=64; touch bcast/$P\n"
		"for k in mq bcast; do exec 4<$k/$P@lines; exec 3>$k/$P@lines; sleep 30 3>&3 & printf tail >&3; exec 3>&-\n"
		"timeout 5 head -n1 <&4; kill $!; exec 4<&-; done; rm mq/$P bcast/$P",
		"tail\ntail\n");
}

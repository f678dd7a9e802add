/*
 * Lock and pid files beside sockets: what is made with O_EXCL and for both directions is a small text, which can be
 * locked.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

TestSuite(lock, .timeout = 60);

static char *path(void)
{
	return t_path(M, "sock/%s", t_name("lock"));
}

static int make(void)
{
	return t_open(path(), O_RDWR | O_CREAT | O_EXCL);
}

static off_t size_of(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_size;
}

t_test(lock, a_text_is_read_again_and_from_anywhere)
{
	int fd = make(), reader;
	char got[8] = "";

	cr_assert_eq(write(fd, "4711\n/data\n", 11), 11);
	cr_assert_eq(pwrite(fd, "D", 1, 6), 1);
	reader = t_open(path(), O_RDONLY);
	cr_expect_eq(size_of(reader), 11);
	cr_expect_eq(pread(reader, got, 5, 5), 5);
	cr_expect_str_eq(got, "/Data");
	cr_expect_str_eq(t_read(path()), "4711\n/Data\n");
	cr_expect_str_eq(t_read(path()), "4711\n/Data\n");
}

t_test(lock, another_cannot_make_it_until_it_is_removed)
{
	make();
	t_check_errno(open(path(), O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	cr_assert_eq(unlink(path()), 0);
	make();
}

t_test(lock, redirections_append_and_truncate)
{
	make();
	t_check("l=$M/sock/${P}lock; echo one > $l; echo two >> $l; cat $l; wc -c < $l; echo 3 > $l; cat $l; stat -c %s $l",
		"one\ntwo\n8\n3\n2\n");
}

t_test(lock, a_text_has_a_limit_which_is_named)
{
	int fd = make();

	cr_assert_eq(pwrite(fd, "x", 1, 65535), 1);
	t_check_errno(pwrite(fd, "x", 1, 65536), EFBIG);
	cr_expect(t_refused("65536 at most"));
	t_check_errno(ftruncate(fd, 65537), EFBIG);
	cr_assert_eq(ftruncate(fd, 3), 0);
	cr_expect_eq(size_of(fd), 3);
}

t_test(lock, flock_excludes_other_opens)
{
	int fd = make(), other = t_open(path(), O_RDWR);

	cr_assert_eq(flock(fd, LOCK_EX), 0);
	t_check_errno(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	cr_assert_eq(flock(fd, LOCK_UN), 0);
	cr_assert_eq(flock(other, LOCK_SH | LOCK_NB), 0);
}

static int set_range(int fd, short type, off_t start, off_t len, int command)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, command, &range);
}

/* In a process of its own, as the locks are. */
static int range_is_taken(void *arg)
{
	int fd = open(arg, O_RDWR);
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};

	if (fcntl(fd, F_GETLK, &range) < 0 || range.l_type != F_WRLCK || range.l_start != 0 || range.l_len != 10)
		return 1;
	if (set_range(fd, F_RDLCK, 5, 1, F_SETLK) == 0 || (errno != EAGAIN && errno != EACCES))
		return 2;
	return set_range(fd, F_WRLCK, 10, 1, F_SETLK) == 0 ? 0 : 3;
}

t_test(lock, fcntl_excludes_others_by_range)
{
	int fd = make();

	cr_assert_eq(set_range(fd, F_WRLCK, 0, 10, F_SETLK), 0);
	cr_assert_eq(t_wait_exit(t_fork(range_is_taken, path()), T_PATIENCE, NULL), 0);
}

static int wait_for_flock(void *arg)
{
	int fd = open(arg, O_RDWR);

	return flock(fd, LOCK_EX);
}

static int wait_for_range(void *arg)
{
	int fd = open(arg, O_RDWR);

	return set_range(fd, F_WRLCK, 0, 0, F_SETLKW);
}

t_test(lock, who_waits_gets_it_when_the_holder_closes)
{
	int fd = make();
	pid_t pid[2];

	cr_assert_eq(flock(fd, LOCK_EX), 0);
	cr_assert_eq(set_range(fd, F_WRLCK, 0, 1, F_SETLK), 0);
	pid[0] = t_fork(wait_for_flock, path());
	pid[1] = t_fork(wait_for_range, path());
	for (int i = 0; i < 2; i++)
		t_wait_blocked(pid[i]);
	close(fd); /* the children have it, too */
	for (int i = 0; i < 2; i++)
		cr_assert_eq(kill(pid[i], 0), 0);
	fd = t_open(path(), O_RDWR);
	t_check_errno(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	for (int i = 0; i < 2; i++)
		kill(pid[i], SIGKILL);
	for (int i = 0; i < 2; i++)
		t_wait_exit(pid[i], T_PATIENCE, &(char *){NULL});
	t_await(flock(fd, LOCK_EX | LOCK_NB) == 0);
}

/* A user's, more than he may have. */
static int wait_as(uid_t uid, void *arg)
{
	enum { MORE_THAN_ONE_USER_MAY = 80 };

	t_become(uid);
	for (int i = 0; i < MORE_THAN_ONE_USER_MAY; i++)
		if (fork() == 0)
			_exit(wait_for_flock(arg));
	return pause();
}

static int crowd_of_waiters(void *arg)
{
	return wait_as(54341, arg);
}

enum { CROWD_FIRST = 54342 };

static int open_and_flock(const char *name)
{
	return flock(t_open(name, O_RDWR), LOCK_EX);
}

static int crowd_of_users(void *arg)
{
	for (uid_t uid = CROWD_FIRST; uid < CROWD_FIRST + 4; uid++)
		if (fork() == 0)
			_exit(wait_as(uid, arg));
	return pause();
}

static void lock_what_all_may_have(void)
{
	int fd;

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	M = t_mount_start("-o", "allow_other", NULL);
	fd = make();
	cr_assert_eq(fchmod(fd, 0666), 0);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
}

t_test_bare(lock, one_users_waits_leave_room_for_others)
{
	pid_t crowd, other;

	lock_what_all_may_have();
	crowd = t_fork(crowd_of_waiters, path());
	t_become(54341);
	t_await(t_refused("waits for 64 locks already"));
	t_become(0);
	other = t_fork(wait_for_flock, path());
	t_wait_blocked(other);
	cr_assert_eq(kill(other, SIGKILL), 0);
	t_wait_exit(other, T_PATIENCE, NULL);
	kill(crowd, SIGKILL);
	t_wait_exit(crowd, T_PATIENCE, NULL);
}

/* Four users with all that each may have leave nothing to a fifth. */
t_test_bare(lock, waits_of_all_users_have_a_limit_that_is_told)
{
	pid_t crowd;

	lock_what_all_may_have();
	crowd = t_fork(crowd_of_users, path());
	for (uid_t uid = CROWD_FIRST; uid < CROWD_FIRST + 4; uid++) {
		t_become(uid);
		t_await(t_refused("waits for 64 locks already"));
		t_become(0);
	}
	t_become(CROWD_FIRST + 4);
	t_check_errno(open_and_flock(path()), ENOLCK);
	cr_expect(t_refused("256 locks are waited for by all users"));
	t_become(0);
	kill(crowd, SIGKILL);
	t_wait_exit(crowd, T_PATIENCE, NULL);
}

t_test(lock, who_waits_gets_it_when_it_is_given_up)
{
	int fd = make();
	pid_t pid;

	cr_assert_eq(flock(fd, LOCK_EX), 0);
	pid = t_fork(wait_for_flock, path());
	t_wait_blocked(pid);
	cr_assert_eq(flock(fd, LOCK_UN), 0);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	cr_assert_eq(set_range(fd, F_WRLCK, 0, 1, F_SETLK), 0);
	pid = t_fork(wait_for_range, path());
	t_wait_blocked(pid);
	cr_assert_eq(set_range(fd, F_UNLCK, 0, 0, F_SETLK), 0);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
}

t_test(lock, unmounting_ends_who_waits)
{
	int fd = make();
	pid_t pid;

	cr_assert_eq(flock(fd, LOCK_EX), 0);
	pid = t_fork(wait_for_flock, path());
	t_wait_blocked(pid);
	t_mount_stop(M);
	cr_expect_neq(t_wait_exit(pid, T_PATIENCE, &(char *){NULL}), 0);
}

/* echo with noclobber, and cp, write one way: what they make is a socket. */
t_test(lock, an_exclusive_open_to_write_makes_a_socket)
{
	t_check("set -C; echo hi > $M/sock/${P}s; cat $M/sock/${P}s; grep type $M/sock/${P}s@ctl", "hi\ntype=stream\n");
}

t_test(lock, memory_made_by_the_mount_is_locked_for_native_users_too)
{
	char *shm = t_path(M, "shm/%s", t_name("shm"));
	int fd = t_open(shm, O_RDWR | O_CREAT | O_EXCL), native = t_open(shm, O_RDWR);

	cr_assert_eq(flock(fd, LOCK_EX), 0);
	t_check_errno(flock(native, LOCK_EX | LOCK_NB), EWOULDBLOCK);
}

t_test(lock, names_of_lock_and_pid_files_are_texts_however_they_are_made)
{
	t_need("flock");
	t_check("cd $M/sock; for n in wl-0.lock .X0-lock s.pid s_lck; do echo 12 > ${P}$n; cat ${P}$n; cat ${P}$n; rm ${P}$n; done\n"
		"flock ${P}a.lock flock -n ${P}a.lock true || echo locked; flock -n ${P}a.lock echo free; rm ${P}a.lock\n"
		"touch ${P}padlock ${P}b.lock@stream; grep -h ^type ${P}padlock@ctl ${P}b.lock@ctl",
		"12\n12\n12\n12\n12\n12\n12\n12\nlocked\nfree\ntype=stream\ntype=stream\n");
}

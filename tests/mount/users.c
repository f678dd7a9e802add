/*
 * Several users on one mount: each gets what the kernel would give him on the native object, and no more. As root, who
 * can be anybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <mqueue.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

enum { ANN = 54321, BOB = 54322, CLUB = 54323 };
/* Whose queues are counted: they have none but those of that test, whatever runs beside it. */
enum { CLARA = 54324, DAVID = 54325, EVE = 54326 };

static void users_mount(const char *options)
{
	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	M = t_mount_start("-o", t_format("allow_other%s", options), NULL);
}

/* --- acting as somebody --- */

struct act {
	uid_t uid;
	gid_t group; /* a supplementary one; 0: none */
	rlim_t queue_bytes;
	int (*what)(const struct act *);
	const char *path, *other;
	mode_t mode;
};

/* In a child, whose exit status is an errno, or 0. */
static int act_run(void *arg)
{
	const struct act *a = arg;
	struct rlimit limit = {a->queue_bytes, a->queue_bytes};

	if ((a->queue_bytes && setrlimit(RLIMIT_MSGQUEUE, &limit) < 0) || setgroups(a->group ? 1 : 0, &a->group) < 0 ||
	    setresgid(a->uid, a->uid, a->uid) < 0 || setresuid(a->uid, a->uid, a->uid) < 0)
		return 99;
	umask(0);
	return a->what(a);
}

static int act(struct act a)
{
	return t_wait_exit(t_fork(act_run, &a), T_PATIENCE, NULL);
}

static int result(int r)
{
	return r < 0 ? errno : 0;
}

static int try_open(const struct act *a, int flags)
{
	return result(open(a->path, flags | O_NONBLOCK | O_CLOEXEC, a->mode));
}

static int reading(const struct act *a)
{
	return try_open(a, O_RDONLY);
}

static int writing(const struct act *a)
{
	return try_open(a, O_WRONLY);
}

static int making(const struct act *a)
{
	return try_open(a, O_WRONLY | O_CREAT);
}

static int making_fifo(const struct act *a)
{
	return result(mkfifo(a->path, a->mode));
}

static int removing(const struct act *a)
{
	return result(unlink(a->path));
}

static int renaming(const struct act *a)
{
	return result(rename(a->path, a->other));
}

static int opening_up(const struct act *a)
{
	return result(chmod(a->path, 0777));
}

static int taking_over(const struct act *a)
{
	return result(chown(a->path, a->uid, a->uid));
}

static int listing(const struct act *a)
{
	struct stat st;

	return result(stat(a->path, &st));
}

static int sending(const struct act *a)
{
	int fd = open(a->path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? errno : result((int)write(fd, a->other, strlen(a->other)));
}

static int native_queue(const struct act *a)
{
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 1024};

	return result(mq_open(a->path, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
}

static int connecting(const struct act *a)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", a->path);
	return result(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&sa, sizeof(sa)));
}

#define AS(user, does, ...) act((struct act){.uid = (user), .what = (does), .path = __VA_ARGS__})

/* What errno the act must have; 0: it succeeds. */
#define check_as(user, does, expected, ...)                                                                            \
	do {                                                                                                           \
		int err_ = AS(user, does, __VA_ARGS__);                                                                \
		cr_expect_eq(err_, (expected), "%s(%s): %s instead of %s", #does, t_format("%d", user),                \
			     strerror(err_), strerror(expected));                                                      \
	} while (0)

/* A whole text as that user reads it. */
static char *read_as(uid_t uid, const char *path)
{
	char *out;

	cr_assert_eq(t_sh(M, "sh", t_format("exec setpriv --reuid=%u --regid=%u --clear-groups cat %s", uid, uid, path),
			  &out),
		     0, "%s", out);
	return out;
}

/* Names of Ann's, of each kind, with that mode. */
static char *made(const char *kind, mode_t mode)
{
	char *path = t_path(M, "%s/%s", kind, t_name("x"));

	cr_assert_eq(AS(ANN, strcmp(kind, "pipe") == 0 ? making_fifo : making, path, .mode = mode), 0, "%s", path);
	return path;
}

static const char *const kinds[] = {"pipe", "shm", "mq", "sock", "sem", "bcast"};

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it declares its argument */
#define each_kind(kind) for (const char *const *kind = kinds; kind < kinds + sizeof(kinds) / sizeof(*kinds); kind++)

/* --- who gets in --- */

t_test(users, nobody_else_gets_in_by_default)
{
	struct act a = {.uid = ANN, .what = listing, .path = t_path(M, "README")};

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	cr_assert_eq(act(a), EACCES);
	a.path = M->dir;
	cr_assert_eq(act(a), EACCES);
}

t_test_bare(users, objects_have_the_owner_group_and_mode_of_their_makers)
{
	users_mount("");
	each_kind(kind)
	{
		struct stat st;

		cr_assert_eq(stat(made(*kind, 0640), &st), 0);
		cr_expect(st.st_uid == ANN && st.st_gid == ANN, "%s: %u:%u", *kind, st.st_uid, st.st_gid);
		cr_expect_eq(st.st_mode & 07777, 0640u, "%s: %o", *kind, st.st_mode);
	}
}

t_test_bare(users, native_objects_have_the_owner_and_mode_of_their_makers)
{
	struct stat st;

	users_mount("");
	made("shm", 0640);
	made("sem", 0640);
	cr_assert_eq(stat(t_format("/dev/shm/%s", t_name("x")), &st), 0);
	cr_expect(st.st_uid == ANN && st.st_gid == ANN && (st.st_mode & 07777) == 0640);
	cr_assert_eq(stat(t_format("/dev/shm/sem.%s", t_name("x")), &st), 0);
	cr_expect(st.st_uid == ANN && st.st_gid == ANN && (st.st_mode & 07777) == 0640);
}

t_test_bare(users, private_objects_are_their_owners_alone)
{
	users_mount("");
	each_kind(kind)
	{
		char *path = made(*kind, 0600);

		check_as(BOB, reading, EACCES, path);
		check_as(BOB, writing, EACCES, path);
		check_as(BOB, making, EACCES, path);
		check_as(BOB, reading, EACCES, t_format("%s@ctl", path));
		check_as(BOB, opening_up, EPERM, path);
		check_as(BOB, taking_over, EPERM, path);
		check_as(BOB, removing, EPERM, path);
		check_as(BOB, renaming, strcmp(*kind, "mq") == 0 ? EOPNOTSUPP : EPERM, path, t_format("%s2", path));
		check_as(ANN, listing, 0, path);
	}
}

/*
 * As open(2): O_CREAT checks no mode that it has just given. FIFOs and memory are opened by the kernel, after they were
 * made.
 */
t_test_bare(users, open_that_creates_may_do_what_the_mode_denies)
{
	static const char *const served[] = {"mq", "sock", "sem", "bcast"};

	users_mount("");
	for (unsigned i = 0; i < sizeof(served) / sizeof(*served); i++) {
		char *path = made(served[i], 0);
		struct stat st;

		cr_assert_eq(stat(path, &st), 0);
		cr_expect_eq(st.st_mode, S_IFREG, "%s: %o", path, st.st_mode);
		check_as(ANN, writing, EACCES, path);
		path = t_path(M, "%s/%s", served[i], t_name("r"));
		cr_assert_eq(AS(ANN, making, path, .mode = 0400), 0, "%s", path);
		cr_assert_eq(stat(path, &st), 0);
		cr_expect_eq(st.st_mode, S_IFREG | 0400, "%s: %o", path, st.st_mode);
	}
}

t_test_bare(users, open_objects_are_open_and_stay_their_owners)
{
	users_mount("");
	each_kind(kind)
	{
		char *path = made(*kind, 0666);

		/* A FIFO without a reader is ENXIO. */
		if (strcmp(*kind, "pipe") != 0)
			check_as(BOB, writing, 0, path);
		check_as(BOB, reading, 0, path);
		check_as(BOB, taking_over, EPERM, path);
		check_as(BOB, removing, EPERM, path);
		check_as(ANN, removing, 0, path);
	}
}

t_test_bare(users, nobody_moves_his_own_over_anothers)
{
	users_mount("");
	each_kind(kind)
	{
		char *path = made(*kind, 0666), *bobs = t_path(M, "%s/%s", *kind, t_name("bobs"));

		cr_assert_eq(
			AS(BOB, strcmp(*kind, "pipe") == 0 ? making_fifo : making, bobs, .other = NULL, .mode = 0600),
			0);
		check_as(BOB, renaming, strcmp(*kind, "mq") == 0 ? EOPNOTSUPP : EPERM, bobs, path);
	}
}

t_test_bare(users, supplementary_groups_count)
{
	users_mount("");
	each_kind(kind)
	{
		char *path = made(*kind, 0660);

		cr_assert_eq(chown(path, ANN, CLUB), 0, "%s: %s", path, strerror(errno));
		check_as(BOB, reading, EACCES, path);
		check_as(BOB, reading, 0, path, .group = CLUB);
		if (strcmp(*kind, "pipe") != 0)
			check_as(BOB, writing, 0, path, .group = CLUB);
	}
}

/* The owner may give his object to a group he is in, and to no other. */
t_test_bare(users, chown_to_a_group_needs_membership)
{
	char *out;

	users_mount("");
	for (unsigned i = 0; i < 2; i++) {
		char *path = made(i ? "mq" : "shm", 0600);
		const char *as = t_format("setpriv --reuid=%d --regid=%d", ANN, ANN);

		cr_expect_neq(t_sh(M, "sh", t_format("%s --clear-groups chgrp %d %s", as, CLUB, path), &out), 0);
		cr_expect_eq(t_sh(M, "sh", t_format("%s --groups %d chgrp %d %s", as, CLUB, CLUB, path), &out), 0, "%s",
			     out);
	}
}

/* --- signals --- */

static int sleeper(const struct act *a)
{
	(void)a;
	return pause();
}

t_test_bare(users, signals_are_judged_as_the_callers)
{
	struct act a = {.uid = ANN, .what = sleeper};

	users_mount("");
	pid_t victim = t_fork(act_run, &a);
	t_await(strstr(t_read(t_format("/proc/%d/status", victim)), t_format("Uid:\t%d", ANN)));
	check_as(BOB, sending, EPERM, t_path(M, "sig/%d", victim), "TERM\n");
	check_as(BOB, sending, EPERM, t_path(M, "sig/%d", getpid()), "WINCH\n");
	check_as(BOB, sending, EPERM, t_path(M, "sig/%d", M->daemon), "TERM\n");
	check_as(ANN, sending, 0, t_path(M, "sig/%d", victim), "TERM\n");
	cr_assert_eq(t_wait_exit(victim, T_PATIENCE, NULL), 128 + SIGTERM);
}

/* --- limits --- */

t_test_bare(users, callers_rlimit_msgqueue_holds)
{
	char *path = NULL;

	users_mount("");
	path = t_path(M, "mq/%s@maxmsg=10,msgsize=1024", t_name("q"));
	check_as(CLARA, making, EMFILE, path, .mode = 0600, .queue_bytes = 5000);
	cr_expect(strstr(read_as(CLARA, t_path(M, "errors")), "RLIMIT_MSGQUEUE=5000"));
	check_as(CLARA, making, 0, path, .mode = 0600, .queue_bytes = 20000);
	path = t_path(M, "mq/%s", t_name("default"));
	check_as(CLARA, making, 0, path, .mode = 0600, .queue_bytes = 40000);
	cr_expect(strstr(read_as(CLARA, t_path(M, "errors")), "made with maxmsg="));
}

/* Natively, as he would notice, and not the daemon. */
t_test_bare(users, kernel_charges_queues_to_the_caller)
{
	users_mount("");
	check_as(EVE, making, 0, t_path(M, "mq/%s@maxmsg=10,msgsize=1024", t_name("q")), .mode = 0600,
		 .queue_bytes = 20000);
	check_as(EVE, native_queue, EMFILE, t_format("/%s", t_name("n")), .queue_bytes = 20000);
	check_as(DAVID, native_queue, 0, t_format("/%s", t_name("n")), .queue_bytes = 20000);
}

t_test_bare(users, msg_max_is_an_ordinary_users)
{
	long most = strtol(t_read("/proc/sys/fs/mqueue/msg_max"), NULL, 10);

	users_mount("");
	char *path = t_path(M, "mq/%s@maxmsg=%ld,msgsize=8", t_name("q"), most + 1);
	check_as(ANN, making, EINVAL, path, .mode = 0600);
	cr_expect(strstr(read_as(ANN, t_path(M, "errors")), "msg_max"));
}

/* --- quotas: one user meets his limit, the other does not notice --- */

static int opening_three(const struct act *a)
{
	for (int i = 0; i < 3; i++)
		if (open(a->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) < 0)
			return errno;
	return 0;
}

t_test_bare(users, max_handles_is_emfile)
{
	users_mount(",max_handles=2");
	char *path = made("mq", 0666);

	check_as(ANN, opening_three, EMFILE, path);
	cr_expect(strstr(read_as(ANN, t_path(M, "errors")), "max_handles"));
	/* RELEASE comes later than the process's end. */
	t_await(AS(ANN, reading, path) == 0);
	check_as(BOB, reading, 0, path);
}

t_test_bare(users, max_channels_is_edquot)
{
	users_mount(",max_channels=2");
	for (int i = 0; i < 3; i++)
		check_as(ANN, making, i < 2 ? 0 : EDQUOT, t_path(M, "bcast/b%d", i), .mode = 0600);
	cr_expect(strstr(read_as(ANN, t_path(M, "errors")), "max_channels"));
	check_as(BOB, making, 0, t_path(M, "bcast/b3"), .mode = 0600);
	check_as(ANN, removing, 0, t_path(M, "bcast/b0"));
	check_as(ANN, making, 0, t_path(M, "bcast/b4"), .mode = 0600);
}

static int waiting(const struct act *a)
{
	char c;

	return result((int)read(open(a->path, O_RDONLY | O_CLOEXEC), &c, 1));
}

t_test_bare(users, max_parked_is_edquot)
{
	users_mount(",max_parked=1");
	char *path = made("mq", 0666);
	struct act a = {.uid = ANN, .what = waiting, .path = path};
	pid_t first = t_fork(act_run, &a), bobs;

	t_await(strstr(t_read(t_format("%s@ctl", path)), "waiters=1"));
	check_as(ANN, waiting, EDQUOT, path);
	cr_expect(strstr(read_as(ANN, t_path(M, "errors")), "max_parked"));
	a.uid = BOB;
	bobs = t_fork(act_run, &a);
	t_await(strstr(t_read(t_format("%s@ctl", path)), "waiters=2"));
	kill(first, SIGKILL);
	kill(bobs, SIGKILL);
	t_wait_exit(first, T_PATIENCE, NULL);
	t_wait_exit(bobs, T_PATIENCE, NULL);
}

static int writing_much(const struct act *a)
{
	int fd = open(a->path, O_WRONLY | O_CLOEXEC);
	char line[8000];

	memset(line, 'x', sizeof(line));
	return result((int)write(fd, line, sizeof(line)));
}

t_test_bare(users, max_bytes_is_edquot)
{
	users_mount(",max_bytes=4K");
	check_as(ANN, writing_much, EDQUOT, t_format("%s@lines", made("mq", 0666)));
	cr_expect(strstr(read_as(ANN, t_path(M, "errors")), "max_bytes"));
}

/* --- what one learns of others --- */

t_test_bare(users, errors_are_ones_own)
{
	users_mount("");
	check_as(ANN, making, EINVAL, t_path(M, "mq/secret@nonsense"));
	check_as(BOB, making, EINVAL, t_path(M, "mq/mine@nonsense"));
	cr_expect(strstr(read_as(ANN, t_path(M, "errors")), "secret"));
	cr_expect(strstr(read_as(BOB, t_path(M, "errors")), "mine"));
	cr_expect_null(strstr(read_as(BOB, t_path(M, "errors")), "secret"));
	cr_expect_null(strstr(t_read(t_path(M, "errors")), "secret"));
}

/* The second word of the line that status has for that kind's x. */
static char *depth_as(uid_t uid, const char *kind)
{
	const char *lines = read_as(uid, t_path(M, "status"));
	char found[32] = "?", depth[32], name[NAME_MAX + 1];

	for (const char *at = lines; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, kind, strlen(kind)) == 0 && at[strlen(kind)] == ' ' &&
		    sscanf(at, "%*s %31s %*s %*s %255s", depth, name) == 2 && strcmp(name, t_name("x")) == 0)
			snprintf(found, sizeof(found), "%s", depth);
	return t_format("%s", found);
}

/* Names are seen natively, too; what is in a private object is not. */
t_test_bare(users, status_hides_the_depth_of_private_objects)
{
	static const char *const deep[] = {"mq", "sem", "bcast"};

	users_mount("");
	for (unsigned i = 0; i < sizeof(deep) / sizeof(*deep); i++) {
		t_write(made(deep[i], 0600), "3\n");
		cr_expect_str_neq(depth_as(ANN, deep[i]), "-", "%s", deep[i]);
		cr_expect_str_eq(depth_as(BOB, deep[i]), "-", "%s", deep[i]);
	}
}

/* --- sockets: the caller connects, and not the daemon --- */

static int listen_at(const char *path, uid_t owner, mode_t mode)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 8) < 0 || chown(path, owner, owner) < 0 ||
	    chmod(path, mode) < 0)
		t_fail("%s: %s", path, strerror(errno));
	return fd;
}

static uid_t peer_of(int listener)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	int fd = -1;

	t_await((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	close(fd);
	return peer.uid;
}

static int opening_both(const struct act *a)
{
	return result(open(a->path, O_RDWR | O_CLOEXEC));
}

t_test_bare(users, connect_facet_connects_as_the_caller)
{
	users_mount("");
	char *target = t_format("%s/server", t_scratch());
	int listener = listen_at(target, ANN, 0600);
	char *path = t_path(M, "sock/r");

	check_as(ANN, making, 0, t_path(M, "sock/r@connect=%s", target), .mode = 0666);
	check_as(ANN, opening_both, 0, path);
	cr_expect_eq(peer_of(listener), (uid_t)ANN);
	check_as(BOB, opening_both, EACCES, path);
	cr_assert_eq(chmod(target, 0666), 0);
	check_as(BOB, opening_both, 0, path);
	cr_expect_eq(peer_of(listener), (uid_t)BOB);
	close(listener);
}

t_test_bare(users, io_facet_connects_as_the_caller)
{
	users_mount("");
	char *path = t_path(M, "sock/srv");
	int listener = listen_at(path, ANN, 0600);

	check_as(ANN, opening_both, 0, t_format("%s@io", path));
	cr_expect_eq(peer_of(listener), (uid_t)ANN);
	check_as(BOB, opening_both, EACCES, t_format("%s@io", path));
	check_as(BOB, connecting, EACCES, path);
	cr_assert_eq(chmod(path, 0666), 0);
	check_as(BOB, opening_both, 0, t_format("%s@io", path));
	cr_expect_eq(peer_of(listener), (uid_t)BOB);
	close(listener);
}

t_test_bare(users, address_of_a_private_socket_is_closed_to_others)
{
	users_mount("");
	char *path = made("sock", 0600);

	check_as(BOB, connecting, EACCES, t_format("%s@addr", path));
	check_as(ANN, connecting, 0, t_format("%s@addr", path));
}

/* --- fs.protected_*, which Debian turns on and test machines often do not --- */

/* Sets them, does it, and puts them back whatever happens. */
static char *with_protection(const char *script)
{
	char *out;

	if (access("/proc/sys/fs/protected_fifos", W_OK) < 0)
		cr_skip_test("fs.protected_fifos cannot be set here");
	cr_assert_eq(
		t_sh(M, "bash",
		     t_format(
			     "exec 9</tmp; flock 9; cd /proc/sys/fs; was=$(cat protected_fifos protected_regular protected_symlinks)\n"
			     "trap 'set -- $was; echo $1 >protected_fifos; echo $2 >protected_regular; "
			     "echo $3 >protected_symlinks' EXIT\n"
			     "echo 1 >protected_fifos; echo 2 >protected_regular; echo 1 >protected_symlinks\n"
			     "as() { local u=$1; shift; setpriv --reuid=$u --regid=$u --clear-groups sh -c \"$*\"; }\n%s",
			     script),
		     &out),
		0, "%s", out);
	return out;
}

t_test_bare(users, protected_regular_and_fifos_forbid_no_channel)
{
	users_mount("");
	each_kind(kind) made(*kind, 0666);
	/* In /dev/shm itself the kernel refuses this, as it refuses shm_open(). */
	char *out = with_protection(t_format("for k in pipe mq sock sem bcast; do for u in %d 0; do\n"
					     "as $u \"echo 1 1<>$M/$k/%s\" || echo \"$k: $u\"; done; done",
					     BOB, t_name("x")));
	cr_expect_str_eq(out, "");
}

t_test_bare(users, protected_symlinks_hide_no_shared_memory)
{
	users_mount("");
	made("shm", 0644);
	/* Not by an open that may create: another test may have turned fs.protected_regular on. */
	cr_assert_eq(t_sh(M, "bash",
			  t_format("printf seen | dd of=/dev/shm/%s conv=nocreat,notrunc 2>/dev/null", t_name("x")),
			  NULL),
		     0);
	char *out = with_protection(
		t_format("as %d \"cat $M/shm/%s\"; as 0 \"cat $M/shm/%s\"", BOB, t_name("x"), t_name("x")));
	cr_expect_str_eq(out, "seenseen");
}

t_test_bare(users, refused_removal_says_whose_it_is)
{
	users_mount("");
	char *path = made("pipe", 0666);
	struct stat st;

	check_as(BOB, removing, EPERM, path);
	cr_expect(strstr(read_as(BOB, t_path(M, "errors")), "user 54321 made it"));
	cr_assert_eq(stat(t_path(M, "pipe"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0777u, "%o", st.st_mode);
}

/* --- a root whose capabilities were taken away --- */

t_test_bare(users, root_without_capabilities_has_no_more_than_his_own_calls)
{
	users_mount("");
	struct act a = {.uid = ANN, .what = sleeper};
	pid_t victim = t_fork(act_run, &a);
	char *out, *path = made("mq", 0600), *pipe = made("pipe", 0600);

	t_need("capsh");
	t_await(strstr(t_read(t_format("/proc/%d/status", victim)), t_format("Uid:\t%d", ANN)));
	t_sh(M, "sh",
	     t_format("exec capsh --drop=all -- -c 'echo TERM >$M/sig/%d; cat %s@one,timeout=1s; rm %s; true'", victim,
		      path, pipe),
	     &out);
	cr_expect_eq(kill(victim, 0), 0);
	cr_expect(strstr(out, "not permitted"), "%s", out);
	cr_expect(strstr(out, "Permission denied"), "%s", out);
	cr_expect_eq(access(pipe, F_OK), 0, "%s", out);
	check_as(ANN, removing, 0, pipe);
	kill(victim, SIGKILL);
	t_wait_exit(victim, T_PATIENCE, NULL);
}

t_test_bare(users, root_without_capabilities_connects_to_no_socket_of_anothers)
{
	users_mount("");
	char *out, *server = t_format("%s/server", t_scratch());

	t_need("capsh");
	t_need("socat");
	pid_t child =
		t_spawn(M, "bash",
			t_format("umask 077; exec setpriv --reuid=%d --clear-groups socat -u UNIX-LISTEN:%s,fork -",
				 ANN, server));
	chmod(t_scratch(), 0777);
	t_await(access(server, F_OK) == 0);
	t_sh(M, "sh",
	     t_format("echo root > $M/sock/r@connect=%s && echo connected; "
		      "capsh --drop=all -- -c 'echo hi > $M/sock/s@connect=%s && echo connected'; true",
		      server, server),
	     &out);
	cr_expect(strncmp(out, "connected\n", 10) == 0 && strstr(out, "Permission denied") &&
			  !strstr(out + 10, "connected"),
		  "%s", out);
	kill(child, SIGKILL);
	t_wait_exit(child, T_PATIENCE, NULL);
}

/* --- a FIFO of one's own --- */

/* Keeps one open, and says by its exit status whether another can open it through the descriptor. */
static int opening_of_another(const struct act *a)
{
	return result(open(a->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

static int holding(const struct act *a)
{
	struct stat st;
	int fd = open(a->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || st.st_uid != a->uid)
		return 98;
	pause();
	return 0;
}

t_test_bare(users, fifo_face_needs_the_right_to_the_channel)
{
	users_mount("");
	char *path = made("mq", 0640);

	check_as(BOB, reading, EACCES, t_format("%s@fifo", path));
	check_as(ANN, reading, 0, t_format("%s@fifo", path));
	check_as(ANN, writing, 0, t_format("%s@fifo", path));
}

t_test_bare(users, fifo_of_one_user_is_closed_to_another)
{
	users_mount("");
	char *path = made("mq", 0666), *name = strrchr(path, '/') + 1;
	struct act a = {.uid = ANN, .what = holding, .path = t_format("%s@fifo", path)};
	pid_t holder = t_fork(act_run, &a);
	int fd;

	t_await_waiters(M, t_format("mq/%s", name), 1);
	check_as(BOB, opening_of_another, 0, a.path); /* his own */
	for (fd = 3; fd < 64; fd++) {
		char target[PATH_MAX];
		ssize_t n = readlink(t_format("/proc/%d/fd/%d", holder, fd), target, sizeof(target) - 1);

		if (n > 0 && memmem(target, (size_t)n, "@fifo", 5))
			break;
	}
	cr_assert_lt(fd, 64);
	check_as(BOB, opening_of_another, EACCES, t_format("/proc/%d/fd/%d", holder, fd));
	kill(holder, SIGKILL);
	t_wait_exit(holder, T_PATIENCE, NULL);
}

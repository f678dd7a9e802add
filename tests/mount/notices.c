/* What inotify(7) says of names: every new one, however it was made, and every one that is gone, without facets. */
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

TestSuite(notices, .timeout = 60);

static int watch(const char *kind)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	cr_assert_geq(inotify_add_watch(fd, t_path(M, "%s", kind), IN_CREATE | IN_DELETE | IN_MOVE), 0);
	return fd;
}

static const char *event_word(uint32_t mask)
{
	return mask & IN_CREATE	      ? "CREATE"
	       : mask & IN_DELETE     ? "DELETE"
	       : mask & IN_MOVED_FROM ? "FROM"
	       : mask & IN_MOVED_TO   ? "TO"
				      : "?";
}

/* What happened, "CREATE name" and so on, each name without what t_name() put in front, until one of `last` came. */
static char *happened_until(int fd, const char *last)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t lead = strlen(t_name(""));
	char *text = t_format("%s", "");

	while (poll(&p, 1, 10000) == 1) {
		ssize_t n = read(fd, buf, sizeof(buf));

		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const struct inotify_event *)(buf + at);

			at += (ssize_t)(sizeof(*e) + e->len);
			if (strncmp(e->name, t_name(""), lead) != 0)
				continue; /* another test's native object */
			if (strcmp(e->name + lead, last) == 0)
				return text;
			text = t_format("%s%s %s\n", text, event_word(e->mask), e->name + lead);
		}
	}
	return t_format("%sand no %s", text, last);
}

/* What was made to happen in the kind's directory, followed by one name more, of which the kernel tells by itself. */
static void check_events(const char *kind, const char *script, const char *expected)
{
	int fd = watch(kind);
	char *end = t_path(M, "%s/%s", kind, t_name("end"));

	t_sh(M, "bash", t_format("cd $M/%s; %s", kind, script), NULL);
	if (strcmp(kind, "pipe") == 0)
		cr_assert_eq(mkfifo(end, 0600), 0);
	else
		close(open(end, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	cr_expect_str_eq(happened_until(fd, "end"), expected, "%s: %s", kind, script);
	unlink(end);
	close(fd);
}

static const char *const kinds[] = {"pipe", "shm", "mq", "sem", "sock", "bcast"};

t_test(notices, a_name_that_touch_makes_is_told)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		check_events(kinds[i], "touch ${P}a; rm ${P}a", "CREATE a\nDELETE a\n");
}

t_test(notices, a_name_that_a_redirection_makes_is_told)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		check_events(kinds[i], ": 3<> ${P}a; : 3<> $PWD/${P}b; rm ${P}a ${P}b",
			     "CREATE a\nCREATE b\nDELETE a\nDELETE b\n");
}

t_test(notices, a_name_that_noclobber_makes_is_told)
{
	for (size_t i = 1; i < sizeof(kinds) / sizeof(*kinds); i++)
		check_events(kinds[i], "set -C; : > ${P}a; rm ${P}a", "CREATE a\nDELETE a\n");
}

t_test(notices, a_name_is_told_without_its_facets)
{
	check_events("mq", ": > ${P}a@lines,maxmsg=2; rm ${P}a", "CREATE a\nDELETE a\n");
	check_events("bcast", ": > ${P}a@lines; rm ${P}a", "CREATE a\nDELETE a\n");
	check_events("sock", "touch ${P}a@dgram; rm ${P}a", "CREATE a\nDELETE a\n");
	check_events("sem", "touch ${P}a@value=2; rm ${P}a", "CREATE a\nDELETE a\n");
	check_events("shm", "touch ${P}a@size=4096; rm ${P}a", "CREATE a\nDELETE a\n");
}

/* Nobody waits for the notice of such a one. */
t_test(notices, a_name_that_a_fifo_face_makes_is_told)
{
	int fd = watch("mq");

	t_sh(M, "sh", "echo x > $M/mq/${P}a@fifo", NULL);
	cr_expect_str_eq(happened_until(fd, "a"), "");
	t_await(unlink(t_path(M, "mq/%s", t_name("a"))) == 0);
	close(fd);
}

t_test(notices, a_name_that_is_there_already_is_not_told)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		t_sh(M, "sh", t_format("touch $M/%s/${P}a", kinds[i]), NULL);
		check_events(kinds[i], "touch ${P}a; : 3<> ${P}a", "");
		t_sh(M, "sh", t_format("rm $M/%s/${P}a", kinds[i]), NULL);
	}
}

t_test(notices, names_of_the_kernel_s_own_calls_are_told_once)
{
	check_events("pipe", "mkfifo ${P}a; ln ${P}a ${P}b; mv ${P}b ${P}c; rm ${P}a ${P}c",
		     "CREATE a\nCREATE b\nFROM b\nTO c\nDELETE a\nDELETE c\n");
	check_events("shm", "touch ${P}a; mv ${P}a ${P}b; rm ${P}b", "CREATE a\nFROM a\nTO b\nDELETE b\n");
	check_events("sem", "touch ${P}a; mv ${P}a ${P}b; rm ${P}b", "CREATE a\nFROM a\nTO b\nDELETE b\n");
}

t_test(notices, a_server_s_socket_is_told)
{
	t_need("python3");
	check_events("sock",
		     "python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' ${P}a; rm ${P}a",
		     "CREATE a\nDELETE a\n");
}

t_test(notices, a_queue_that_mq_open_makes_is_told)
{
	int fd = watch("mq");
	char *name = t_format("/%s", t_name("a")), *end = t_path(M, "mq/%s", t_name("end"));
	mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);

	cr_assert_geq(q, 0);
	mq_close(q);
	cr_assert_eq(mq_unlink(name), 0);
	mq_close(mq_open(t_format("/%s", t_name("end")), O_RDWR | O_CREAT, 0600, NULL));
	cr_expect_str_eq(happened_until(fd, "end"), "CREATE a\nDELETE a\n");
	unlink(end);
	close(fd);
}

t_test(notices, shared_memory_that_shm_open_makes_is_told)
{
	int fd = watch("shm");
	char *name = t_format("/%s", t_name("a")), *end = t_format("/%s", t_name("end"));

	close(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
	cr_assert_eq(shm_unlink(name), 0);
	close(shm_open(end, O_RDWR | O_CREAT, 0600));
	cr_expect_str_eq(happened_until(fd, "end"), "CREATE a\nDELETE a\n");
	shm_unlink(end);
	close(fd);
}

t_test(notices, a_semaphore_that_sem_open_makes_is_told)
{
	int fd = watch("sem");
	char *name = t_format("/%s", t_name("a")), *end = t_format("/%s", t_name("end"));

	sem_close(sem_open(name, O_CREAT | O_EXCL, 0600, 0));
	cr_assert_eq(sem_unlink(name), 0);
	sem_close(sem_open(end, O_CREAT, 0600, 0));
	cr_expect_str_eq(happened_until(fd, "end"), "CREATE a\nDELETE a\n");
	sem_unlink(end);
	close(fd);
}

t_test(notices, the_maker_s_descriptor_keeps_its_name)
{
	t_check("cd $M/pipe; exec 3<> ${P}a; readlink /proc/self/fd/3 | sed \"s,.*/$P,,\"; exec 4<> $M/mq/${P}q@lines; readlink /proc/self/fd/4 | sed \"s,.*/$P,,\"; rm $M/mq/${P}q",
		"a\nq@lines\n");
}

t_test(notices, a_pipe_is_made_by_an_open_that_follows_no_link)
{
	int watcher = watch("pipe");
	int fd = open(t_path(M, "pipe/%s", t_name("a")), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	cr_assert_geq(fd, 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect(S_ISFIFO(st.st_mode));
	/* Nobody waits for its notice. */
	cr_expect_str_eq(happened_until(watcher, "a"), "");
	close(watcher);
	close(fd);
}

/* The kernel opens each by itself; the notice of the one before has been given early for some, and late for others. */
t_test(notices, pipes_that_one_thread_makes_are_each_opened_by_the_kernel)
{
	for (int i = 0; i < 600; i++) {
		const char *path = t_path(M, "pipe/%s", t_name(i % 2 ? "same" : t_format("%d", i)));
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		struct stat st;

		cr_assert_geq(fd, 0, "%s", path);
		cr_assert_eq(fstat(fd, &st), 0);
		cr_assert(S_ISFIFO(st.st_mode), "%s is served as mode %o", path, st.st_mode);
		close(fd);
		cr_assert_eq(unlink(path), 0);
	}
}

/* Its helper may wait for a lock of the mount, whose holder waits for the daemon. */
t_test_bare(notices, a_daemon_that_is_killed_while_names_are_made_leaves_nobody_behind)
{
	for (int i = 0; i < 5; i++) {
		struct t_mount *m = t_mount_start(NULL, NULL);
		pid_t maker[3];

		for (size_t k = 0; k < 3; k++)
			maker[k] = t_spawn(m, "sh", "i=0; while : <> $M/pipe/$$.$i; do i=$((i+1)); done 2>/dev/null");
		usleep(100000); /* the daemon is killed in mid-traffic, which has no event to wait for */
		t_mount_crash(m);
		for (size_t k = 0; k < 3; k++)
			cr_expect_neq(t_wait_exit(maker[k], 10000, NULL), 0);
		t_mount_stop(m);
	}
}

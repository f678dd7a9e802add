/*
 * /sem through a mount: shells and programs that post and wait by file, with native ones. @hold is in mount/sem_hold.c,
 * and a whole producer with its consumer in mount/sem_ring.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "semaphore.h"

TestSuite(sem, .timeout = 120);

static void *shared(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(map, MAP_FAILED);
	return map;
}

/* --- tools --- */

t_test(sem, shells_and_tools_post_and_wait)
{
	static const char *const scripts[][2] = {
		{"echo >$S; cat $S", "0\n"},
		{"echo 3 >$S; read -r a <$S; echo $a; head -n1 $S; cat $S", "2\n1\n0\n"},
		{"printf 2 >$S; cat $S $S", "1\n0\n"},
		{"echo >>$S; echo >>$S; cat <$S; cat <$S", "1\n0\n"},
		{"seq 3 >$S; for i in 1 2 3 4 5 6; do read -r a <$S; echo $a; done", "5\n4\n3\n2\n1\n0\n"},
		{"exec 3>$S; echo 1 >&3; echo 1 >&3; exec 3>&-; a=$(cat $S); echo $a; wc -l <$S", "1\n1\n"},
		{"echo 2 | tee $S; cp $S copy; cat copy; dd if=$S status=none", "2\n1\n0\n"},
		{"dash -c 'echo 2 >$S; read -r a <$S; echo $a; cat $S'", "1\n0\n"},
		{"python3 -c 'import os; s = os.environ[\"S\"]; open(s, \"w\").write(\"2\\n\")\n"
		 "print(open(s).read() + open(s).readline(), end=\"\")'",
		 "1\n0\n"},
	};

	t_need("python3");
	sem_make("");
	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		t_check(scripts[i][0], scripts[i][1]);
		cr_assert_eq(sem_now(), 0, "%s", scripts[i][0]);
	}
}

t_test(sem, second_read_of_an_open_file_is_its_end)
{
	sem_make("@value=5");
	t_check("{ cat; cat; read -r a || echo end; } <$S", "4\nend\n");
	cr_assert_eq(sem_now(), 4);
}

t_test(sem, value_is_what_a_new_one_begins_with)
{
	setenv("S", sem_path(""), 1);
	t_check("touch $S@value=4; grep ^value= $S@ctl", "value=4\n");
	t_check("echo 2 >$S@value=9; grep ^value= $S@ctl; rm $S; echo 2 >$S@value=9; grep ^value= $S@ctl",
		"value=6\nvalue=11\n");
	t_check("rm $S; : >$S; grep ^value= $S@ctl", "value=0\n");
}

t_test(sem, what_is_no_count_is_einval_and_posts_nothing)
{
	static const char *const words[] = {"abc", "-1", "0", "1.5", "1 1", "+1", "0x10", "-", "\\0"};

	sem_make("@value=1");
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char *said = t_bash(1, t_format("printf -- '%s\\n' >$S", words[i]));

		cr_expect(strstr(said, "Invalid argument"), "%s: %s", words[i], said);
	}
	cr_expect(t_refused("EINVAL: '-1' is no count"));
	cr_expect(t_refused("EINVAL: 'abc' is no count"));
	cr_expect_eq(sem_now(), 1);
}

t_test(sem, overflow_is_eoverflow_and_posts_nothing)
{
	int fd;

	sem_make("@value=2147483646");
	fd = t_open(sem_path(""), O_WRONLY);
	t_check_errno(write(fd, "2\n", 2), EOVERFLOW);
	t_check_errno(write(fd, "4294967297\n", 11), EOVERFLOW);
	cr_assert_eq(sem_now(), SEM_VALUE_MAX - 1);
	cr_assert_eq(write(fd, "\n", 1), 1);
	cr_assert_eq(sem_now(), SEM_VALUE_MAX);
	cr_assert(strstr(t_bash(1, "echo >$S"), "Value too large"));
	cr_assert(t_refused("EOVERFLOW: 1 more would be above the most"));
	cr_assert_eq(sem_now(), SEM_VALUE_MAX);
}

/* --- with native programs --- */

static int native_wait(void *unused)
{
	sem_t *sem = sem_native();

	(void)unused;
	return sem_wait(sem) < 0 ? errno : 0;
}

static int file_wait(void *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char line[16];
	int err = fd < 0 || read(fd, line, sizeof(line)) < 0 ? errno : 0;

	close(fd);
	return err;
}

t_test(sem, file_posts_and_a_native_program_waits)
{
	pid_t waiters[3];

	sem_make("");
	for (int i = 0; i < 3; i++) {
		waiters[i] = t_fork(native_wait, NULL);
		t_wait_blocked(waiters[i]);
	}
	t_bash(0, "echo >$S; echo 2 >$S");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(t_wait_exit(waiters[i], T_PATIENCE, NULL), 0);
	cr_assert_eq(sem_now(), 0);
}

t_test(sem, native_program_posts_and_a_file_waits)
{
	sem_t *sem = sem_native();
	pid_t waiter = t_spawn(M, "dash", "read -r a <$S; echo got $a");
	char *out;

	sem_await_waiters(1);
	sem_post(sem);
	cr_assert_eq(t_wait_exit(waiter, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "got 0\n");
}

t_test(sem, poll_tells_of_a_native_post)
{
	sem_t *sem = sem_native();
	struct pollfd p = {.fd = t_open(sem_path(""), O_RDONLY | O_NONBLOCK), .events = POLLIN};
	char line[16];

	t_check_errno(read(p.fd, line, sizeof(line)), EAGAIN);
	cr_assert_eq(poll(&p, 1, 0), 0);
	sem_post(sem);
	cr_assert_eq(poll(&p, 1, T_PATIENCE), 1);
	cr_assert_eq(p.revents, POLLIN);
	cr_assert_eq(read(p.fd, line, sizeof(line)), 2);
}

/* Both sides take from one semaphore at once, and each permit goes to one of them. */
t_test(sem, each_permit_is_taken_once)
{
	enum { TAKERS = 6 };
	pid_t takers[TAKERS];

	sem_make("");
	for (int i = 0; i < TAKERS; i++)
		takers[i] = t_spawn(M, i % 2 ? "bash" : "python3",
				    i % 2 ? "for ((i = 0; i < 50; i++)); do read -r a <$S; done"
					  : "import os\nfor i in range(50): open(os.environ['S']).read()");
	t_bash(0, "for ((i = 0; i < 150; i++)); do echo >$S; done");
	for (int i = 0; i < 150; i++)
		sem_post(sem_native());
	for (int i = 0; i < TAKERS; i++)
		cr_assert_eq(t_wait_exit(takers[i], T_PATIENCE, NULL), 0);
	cr_assert_eq(sem_now(), 0);
}

static long microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A busy machine delays a wake-up now and then; one that comes by looking again is always late. */
t_test(sem, native_post_wakes_a_file_within_5_ms)
{
	enum { TIMES = 20 };
	atomic_long *woken = shared(sizeof(*woken));
	sem_t *sem = sem_native();
	int soon = 0;

	for (int i = 0; i < TIMES; i++) {
		pid_t waiter = fork();
		long posted;

		if (waiter == 0) {
			int status = file_wait(sem_path(""));

			*woken = microseconds();
			_exit(status);
		}
		sem_await_waiters(1);
		posted = microseconds();
		sem_post(sem);
		cr_assert_eq(t_wait_exit(waiter, T_PATIENCE, NULL), 0);
		soon += *woken - posted < 5000;
	}
	cr_assert_geq(soon, TIMES / 4, "%d of %d", soon, TIMES);
}

/* --- names --- */

t_test(sem, listing_has_native_semaphores_and_nothing_else)
{
	sem_close(sem_native());
	t_write(t_format("/dev/shm/%s", t_name("memory")), "");
	cr_assert_eq(symlink("/etc/passwd", t_format("/dev/shm/sem.%s", t_name("link"))), 0);
	t_check("ls $M/sem | grep ^$P | sed s/$P//", "s\n");
	t_check("ls $M/shm | grep ^$P | grep -v link | sed s/$P//", "memory\n");
	t_check("echo 7 >$S; grep -w ${P}s $M/status | tr -s ' '", t_format("sem 7 0 0 %s\n", t_name("s")));
	sem_unlink(t_format("/%s", t_name("s")));
	t_check("ls $M/sem | grep ^$P || echo none", "none\n");
}

t_test(sem, damaged_file_is_einval_and_can_be_listed_and_removed)
{
	static const char *const damages[] = {
		":",
		"printf short",
		"head -c 31 /dev/zero",
		"head -c 64 /dev/zero",
		"head -c 32 /dev/zero",
		"head -c 32 /dev/zero | tr '\\0' '\\377'",
	};

	setenv("S", sem_path(""), 1);
	setenv("F", sem_file(), 1);
	for (unsigned i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		t_bash(0, t_format("%s >$F", damages[i]));
		cr_expect(strstr(t_bash(1, "echo >$S"), "Invalid argument"), "%s", damages[i]);
		cr_expect(strstr(t_bash(1, "cat $S"), "Invalid argument"), "%s", damages[i]);
		cr_expect(strstr(t_bash(1, "exec 9<$S@hold"), "Invalid argument"), "%s", damages[i]);
		cr_expect(strstr(t_read(sem_path("@ctl")), "damaged=yes"), "%s", damages[i]);
		t_check("ls $M/sem | grep -c ^${P}s; rm $S", "1\n");
	}
	cr_expect(t_refused("EINVAL: its file in /dev/shm has 5 bytes, a semaphore has 32"));
	t_check("echo >$S; cat $S", "0\n");
}

t_test(sem, file_that_is_damaged_while_open_is_einval)
{
	pid_t waiter;
	int fd;

	sem_make("");
	fd = t_open(sem_path(""), O_WRONLY);
	waiter = t_spawn(M, "sh", "exec cat $S");
	sem_await_waiters(1);
	cr_assert_eq(truncate(sem_file(), 0), 0);
	t_check_errno(write(fd, "\n", 1), EINVAL);
	kill(waiter, SIGTERM);
	/* Whether it has noticed before is the kernel's matter. */
	cr_assert_neq(t_wait_exit(waiter, T_PATIENCE, NULL), 0);
	close(fd);
	t_check("rm $S; echo >$S; cat $S", "0\n");
}

t_test(sem, unlink_leaves_those_who_wait_their_semaphore)
{
	sem_t *old = sem_native();
	pid_t waiter = t_spawn(M, "sh", "exec cat $S");

	sem_await_waiters(1);
	t_bash(0, "rm $S; echo 2 >$S");
	cr_assert_eq(waitpid(waiter, NULL, WNOHANG), 0);
	cr_assert_eq(sem_now(), 2);
	sem_post(old);
	cr_assert_eq(t_wait_exit(waiter, T_PATIENCE, NULL), 0);
	cr_assert_eq(sem_now(), 2);
}

t_test(sem, rename_takes_those_who_wait_along)
{
	pid_t waiter;

	sem_make("");
	waiter = t_spawn(M, "sh", "exec cat $S");
	sem_await_waiters(1);
	t_check("mv $S ${S}2; ls $M/sem | grep ^$P | sed s/$P//; echo >${S}2", "s2\n");
	cr_assert_eq(t_wait_exit(waiter, T_PATIENCE, NULL), 0);
	t_check("rm ${S}2", "");
}

/* --- the end of a wait --- */

/* Who went away without a permit has taken none. */
t_test(sem, whoever_gives_up_leaves_the_permits)
{
	static const char *const scripts[][3] = {
		{"timeout 0.1 cat $S", "", "124"},
		{"timeout -s INT 0.1 cat $S", "", "124"},
		{"timeout -s KILL 0.1 cat $S", "", "137"},
		{"exec cat $S@timeout=50ms", "timed out", "1"},
		{"exec cat $S@timeout=0", "timed out", "1"},
		{"exec dd iflag=nonblock if=$S", "temporarily unavailable", "1"},
	};

	sem_make("");
	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		char *said = t_bash(atoi(scripts[i][2]), scripts[i][0]);

		cr_expect(strstr(said, scripts[i][1]), "%s: %s", scripts[i][0], said);
		sem_await_waiters(0);
		t_bash(0, "echo >$S");
		cr_expect_eq(sem_now(), 1, "%s", scripts[i][0]);
		t_check("cat $S", "0\n");
	}
}

enum { MANY = 1000 };

static char *prefix; /* for the children */

static char *nth(int i)
{
	return t_format("%s%d", prefix, i);
}

static int wait_for_nth(void *i)
{
	return file_wait(t_path(M, "sem/%s", nth(*(int *)i)));
}

static long processor_time(pid_t pid)
{
	DIR *tasks = opendir(t_format("/proc/%d/task", pid));
	const struct dirent *e;
	long sum = 0;

	if (!tasks)
		t_fail("process %d: %s", pid, strerror(errno));
	while ((e = readdir(tasks)))
		if (e->d_name[0] != '.')
			sum += strtol(t_read(t_format("/proc/%d/task/%s/schedstat", pid, e->d_name)), NULL, 10);
	closedir(tasks);
	return sum;
}

t_test(sem, thousand_waiters_need_few_threads_and_no_processor_and_end_at_once)
{
	pid_t pids[MANY];
	sem_t *sems[MANY];
	long used, deadline;
	int threads = 0;

	prefix = t_name("many");
	for (int i = 0; i < MANY; i++) {
		sems[i] = sem_open(t_format("/%s", nth(i)), O_CREAT, 0600, 0);
		cr_assert_neq(sems[i], SEM_FAILED);
		pids[i] = t_fork(wait_for_nth, &i);
	}
	for (int i = 0; i < MANY; i++)
		t_await_waiters(M, t_format("sem/%s", nth(i)), 1);
	sscanf(strstr(t_read(t_format("/proc/%d/status", M->daemon)), "Threads:"), "Threads: %d", &threads);
	cr_expect(threads > 0 && threads <= 16, "%d threads", threads);
	used = processor_time(M->daemon);
	poll(NULL, 0, 300); /* what is measured is that nothing is done in this time */
	used = processor_time(M->daemon) - used;
	cr_expect_leq(used, 30000000, "%ld ns of 300 ms", used);
	for (int i = 0; i < MANY; i += 2)
		kill(pids[i], SIGTERM);
	for (int i = 1; i < MANY; i += 2)
		sem_post(sems[i]);
	deadline = t_deadline(T_PATIENCE);
	for (int i = 0; i < MANY; i++)
		cr_expect_eq(t_wait_exit(pids[i], t_left(deadline), NULL), i % 2 ? 0 : 128 + SIGTERM, "%d", i);
	for (int i = 0; i < MANY; i += 2) {
		int value;

		sem_post(sems[i]);
		sem_getvalue(sems[i], &value);
		cr_expect_eq(value, 1, "%d", i);
	}
}

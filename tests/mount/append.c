/*
 * `>>` under `ulimit -f`: the kernel counts all that such a writer has ever written as the length of a file, and would
 * cut a message and then kill him where that meets the limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "queue.h"

/* Some times the limit of 64 KiB, in pieces of 8 KiB as seq(1) writes them. */
#define MUCH "(ulimit -f 64; exec seq 1 40000)"

t_test(append, a_writer_under_a_limit_loses_no_line_of_a_queue)
{
	t_name("");
	t_check("q=$M/mq/$P; touch $q@maxmsg=10,msgsize=64; cat $q@lines,n=40000 >out & " MUCH
		" >>$q@lines; echo $?; wait\n"
		"seq 1 40000 | cmp - out && rm $q out",
		"0\n");
}

t_test(append, a_writer_under_a_limit_loses_no_line_of_a_broadcast)
{
	t_name("");
	t_check("touch $M/bcast/$P; exec 3<$M/bcast/$P@lines; echo buffer=1M >$M/bcast/$P@ctl; " MUCH
		" >>$M/bcast/$P@lines; echo $?\n"
		"seq 1 40000 >all; head -n 40000 <&3 | cmp - all; echo $?; rm $M/bcast/$P",
		"0\n0\n");
}

t_test(append, a_writer_under_a_limit_loses_nothing_of_a_connection)
{
	t_name("");
	t_check("touch $M/sock/$P; cat $M/sock/$P >out & " MUCH
		" >>$M/sock/$P; echo $?; wait; seq 1 40000 | cmp - out; rm $M/sock/$P",
		"0\n");
}

t_test(append, a_writer_under_a_limit_posts_all_permits)
{
	t_name("");
	t_check("touch $M/sem/$P; (ulimit -f 1; exec 3>>$M/sem/$P; for i in {1..1500}; do echo 1 >&3; done); echo $?\n"
		"grep ^value= $M/sem/$P@ctl; rm $M/sem/$P",
		"0\nvalue=1500\n");
}

/* Half of the limit is reached by what the signal ends. */
t_test(append, a_writer_under_a_limit_is_told_of_the_part_that_was_taken_before_a_signal)
{
	pid_t pid;
	char *out;

	t_need("python3");
	t_name("");
	t_check("touch $M/mq/$P@maxmsg=10,msgsize=64", "");
	pid = t_spawn(M, "bash",
		      "ulimit -f 1; exec python3 -c 'import os, signal, sys\n"
		      "signal.signal(signal.SIGUSR1, lambda *a: None)\n"
		      "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n"
		      "print(os.write(fd, (b\"x\" * 63 + b\"\\n\") * 16))' $M/mq/$P@lines");
	t_await_waiters(M, t_format("mq/%s", t_name("")), 1);
	kill(pid, SIGUSR1);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_expect_str_eq(out, "640\n");
	t_check("rm $M/mq/$P", "");
}

/* Both directions of one descriptor. */
t_test(append, a_writer_under_a_limit_who_reads_too_goes_on)
{
	t_name("");
	t_check("touch $M/mq/$P@maxmsg=4,msgsize=64; (ulimit -f 1; exec python3 -c '\n"
		"import os,sys\n"
		"fd = os.open(sys.argv[1], os.O_RDWR | os.O_APPEND)\n"
		"for i in range(300):\n"
		"    line = b\"%030d\\n\" % i\n"
		"    assert os.write(fd, line) == len(line)\n"
		"    assert os.read(fd, 64) == line\n"
		"' $M/mq/$P@lines); echo $?; rm $M/mq/$P",
		"0\n");
}

t_test(append, a_writer_under_a_limit_goes_on_when_the_name_is_gone)
{
	t_name("");
	t_check("touch $M/bcast/$P; (ulimit -f 1; exec 3>>$M/bcast/$P; rm $M/bcast/$P; for i in {1..1500}; do echo 1 >&3; done); echo $?",
		"0\n");
}

/* Of more than half the manual says that it may be met: nothing tells the daemon of a limit before it looks again. */
t_test(append, a_writer_whose_limit_is_set_behind_his_open_goes_on_if_half_of_it_is_left)
{
	t_name("");
	t_check("touch $M/bcast/$P; (exec 3>>$M/bcast/$P; seq 1 6000 >&3; ulimit -f 64; seq 1 40000 >&3); echo $?; rm $M/bcast/$P",
		"0\n");
}

static void limit_set(rlim_t soft)
{
	const struct rlimit limit = {soft, RLIM_INFINITY};

	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The kernel keeps what it believed of the end for who opens the name again. */
t_test(append, a_writer_does_not_meet_the_end_of_those_before_him)
{
	char *path = t_path(M, "bcast/%s", t_name("b")), message[100] = "";
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	t_check("touch $M/bcast/${P}b", "");
	fd = t_open(path, O_WRONLY | O_APPEND);
	for (int i = 0; i < 30; i++)
		cr_assert_eq(write(fd, message, sizeof(message)), (ssize_t)sizeof(message));
	close(fd);
	fd = t_open(path, O_WRONLY | O_APPEND);
	limit_set(1024);
	cr_expect_eq(write(fd, message, sizeof(message)), (ssize_t)sizeof(message));
	limit_set(RLIM_INFINITY);
	close(fd);
}

t_test(append, the_size_stays_nothing_to_see)
{
	t_name("");
	t_check("touch $M/bcast/$P; (ulimit -f 64; exec 3>>$M/bcast/$P; seq 1 40000 >&3; stat -Lc %s /dev/fd/3 $M/bcast/$P); rm $M/bcast/$P",
		"0\n0\n");
}

static int threads(void)
{
	char *out = t_bash(0, "ls /proc/$(pgrep -f \" $M\\$\" | head -n1)/task | wc -l");

	return atoi(out);
}

t_test_bare(append, a_writer_without_a_limit_costs_no_helper)
{
	int before;

	M = t_mount_alone(); /* no helper is born for what others make */
	t_name("");
	t_check("touch $M/bcast/$P; echo >>$M/bcast/$P", "");
	before = threads();
	t_check("ulimit -f unlimited; seq 1 400000 >>$M/bcast/$P", "");
	cr_expect_leq(threads(), before);
}

/* --- a helper that waits --- */

enum { MESSAGE = 600, LIMIT = 4096 };

static int write_for_ever(void *path)
{
	const struct rlimit limit = {LIMIT, LIMIT};
	char message[MESSAGE] = "";
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	while (write(fd, message, sizeof(message)) == sizeof(message))
		;
	return 2;
}

/* Whether a helper waits to set attributes, as long as the writer's write waits. */
static bool helper_waits(void)
{
	return t_sh(M, "sh", t_format("grep -qs utimes /proc/%d/task/*/wchan", (int)M->daemon), NULL) == 0;
}

/*
 * A writer who waits for room in his queue, and keeps a helper waiting: where the daemon has no right to a helper that
 * is always before him.
 */
static pid_t writer_with_helper(void)
{
	struct queue q = queue_make("q", 4, MESSAGE);
	char buffer[MESSAGE];
	pid_t writer;

	if (access("/proc/self/wchan", R_OK) < 0)
		cr_skip_test("no /proc/PID/wchan here");
	prctl(PR_CAPBSET_DROP, CAP_SYS_NICE);
	M = t_mount_start(NULL);
	writer = t_fork(write_for_ever, t_path(M, "mq/%s", q.name));
	for (int i = 0; i < 500; i++) {
		t_await_waiters(M, t_format("mq/%s", q.name), 1);
		if (helper_waits())
			return writer;
		cr_assert_eq(mq_receive(q.fd, buffer, sizeof(buffer), NULL), MESSAGE);
	}
	cr_skip_test("no helper has come behind its writer");
	return -1;
}

t_test_bare(append, a_killed_daemon_ends_though_a_helper_waits)
{
	pid_t writer = writer_with_helper();

	t_mount_crash(M);
	cr_expect_eq(t_wait_exit(writer, T_PATIENCE, NULL), 2);
}

t_test_bare(append, a_daemon_ends_though_a_helper_waits)
{
	pid_t writer = writer_with_helper();

	kill(M->daemon, SIGTERM);
	cr_expect_eq(t_wait_exit(writer, T_PATIENCE, NULL), 2);
}

t_test_bare(append, a_writer_can_be_killed_though_a_helper_waits)
{
	pid_t writer = writer_with_helper();

	kill(writer, SIGKILL);
	cr_expect_eq(t_wait_exit(writer, T_PATIENCE, NULL), 128 + SIGKILL);
	t_await(!helper_waits());
}

/* As it is for an ordinary user's daemon. */
t_test_bare(append, a_daemon_without_the_right_to_hurry_helps_too)
{
	prctl(PR_CAPBSET_DROP, CAP_SYS_NICE);
	M = t_mount_start(NULL);
	t_name("");
	t_check("touch $M/bcast/$P; (ulimit -f 64; exec 3>>$M/bcast/$P; for i in {1..3000}; do echo "
		"1234567890123456789012345678901234567890123456789012345678901234567890 >&3; done); echo $?; rm $M/bcast/$P",
		"0\n");
}

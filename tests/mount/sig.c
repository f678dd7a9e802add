/* /sig through a mount: shells signal processes and wait for their ends. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

TestSuite(sig, .timeout = 60);

enum { ANN = 54321, BOB = 54322 };

/* A process to be signalled; scripts have its number as $T. */
static pid_t target(const char *script)
{
	pid_t pid = t_spawn(M, "bash", script);

	setenv("T", t_format("%d", pid), 1);
	t_wait_blocked(pid);
	return pid;
}

/* Shells and setpriv may sleep, too, before they are what they become. */
static pid_t await_sleep(pid_t pid)
{
	t_await(strcmp(t_read(t_format("/proc/%d/comm", pid)), "sleep\n") == 0);
	t_wait_blocked(pid);
	return pid;
}

static pid_t sleeper(void)
{
	return await_sleep(target("exec sleep 1000"));
}

static char *file_of(pid_t pid)
{
	return t_path(M, "sig/%d", pid);
}

/* The script fails and says so. */
static void check_says(const char *script, const char *part)
{
	char *out;

	cr_expect_neq(t_sh(M, "bash", script, &out), 0, "%s", script);
	cr_expect(strstr(out, part), "%s: %s", script, out);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGKILL);
}

/* --- sending --- */

t_test(sig, names_and_numbers_are_signals)
{
	const struct {
		const char *script;
		int signal;
	} cases[] = {
		{"echo TERM >$M/sig/$T", SIGTERM},
		{"echo SIGTERM >$M/sig/$T", SIGTERM},
		{"echo 15 >$M/sig/$T", SIGTERM},
		{"printf term >$M/sig/$T", SIGTERM},
		{"echo RTMIN+1 >$M/sig/$T", SIGRTMIN + 1},
		{"echo SIGRTMAX-1 >$M/sig/$T", SIGRTMAX - 1},
		{"echo 9 >>$M/sig/$T", SIGKILL},
		{"echo USR1 | tee $M/sig/$T >/dev/null", SIGUSR1},
		{"exec 3<>$M/sig/$T; echo HUP >&3", SIGHUP},
		{"dash -c 'echo INT >$M/sig/$T'", SIGINT},
		{"python3 -c 'import os; open(os.environ[\"M\"] + \"/sig/\" + os.environ[\"T\"], \"w\").write(\"ALRM\\n\")'",
		 SIGALRM},
	};

	t_need("python3");
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pid_t pid = sleeper();

		t_bash(0, cases[i].script);
		cr_expect_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + cases[i].signal, "%s", cases[i].script);
	}
}

t_test(sig, zero_only_tests)
{
	pid_t pid = sleeper();

	t_bash(0, "echo 0 >$M/sig/$T");
	cr_assert_eq(kill(pid, 0), 0);
	cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0);
	end(pid);
}

/* One after the other: two at once would be heard in an order that is the shell's own. */
t_test(sig, traps_of_a_shell_hear_it)
{
	pid_t pid = target("trap ': >heard' USR1; trap 'echo usr2; exit' USR2; mkfifo ready\n"
			   "exec 3<>ready; while :; do read -r <&3; done");
	char *out;

	t_await(access(t_format("%s/ready", t_scratch()), F_OK) == 0);
	t_bash(0, "echo USR1 >$M/sig/$T");
	t_await(access(t_format("%s/heard", t_scratch()), F_OK) == 0);
	t_bash(0, "echo USR2 >$M/sig/$T");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "usr2\n");
}

static int report_value(void *unused)
{
	sigset_t set;
	siginfo_t info;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	if (sigwaitinfo(&set, &info) != SIGRTMIN)
		return 1;
	printf("%d %d %d\n", info.si_value.sival_int, info.si_code == SI_QUEUE, info.si_pid);
	return 0;
}

t_test(sig, value_is_queued_with_its_sender)
{
	sigset_t set, before;
	pid_t pid, sender;
	char *out;

	/* Blocked before it can come. */
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, &before);
	pid = t_fork(report_value, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	sender = t_spawn(M, "bash", t_format("echo RTMIN -42 >$M/sig/%d", pid));
	cr_assert_eq(t_wait_exit(sender, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, t_format("-42 1 %d\n", sender));
}

/* --- refusals --- */

t_test(sig, word_that_is_no_signal_is_einval)
{
	static const char *const words[] = {"FOO",    "SIG",	  "65",	      "-9",
					    "TERM x", "TERM 1 2", "RTMIN+99", "TERM 4294967296"};
	pid_t pid = sleeper();

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		check_says(t_format("echo '%s' >$M/sig/$T", words[i]), "Invalid argument");
	cr_expect(t_refused("EINVAL: no signal 'FOO'; there are HUP INT QUIT"));
	cr_expect(t_refused("EINVAL: a line is SIGNAL or SIGNAL VALUE"));
	cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0);
	end(pid);
}

t_test(sig, name_that_is_not_one_process_is_einval)
{
	static const char *const names[] = {"0", "-1", "-$$", "x", "01", "self", "4194304"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_says(t_format("echo 0 >$M/sig/%s", names[i]), "Invalid argument");
	cr_expect(t_refused("sig/0: EINVAL: the name is the number of one process"));
	cr_expect(t_refused("sig/-1: EINVAL: the name is the number of one process"));
	check_says("cat $M/sig/-1", "No such file");
}

t_test(sig, dead_process_is_esrch)
{
	pid_t pid = sleeper();

	end(pid);
	check_says("echo TERM >$M/sig/$T", "No such process");
	cr_expect(t_refused(t_format("sig/%d: ESRCH: there is no process %d", pid, pid)));
}

t_test(sig, thread_is_esrch)
{
	t_need("python3");
	pid_t pid = target(
		"exec python3 -c 'import threading, time\n"
		"t = threading.Thread(target=time.sleep, args=(1000,), daemon=True); t.start()\n"
		"open(\"tid.new\", \"w\").write(str(t.native_id)); import os; os.rename(\"tid.new\", \"tid\"); t.join()'");

	t_await(access(t_format("%s/tid", t_scratch()), F_OK) == 0);
	check_says("echo TERM >$M/sig/$(cat tid)", "No such process");
	cr_expect(t_refused(t_format("is a thread of process %d", pid)));
	end(pid);
}

t_test(sig, names_cannot_be_made_moved_or_removed)
{
	pid_t pid = sleeper();

	check_says("rm $M/sig/$T", "not permitted");
	cr_expect(t_refused("EPERM: a process is not ended by rm"));
	check_says("mkdir $M/sig/new", "not permitted");
	check_says("touch $M/sig/new", "Invalid argument");
	check_says("mv $M/sig/$T $M/sig/1", "not supported");
	cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0);
	end(pid);
}

/* --- several users --- */

static pid_t users_target(uid_t uid)
{
	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	if (!M)
		M = t_mount_start("-o", "allow_other", NULL);
	return await_sleep(target(t_format("exec setpriv --reuid=%u --regid=%u --clear-groups sleep 1000", uid, uid)));
}

static char *as(uid_t uid, const char *script)
{
	return t_format("exec setpriv --reuid=%u --regid=%u --clear-groups bash -c '%s'", uid, uid, script);
}

t_test_bare(sig, anothers_process_is_eperm_and_errors_says_who)
{
	pid_t pid = users_target(ANN);

	check_says(as(BOB, "echo TERM >$M/sig/$T"), "not permitted");
	check_says(as(BOB, "echo 0 >$M/sig/1"), "not permitted");
	t_check(as(BOB, "grep -c EPERM $M/errors"), "2\n");
	t_check(as(BOB, "grep -o \"user 54322 may not send a signal to process $T\" $M/errors"),
		t_format("user 54322 may not send a signal to process %d\n", pid));
	t_bash(0, as(ANN, "echo TERM >$M/sig/$T"));
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGTERM);
}

t_test_bare(sig, listing_is_what_the_caller_may_signal)
{
	pid_t pid = users_target(ANN), bobs = users_target(BOB);

	cr_assert_eq(access(file_of(pid), F_OK), 0);
	t_check(as(ANN, t_format("for p in %d %d 1; do ls $M/sig | grep -x $p || echo no; done", pid, bobs)),
		t_format("%d\nno\nno\n", pid));
	t_check(t_format("for p in %d %d 1; do ls $M/sig | grep -x $p || echo no; done", pid, bobs),
		t_format("%d\n%d\n1\n", pid, bobs));
	/* Of himself, and of nobody that kill would refuse. */
	t_check(as(BOB,
		   "ls $M/sig | grep -cx $$; for p in $(ls $M/sig); do kill -0 $p 2>&1; done | grep -c permitted; true"),
		"1\n0\n");
	end(pid);
	end(bobs);
}

static int sleep_in_our_memory(void *unused)
{
	(void)unused;
	while (pause() < 0)
		;
	return 0;
}

/*
 * More of them than a page holds numbers: what a helper keeps them in has to grow. They share our memory, since to copy
 * what describes it takes many times as long, and longest under a sanitizer.
 */
t_test(sig, thousands_of_processes_are_listed)
{
	enum { MANY = 2500, STACK = 16384 };
	static char stacks[MANY][STACK] __attribute__((aligned(16)));
	static pid_t pid[MANY];

	for (int i = 0; i < MANY; i++) {
		pid[i] = clone(sleep_in_our_memory, stacks[i] + STACK, CLONE_VM | SIGCHLD, NULL);
		cr_assert_gt(pid[i], 0, "%s", strerror(errno));
	}
	cr_expect_geq(atoi(t_bash(0, "ls $M/sig | wc -l")), MANY);
	for (int i = 0; i < MANY; i++)
		kill(pid[i], SIGKILL);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(waitpid(pid[i], NULL, 0), pid[i]);
}

t_test_bare(sig, right_to_send_is_the_openers)
{
	pid_t pid = users_target(ANN);

	t_bash(0, t_format("exec 3>$M/sig/$T; %s", as(BOB, "echo WINCH >&3")));
	check_says(as(BOB, "exec 3>$M/sig/$T && echo opened && echo WINCH >&3"), "not permitted");
	cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0);
	end(pid);
}

/* --- the process that was meant --- */

static int sleep_on(void *unused)
{
	(void)unused;
	return pause();
}

/* A new process with that number, which the kernel gives it. */
static pid_t reuse(pid_t number)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(sleep_on(NULL));
	}
	if (pid < 0 && errno == EPERM)
		cr_skip_test("only root can choose the number of a process");
	cr_assert_eq(pid, number, "%s", strerror(errno));
	return pid;
}

t_test(sig, process_that_has_the_number_later_is_not_hit)
{
	pid_t first = t_fork(sleep_on, NULL), second;
	char *file = file_of(first);
	int fd = t_open(file, O_RDWR);

	end(first);
	usleep(20000); /* when it started is counted in hundredths of a second */
	second = reuse(first);
	t_check_errno(write(fd, "KILL\n", 5), ESRCH);
	cr_assert_eq(read(fd, (char[1]){0}, 1), 0, "the first one has ended");
	cr_assert(t_refused(t_format("ESRCH: process %d, which was opened, has ended", first)));
	cr_assert_eq(waitpid(second, NULL, WNOHANG), 0);
	/* The name is the second one's now. */
	int now = t_open(file, O_WRONLY);
	cr_assert_eq(write(now, "TERM\n", 5), 5);
	cr_assert_eq(t_wait_exit(second, T_PATIENCE, NULL), 128 + SIGTERM);
}

/* --- waiting for the end --- */

t_test(sig, read_waits_for_the_end_of_the_process)
{
	pid_t pid = sleeper(), reader = t_spawn(M, "bash", "cat $M/sig/$T; echo gone");
	struct pollfd p = {.fd = t_open(file_of(pid), O_RDONLY), .events = POLLIN};
	char *out;

	t_await_waiters(M, t_format("sig/%d", pid), 1);
	cr_assert_eq(poll(&p, 1, 0), 0);
	kill(pid, SIGTERM);
	/* Before anybody has taken its status. */
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "gone\n");
	cr_assert_eq(poll(&p, 1, T_PATIENCE), 1);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGTERM);
}

t_test(sig, wait_for_the_end_times_out_and_can_be_interrupted)
{
	pid_t pid = sleeper();

	check_says("cat $M/sig/$T@timeout=50ms", "timed out");
	t_bash(124, "timeout 0.1 cat $M/sig/$T");
	t_bash(137, "timeout -s KILL 0.1 cat $M/sig/$T");
	check_says("exec dd iflag=nonblock if=$M/sig/$T", "temporarily unavailable");
	t_await_waiters(M, t_format("sig/%d", pid), 0);
	cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0);
	end(pid);
}

t_test(sig, ctl_tells_of_the_process)
{
	pid_t pid = sleeper();
	char *text = t_read(t_format("%s@ctl", file_of(pid)));

	cr_assert(strstr(text, t_format("pid=%d\ncommand=sleep\nstate=sleeping\nuid=%u\n", pid, getuid())), "%s", text);
	t_bash(0, "echo STOP >$M/sig/$T");
	t_await(strstr(t_read(t_format("%s@ctl", file_of(pid))), "state=stopped\n"));
	end(pid);
}

/* By a helper, as they are not those of the daemon's user: SIGCHLD comes before the answer. */
t_test_bare(sig, another_users_script_ends_its_own_children)
{
	if (geteuid() != 0)
		cr_skip_test("only root's mount has other users");
	M = t_mount_start("-o", "allow_other", NULL);
	t_check("exec setpriv --reuid=54321 --regid=54321 --clear-groups bash -c "
		"'for i in {1..30}; do sleep 60 & echo TERM > $M/sig/$! || exit; wait $!; done; echo $?'",
		"143\n");
}

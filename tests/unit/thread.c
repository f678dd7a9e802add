/* What /proc tells of processes that the tests start. */
#include "base/thread.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

TestSuite(thread, .timeout = 20);

/* Until the condition holds; nothing tells when the kernel has done what was asked of it. */
#define await(condition)                                                                                               \
	while (!(condition))                                                                                           \
	usleep(1000)

static struct ipc_thread seen(pid_t pid)
{
	struct ipc_thread t = {.state = 0};

	cr_assert(ipc_thread_read(pid, &t));
	return t;
}

static void on_signal(int sig)
{
	(void)sig;
}

/* Stopped, and so a signal that it does not ignore waits for it; prepare() runs in it first. */
static pid_t stopped(void (*prepare)(void))
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prepare();
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_assert(WIFSTOPPED(status));
	return pid;
}

static void handle_term(void)
{
	signal(SIGTERM, on_signal);
}

static void block_term(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void handle_usr1(void)
{
	signal(SIGUSR1, on_signal);
}

/* In a read of an empty pipe, which is *fd. */
static pid_t reader(int *fd)
{
	int ends[2];
	pid_t pid;
	char byte;

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(read(ends[0], &byte, 1) == 1);
	}
	*fd = ends[0];
	await(ipc_thread_sleeps_in(pid, "pipe") || seen(pid).state == 'S');
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(thread, a_sleeper_sleeps)
{
	pid_t pid = u_process();

	await(seen(pid).state == 'S');
	end(pid);
}

Test(thread, who_asks_runs)
{
	cr_assert_eq(seen(getpid()).state, 'R');
}

Test(thread, one_that_is_over_is_a_zombie)
{
	pid_t pid = u_process();
	siginfo_t info;

	kill(pid, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(seen(pid).state, 'Z');
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(thread, one_that_is_gone_is_not_seen)
{
	pid_t pid = u_process();
	struct ipc_thread t;

	end(pid);
	cr_assert_not(ipc_thread_read(pid, &t));
	cr_assert_not(ipc_thread_sleeps_in(pid, ""));
}

static void *sleep_long(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}

Test(thread, the_threads_of_its_process_are_counted)
{
	unsigned before = seen(getpid()).threads;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, sleep_long, NULL), 0);
	cr_assert_eq(seen(getpid()).threads, before + 1);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

Test(thread, nothing_ends_who_has_no_signal)
{
	pid_t pid = stopped(handle_term);

	cr_assert_not(seen(pid).ending);
	end(pid);
}

Test(thread, a_signal_that_waits_for_it_ends_it)
{
	pid_t pid = stopped(handle_term);

	kill(pid, SIGTERM);
	cr_assert(seen(pid).ending);
	end(pid);
}

Test(thread, a_blocked_signal_does_not_end_it)
{
	pid_t pid = stopped(block_term);

	kill(pid, SIGTERM);
	cr_assert_not(seen(pid).ending);
	end(pid);
}

Test(thread, a_signal_for_other_purposes_does_not_end_it)
{
	pid_t pid = stopped(handle_usr1);

	kill(pid, SIGUSR1);
	cr_assert_not(seen(pid).ending);
	end(pid);
}

Test(thread, the_call_that_it_sleeps_in_has_its_first_argument)
{
	unsigned long argument = 0;
	int fd;
	pid_t pid = reader(&fd);

	if (access("/proc/self/syscall", R_OK) < 0)
		cr_skip_test("this kernel tells nobody of system calls");
	await(ipc_thread_call(pid, &argument) == SYS_read);
	cr_assert_eq(argument, fd);
	end(pid);
}

Test(thread, who_runs_is_in_no_call)
{
	unsigned long argument;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (volatile unsigned turns = 0;; turns++)
			;
	}
	cr_assert_eq(ipc_thread_call(pid, &argument), -1);
	end(pid);
}

Test(thread, no_process_is_in_no_call)
{
	unsigned long argument;

	cr_assert_eq(ipc_thread_call(0, &argument), -1);
}

Test(thread, the_function_that_it_sleeps_in_is_known_by_a_part_of_its_name)
{
	int fd;
	pid_t pid = reader(&fd);

	await(ipc_thread_sleeps_in(pid, "pipe"));
	cr_assert_not(ipc_thread_sleeps_in(pid, "no_function_of_the_kernel"));
	end(pid);
}

Test(thread, who_has_started_none_is_childless)
{
	pid_t pid = u_process();

	cr_assert(ipc_thread_is_childless(pid));
	end(pid);
}

Test(thread, who_has_started_one_is_not_childless)
{
	pid_t pid = u_process();

	cr_assert_not(ipc_thread_is_childless(getpid()));
	end(pid);
}

Test(thread, nothing_is_certain_of_one_that_is_gone)
{
	pid_t pid = u_process();

	end(pid);
	cr_assert_not(ipc_thread_is_childless(pid));
}

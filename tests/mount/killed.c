/*
 * The daemon is killed while a helper of its own waits for a directory of the mount, whose lock is held by somebody who
 * waits for the daemon. No signal ends the helper's wait: so the daemon's end must close /dev/fuse all the same, or
 * nobody of them would ever go on, nor end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Behind <sys/ptrace.h>, with which it shares names. */
#include <linux/ptrace.h>

#include "harness.h"

TestSuite(killed, .timeout = 60);

/* Returns the wait status of the daemon's next stop. */
static int daemon_run(enum __ptrace_request how)
{
	int status;

	cr_assert_eq(ptrace(how, M->daemon, NULL, NULL), 0);
	cr_assert_eq(waitpid(M->daemon, &status, __WALL), M->daemon);
	return status;
}

/* From now on the daemon stops when it makes a thread, and the thread does before it begins. */
static void trace_threads(void)
{
	int status;

	if (ptrace(PTRACE_SEIZE, M->daemon, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) < 0)
		cr_skip_test("ptrace: %s", strerror(errno));
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, M->daemon, NULL, NULL), 0);
	cr_assert_eq(waitpid(M->daemon, &status, __WALL), M->daemon);
	cr_assert_eq(ptrace(PTRACE_CONT, M->daemon, NULL, NULL), 0);
}

/* Whether the daemon is about to answer a request or to take one: by then it has given its helper the work. */
static bool is_at_requests(void)
{
	struct ptrace_syscall_info info = {0};

	ptrace(PTRACE_GET_SYSCALL_INFO, M->daemon, sizeof(info), &info);
	return info.op == PTRACE_SYSCALL_INFO_ENTRY && (info.entry.nr == SYS_writev || info.entry.nr == SYS_read);
}

/* The helper that the daemon has made, stopped as the daemon itself. */
static pid_t helper_born(void)
{
	unsigned long helper;
	int status;

	do
		cr_assert_eq(waitpid(M->daemon, &status, __WALL), M->daemon);
	while (status >> 8 != (SIGTRAP | PTRACE_EVENT_CLONE << 8) &&
	       ptrace(PTRACE_CONT, M->daemon, NULL, (void *)(long)WSTOPSIG(status)) == 0);
	cr_assert_eq(ptrace(PTRACE_GETEVENTMSG, M->daemon, NULL, &helper), 0);
	cr_assert_eq(waitpid((pid_t)helper, &status, __WALL), (pid_t)helper);
	while (!is_at_requests())
		daemon_run(PTRACE_SYSCALL);
	return (pid_t)helper;
}

/* It goes on, while the daemon stands still, until it sleeps where only the lock's holder could wake it. */
static void helper_waits_for_lock(pid_t helper)
{
	char *stat = t_format("/proc/%d/task/%d/stat", (int)M->daemon, (int)helper);

	cr_assert_eq(ptrace(PTRACE_DETACH, helper, NULL, NULL), 0);
	t_await(strstr(t_read(stat), ") D "));
}

static void check_all_end(const pid_t *clients, size_t count)
{
	t_mount_crash(M);
	for (size_t i = 0; i < count; i++)
		t_wait_exit(clients[i], T_PATIENCE, &(char *){NULL});
}

/* Who makes a pipe by O_EXCL has its directory's lock while its helper opens the pipe. */
t_test(killed, while_a_new_pipe_is_opened_by_name)
{
	pid_t maker, helper;

	M = t_mount_alone(); /* no helper is born for what others make */
	trace_threads();
	maker = t_spawn(M, "sh", "set -C; exec 3> $M/pipe/p");
	helper = helper_born();
	helper_waits_for_lock(helper);
	check_all_end(&maker, 1);
}

t_test(killed, while_a_fifo_face_is_opened_by_name)
{
	pid_t clients[2], helper;

	M = t_mount_alone();
	t_sh(M, "sh", "touch $M/bcast/b", NULL);
	trace_threads();
	clients[0] = t_spawn(M, "sh", "exec cat $M/bcast/b@fifo");
	helper = helper_born();
	clients[1] = t_spawn(M, "sh", "exec mkdir $M/d");
	t_await(t_in_request(clients[1]));
	helper_waits_for_lock(helper);
	check_all_end(clients, 2);
}

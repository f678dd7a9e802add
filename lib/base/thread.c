#include "thread.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

enum { STATUS_SIZE = 4096 };

static uint64_t signal_bit(int number)
{
	return UINT64_C(1) << (number - 1);
}

/* The number behind a line's name, in the text of /proc/PID/status; 0 where there is none. */
static uint64_t status_number(const char *status, const char *name, int base)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

static char status_state(const char *status)
{
	const char *at = strstr(status, "\nState:\t");

	return at ? at[strlen("\nState:\t")] : '?';
}

/*
 * A signal that ends a process by default has become a SIGKILL for each of its threads; one with a handler, or for
 * which the program waits, is pending itself.
 */
static bool status_is_ending(const char *status)
{
	uint64_t own = status_number(status, "\nSigPnd:", 16), all = own | status_number(status, "\nShdPnd:", 16);
	uint64_t asks = signal_bit(SIGTERM) | signal_bit(SIGINT) | signal_bit(SIGHUP) | signal_bit(SIGQUIT) |
			signal_bit(SIGALRM);

	return (own & signal_bit(SIGKILL)) || (all & asks & ~status_number(status, "\nSigBlk:", 16));
}

bool ipc_thread_read(pid_t thread, struct ipc_thread *t)
{
	char status[STATUS_SIZE];

	if (ipc_proc_read_of(thread, "status", status, sizeof(status)) <= 0)
		return false;
	t->state = status_state(status);
	t->ending = status_is_ending(status);
	t->threads = (unsigned)status_number(status, "\nThreads:", 10);
	return true;
}

/* /proc/PID/syscall of a thread that sleeps in the kernel begins with the call's number, and is "running" for others.
 */
long ipc_thread_call(pid_t thread, unsigned long *argument)
{
	char text[256];
	long number;

	if (thread <= 0 || ipc_proc_read_of(thread, "syscall", text, sizeof(text)) <= 0)
		return -1;
	return sscanf(text, "%ld %lx", &number, argument) == 2 && number >= 0 ? number : -1;
}

bool ipc_thread_sleeps_in(pid_t thread, const char *function)
{
	char text[64];

	return ipc_proc_read_of(thread, "wchan", text, sizeof(text)) > 0 && strstr(text, function);
}

bool ipc_thread_is_childless(pid_t thread)
{
	char path[48], children[16];

	snprintf(path, sizeof(path), "task/%d/children", (int)thread);
	return ipc_proc_read_of(thread, path, children, sizeof(children)) == 0;
}

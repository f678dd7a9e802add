/* What a caller is about: a LOOKUP does not say for which system call it is made. */
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/proc.h"
#include "fs.h"

/*
 * /proc/PID/syscall of a thread that sleeps in the kernel begins with the call's number, and is "running" for others.
 */
static long caller_syscall(pid_t thread)
{
	char text[32];

	if (thread <= 0 || ipc_proc_read_of(thread, "syscall", text, sizeof(text)) <= 0 || text[0] < '0' ||
	    text[0] > '9')
		return -1;
	return strtol(text, NULL, 10);
}

bool fs_caller_is_in(pid_t thread, long number)
{
	return caller_syscall(thread) == number;
}

bool fs_caller_opens(pid_t thread)
{
	static const long opens[] = {
#ifdef SYS_open
		SYS_open,
		SYS_creat,
#endif
		SYS_openat,
		SYS_openat2,
	};
	long number = caller_syscall(thread);

	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++)
		if (number == opens[i])
			return true;
	return false;
}

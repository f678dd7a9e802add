/* What a caller is about: a LOOKUP does not say for which system call it is made. */
#include <sys/syscall.h>

#include "base/thread.h"
#include "fs.h"

bool fs_caller_is_in(pid_t thread, long number)
{
	unsigned long argument;

	return ipc_thread_call(thread, &argument) == number;
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
	unsigned long argument;
	long number = ipc_thread_call(thread, &argument);

	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++)
		if (number == opens[i])
			return true;
	return false;
}

/* Who calls, and what he is about: a LOOKUP does not say for which system call it is made. */
#include <sys/syscall.h>

#include "base/thread.h"
#include "fs.h"

struct ipc_cred fs_cred(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct ipc_cred){.uid = ctx->uid, .gid = ctx->gid, .pid = ctx->pid};
}

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

/* The only place where a negative errno becomes an answer. */
#include <errno.h>
#include <sys/resource.h>

#include "base/sys.h"
#include "fs.h"

/* To his program it looks as if that had too many files open itself. */
static void error_explain_descriptors(fuse_req_t req)
{
	const struct ipc_cred cred = fs_cred(req);
	struct rlimit limit = {0};

	getrlimit(RLIMIT_NOFILE, &limit);
	ipc_refuse(
		fs_of(req)->ipc, &cred, EMFILE, "ipcfs",
		"the daemon has as many files open as it may (RLIMIT_NOFILE, %llu), not your program: close channels, "
		"or raise it where ipcfs is started (ulimit -n, LimitNOFILE= of its unit)",
		(unsigned long long)limit.rlim_cur);
}

int fs_reply_err(fuse_req_t req, int negative_errno)
{
	if (negative_errno == IPC_ASKED)
		return fs_replay_later(req);
	if (negative_errno == -EMFILE && ipc_lacks_descriptors())
		error_explain_descriptors(req);
	/*
	 * By ENOSYS the kernel would learn that nobody here serves this kind of request, and never send one again:
	 * after one OPEN so refused, all others would succeed without us.
	 */
	return fuse_reply_err(req, negative_errno == -ENOSYS ? EOPNOTSUPP : -negative_errno);
}

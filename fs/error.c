/* The only place where a negative errno becomes an answer. */
#include <errno.h>

#include "fs.h"

int fs_reply_err(fuse_req_t req, int negative_errno)
{
	if (negative_errno == IPC_ASKED)
		return fs_replay_later(req);
	/*
	 * By ENOSYS the kernel would learn that nobody here serves this kind of request, and never send one again:
	 * after one OPEN so refused, all others would succeed without us.
	 */
	return fuse_reply_err(req, negative_errno == -ENOSYS ? EOPNOTSUPP : -negative_errno);
}

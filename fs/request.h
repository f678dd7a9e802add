/* The buffer of the request at hand, which whoever handles a large write may keep rather than copy. */
#ifndef FS_REQUEST_H
#define FS_REQUEST_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include "ipc.h"

/* All 0 at first. */
struct fs_request {
	struct fuse_buf buf;
	struct ipc_loan loan; /* buf's memory, while its request is handled: buf has none then */
	void *spare;	      /* as large as buf's; NULL: none */
	size_t size;	      /* that each of these buffers has at least; 0: not known yet */
	bool lent;
};

/*
 * Lends the buffer that `data` lies in until fs_request_handled(); NULL: for less than a few pages it is not lent, as
 * it is much larger than what most requests need.
 */
struct ipc_loan *fs_request_lend(struct fs_request *, const char *data, size_t size);
void fs_request_handled(struct fs_request *);
/*
 * Takes what is lent, to be given back; of no memory where the data are to be copied, as one buffer at a time can be
 * taken, and another one is needed.
 */
struct ipc_loan fs_request_take(struct fs_request *);
/* taken: as it is by now. Its size 0: nothing was taken. */
void fs_request_give(struct fs_request *, const struct ipc_loan *taken);
void fs_request_free(struct fs_request *);

#endif

/* The buffer of the request at hand, which a large write that waits may keep rather than copy. */
#ifndef FS_REQUEST_H
#define FS_REQUEST_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

/* All 0 at first. */
struct fs_request {
	struct fuse_buf buf;
	void *spare; /* as large as buf's; NULL: none */
	bool lent;
};

/*
 * The buffer that `data` lies in, to be given back; NULL: the data are to be copied, as one buffer at a time is lent,
 * and for no less than a few pages: it is much larger than what most requests need. So it is also without memory.
 */
void *fs_request_take(struct fs_request *, const char *data, size_t size);
void fs_request_give(struct fs_request *, void *buffer); /* NULL: nothing was taken */
void fs_request_free(struct fs_request *);

#endif

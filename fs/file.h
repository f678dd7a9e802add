/* An open file, as those who open it (open.c, create.c) and who read and write it (io.c) see it. */
#ifndef FS_FILE_H
#define FS_FILE_H

#include "fs.h"
#include "ring.h"

/* What fi->fh points to. */
struct fs_file {
	struct ipc_list link; /* of all that are open */
	struct fs *fs;
	struct fs_node *node;
	struct ipc_handle *handle;	 /* NULL: a text */
	struct fuse_pollhandle *waiting; /* who polls and wants to be told */
	bool backed;			 /* the kernel serves it: passthrough.h */
	pid_t opener;
	int flags; /* open(2)'s */
	bool told; /* a read through the page cache was explained */
	struct fs_ring ring;
	off_t append_due;	  /* append.h: where its end is looked at again */
	struct ipc_timer settled; /* some time after a writer's open */
	struct ipc_text text;
	uid_t charged_to; /* who has the text's bytes */
	size_t charged;
};

static inline struct fs_file *fs_file_of(const struct fuse_file_info *fi)
{
	return (struct fs_file *)(uintptr_t)fi->fh;
}

/* NULL: a text. */
static inline struct ipc_handle *fs_file_handle(const struct fuse_file_info *fi)
{
	return fs_file_of(fi)->handle;
}

/* NULL: no memory. */
struct fs_file *fs_file_new(struct fs *, struct fs_node *, pid_t opener, int flags);
/*
 * Whether the kernel would serve it where it must: 0, or -errno with a line in errors. Asked before anything is made or
 * truncated.
 */
int fs_file_may_back(struct fs *, const struct ipc_cred *, const struct ipc_ref *);
/* Has the kernel itself serve the open file, where it must. 0 or -errno. */
int fs_file_back(struct fs_file *, const struct ipc_cred *);
/* Its handle is ready for use. */
void fs_file_serves(struct fs_file *);
/* Closes it: the end of what a RELEASE names. */
void fs_file_free(struct fs_file *);
/* It has a size of its own, and may be read at any offset. */
static inline bool fs_file_is_plain(const struct fs_file *file)
{
	struct stat st;

	return ipc_handle_stat(file->handle, &st) == 0;
}

/* To be called before a successful open is answered. */
void fs_file_opened(struct fs_file *);
/* FOPEN_ of <linux/fuse.h>. */
uint32_t fs_file_flags(const struct fs_file *);

/* status.c: opens a text that is made in steps; answers the request. */
void fs_status_open(struct fs_file *, fuse_req_t);

/*
 * Submits an operation of the file's handle, and answers the request when it is over. The answer of a failed open frees
 * the file.
 */
void fs_file_submit(fuse_req_t, struct fs_file *, struct ipc_op *);

#endif

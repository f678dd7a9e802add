/*
 * FUSE passthrough: reads, writes and mappings of an open file that the kernel takes to another file by itself. Shared
 * memory is served so to callers whose /dev/shm is not ours. It needs Linux 6.9, CAP_SYS_ADMIN and libfuse 3.13.
 * libfuse has it in its API since 3.17; the session's answer to INIT is completed on its way out instead, which is the
 * same with all of them.
 */
#ifndef FS_PASSTHROUGH_H
#define FS_PASSTHROUGH_H

#include <stdbool.h>
#include <stdint.h>

/* Of <linux/fuse.h>, 7.40. */
enum { FS_FOPEN_PASSTHROUGH = 1 << 7 };

struct fs;
struct fs_node;

/* What a session knows about it. */
struct fs_passthrough {
	bool asked;    /* the kernel has sent INIT */
	uint64_t init; /* its number, while the offer in it waits to be accepted; 0 */
	bool offered;  /* and accepted */
};

/* Behind fuse_session_mount(). Without it, or where the kernel does not offer it, nothing is served so. */
void fs_passthrough_start(struct fs *);
/* Whether this kernel and our rights suffice. */
bool fs_passthrough_works(const struct fs *);
/*
 * Lets fd's file stand behind the node, for one more open file; all of a node have the same. 0, or -errno: -EOPNOTSUPP
 * where this kernel or our rights do not suffice.
 */
int fs_passthrough_attach(struct fs *, struct fs_node *, int fd);
void fs_passthrough_detach(struct fs *, struct fs_node *);

#endif

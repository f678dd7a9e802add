/* Memory goes back to the system when many names have come and gone. */
#ifndef FS_TRIM_H
#define FS_TRIM_H

#include <stddef.h>

#include "ipc.h"

struct fs_trim {
	struct ipc_loop *loop;
	struct ipc_timer timer;
	size_t gone, before; /* nodes that were freed since memory went back last; and up to the look before */
};

/* A node was freed. */
void fs_trim_gone(struct fs_trim *);
/* Before the loop is freed. */
void fs_trim_end(struct fs_trim *);

#endif

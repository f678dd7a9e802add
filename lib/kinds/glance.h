/*
 * What a kind keeps of objects whose state is looked at again and again, as by ipcfs-top each second, so that a look is
 * no open. By the object's number; what has not been looked at for some seconds is dropped.
 */
#ifndef IPC_GLANCE_H
#define IPC_GLANCE_H

#include <sys/types.h>

#include "base/loop.h"

enum { IPC_GLANCE_MAX = 8192, IPC_GLANCE_BUCKETS = 1024 };

struct ipc_glance {
	struct ipc_glance *next;
	ino_t ino;
	bool used; /* since the last time that all were looked through */
};

struct ipc_glances {
	struct ipc_loop *loop;
	void (*drop)(struct ipc_glance *); /* frees it */
	struct ipc_glance *buckets[IPC_GLANCE_BUCKETS];
	unsigned count, at;
	struct ipc_timer timer;
};

void ipc_glances_init(struct ipc_glances *, struct ipc_loop *, void (*drop)(struct ipc_glance *));
void ipc_glances_fini(struct ipc_glances *);
/* NULL: there is none. */
struct ipc_glance *ipc_glance_find(struct ipc_glances *, ino_t);
/* False: there are too many, and it is dropped. */
bool ipc_glance_add(struct ipc_glances *, struct ipc_glance *, ino_t);
void ipc_glance_drop(struct ipc_glances *, struct ipc_glance *);

#endif

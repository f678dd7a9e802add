/*
 * The interrupt of a request that waits, FUSE_INTERRUPT. libfuse calls back under a lock of the request, which it takes
 * again to register: what an interrupt ends may answer the request, but not watch it. It may also call from within the
 * registration, where the request must not be answered.
 */
#ifndef FS_INTERRUPT_H
#define FS_INTERRUPT_H

#include <fuse_lowlevel.h>
#include <stdbool.h>

/* Embedded in what waits, and there until the request is answered. */
struct fs_interrupt {
	void (*end)(struct fs_interrupt *);
	bool starting, early;
};

/*
 * Calls end() when the request is interrupted from now on. False: it has been already, and the caller ends it; end() is
 * not called.
 */
bool fs_interrupt_watch(struct fs_interrupt *, fuse_req_t, void (*end)(struct fs_interrupt *));

#endif

/* What the allocator keeps: trim.h. */
#include "trim.h"

#include <malloc.h>

/* So many nodes that went are worth a walk through the heap, once fewer go within that time. */
enum { TRIM_MIN = 512, TRIM_FEW = 128 };
#define TRIM_NS INT64_C(500000000)

/* The allocator keeps what is free below anything in use: after many names have come and gone that is nearly all. */
static void trim_check(struct ipc_timer *timer)
{
	struct fs_trim *trim = ipc_container(timer, struct fs_trim, timer);
	bool many = trim->gone - trim->before > TRIM_FEW;

	trim->before = trim->gone;
	if (many && ipc_timer_start(trim->loop, timer, ipc_now() + TRIM_NS, trim_check) == 0)
		return;
	trim->gone = trim->before = 0;
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void fs_trim_gone(struct fs_trim *trim)
{
	if (++trim->gone >= TRIM_MIN && trim->loop && !trim->timer.slot)
		ipc_timer_start(trim->loop, &trim->timer, ipc_now() + TRIM_NS, trim_check);
}

void fs_trim_end(struct fs_trim *trim)
{
	if (trim->loop)
		ipc_timer_stop(trim->loop, &trim->timer);
	trim->loop = NULL;
}

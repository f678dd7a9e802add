/* The interrupt of a request that waits. */
#include "interrupt.h"

static void interrupted(fuse_req_t req, void *arg)
{
	struct fs_interrupt *i = arg;

	(void)req;
	if (i->starting)
		i->early = true;
	else
		i->end(i);
}

bool fs_interrupt_watch(struct fs_interrupt *i, fuse_req_t req, void (*end)(struct fs_interrupt *))
{
	*i = (struct fs_interrupt){.end = end, .starting = true};
	fuse_req_interrupt_func(req, interrupted, i);
	i->starting = false;
	return !i->early;
}

/* Requests that are answered when a helper has done what they take. */
#include <errno.h>

#include "fs.h"

static void deferred_give_up(struct fs_deferred *d, int err)
{
	fuse_req_t req = d->req;

	if (!req)
		return;
	d->req = NULL;
	if (d->cancel)
		d->cancel(d);
	fs_reply_err(req, err);
}

static void deferred_interrupt(struct fs_interrupt *interrupt)
{
	deferred_give_up(ipc_container(interrupt, struct fs_deferred, interrupt), -EINTR);
}

void fs_deferred_start(struct fs *fs, struct fs_deferred *d, fuse_req_t req, void (*cancel)(struct fs_deferred *))
{
	d->req = req;
	d->cancel = cancel;
	ipc_list_append(&fs->deferred, &d->link);
	if (cancel && !fs_interrupt_watch(&d->interrupt, req, deferred_interrupt))
		deferred_give_up(d, -EINTR);
}

fuse_req_t fs_deferred_end(struct fs_deferred *d)
{
	ipc_list_remove(&d->link);
	return d->req;
}

void fs_deferred_shut_down(struct fs *fs)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fs->deferred)
		deferred_give_up(ipc_container(pos, struct fs_deferred, link), -ENOTCONN);
}

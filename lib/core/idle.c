#include "idle.h"

#include "instance.h"

/* The oldest of that user if he has more than a quarter, otherwise of all. */
static struct ipc_chan *idle_oldest(const struct ipc *ipc, uid_t uid)
{
	struct ipc_chan *oldest = NULL;
	struct ipc_list *pos, *next;
	unsigned of_user = 0;

	ipc_list_each(pos, next, &ipc->idle) {
		struct ipc_chan *chan = ipc_container(pos, struct ipc_chan, idle_link);

		if (chan->idle_of != uid)
			continue;
		of_user++;
		if (!oldest)
			oldest = chan;
	}
	return of_user > IPC_IDLE_MAX / 4 ? oldest : ipc_container(ipc->idle.next, struct ipc_chan, idle_link);
}

void ipc_idle_add(struct ipc_chan *chan, uid_t uid)
{
	struct ipc *ipc = chan->ipc;

	ipc_idle_end(chan);
	/* What looks at what passes must find what comes next. */
	if (chan->taps)
		return;
	chan->idle_of = uid;
	ipc_list_append(&ipc->idle, &chan->idle_link);
	ipc->idle_count++;
	if (ipc->idle_count > IPC_IDLE_MAX)
		ipc_chan_forget(idle_oldest(ipc, uid));
}

void ipc_idle_end(struct ipc_chan *chan)
{
	if (ipc_list_empty(&chan->idle_link))
		return;
	ipc_list_remove(&chan->idle_link);
	chan->ipc->idle_count--;
}

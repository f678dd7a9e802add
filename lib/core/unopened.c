#include "unopened.h"

#include "instance.h"

/* The oldest of that user if he has more than a quarter, otherwise of all. */
static struct ipc_chan *idle_oldest(const struct ipc *ipc, uid_t uid)
{
	struct ipc_chan *oldest = NULL;
	struct ipc_list *pos, *next;
	unsigned of_user = 0;

	ipc_list_each(pos, next, &ipc->unopened) {
		struct ipc_chan *chan = ipc_container(pos, struct ipc_chan, unopened_link);

		if (chan->idle_of != uid)
			continue;
		of_user++;
		if (!oldest)
			oldest = chan;
	}
	return of_user > IPC_UNOPENED_MAX / 4 ? oldest
					      : ipc_container(ipc->unopened.next, struct ipc_chan, unopened_link);
}

void ipc_unopened_add(struct ipc_chan *chan, uid_t uid)
{
	struct ipc *ipc = chan->ipc;

	ipc_unopened_end(chan);
	/* What looks at what passes must find what comes next. */
	if (chan->taps)
		return;
	chan->idle_of = uid;
	ipc_list_append(&ipc->unopened, &chan->unopened_link);
	ipc->unopened_count++;
	if (ipc->unopened_count > IPC_UNOPENED_MAX)
		ipc_chan_forget(idle_oldest(ipc, uid));
}

void ipc_unopened_end(struct ipc_chan *chan)
{
	if (ipc_list_empty(&chan->unopened_link))
		return;
	ipc_list_remove(&chan->unopened_link);
	chan->ipc->unopened_count--;
}

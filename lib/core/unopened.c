#include "unopened.h"

#include "instance.h"

/* Something of the channel is held elsewhere, as are jobs that came back: it is no mere record. */
static bool is_held(const struct ipc_chan *chan)
{
	return chan->refs > 1;
}

struct ipc_chan *ipc_unopened_surplus(struct ipc *ipc)
{
	struct ipc_chan *chan;

	if (ipc->unopened_count <= IPC_UNOPENED_MAX)
		return NULL;
	chan = ipc_container(ipc->unopened.next, struct ipc_chan, unopened_link);
	if (!is_held(chan))
		return chan;
	ipc_list_append(&ipc->unopened, ipc_list_pop(&ipc->unopened));
	return NULL;
}

void ipc_unopened_add(struct ipc_chan *chan, uid_t uid)
{
	ipc_unopened_end(chan);
	/* What looks at what passes must find what comes next. */
	if (chan->taps)
		return;
	chan->idle_of = uid;
	ipc_list_append(&chan->ipc->unopened, &chan->unopened_link);
	chan->ipc->unopened_count++;
}

void ipc_unopened_end(struct ipc_chan *chan)
{
	if (ipc_list_empty(&chan->unopened_link))
		return;
	ipc_list_remove(&chan->unopened_link);
	chan->ipc->unopened_count--;
}

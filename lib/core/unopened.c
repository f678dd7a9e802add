#include "unopened.h"

#include "instance.h"

/* So many records are looked at when one is added. */
enum { LOOKS = 4 };

static struct ipc_chan *first_of(const struct ipc_list *list)
{
	return ipc_container(list->next, struct ipc_chan, unopened_link);
}

/* Something of the channel is held elsewhere, as are jobs that came back: it is no mere record. */
static bool is_held(const struct ipc_chan *chan)
{
	return chan->refs > 1;
}

static void unopened_age(struct ipc *ipc)
{
	struct ipc_chan *chan = first_of(&ipc->unopened);

	if (is_held(chan))
		ipc_list_append(&ipc->unopened, ipc_list_pop(&ipc->unopened));
	else
		ipc_chan_forget(chan);
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
	for (unsigned i = 0; i < LOOKS && ipc->unopened_count > IPC_UNOPENED_MAX; i++)
		unopened_age(ipc);
}

void ipc_unopened_end(struct ipc_chan *chan)
{
	if (ipc_list_empty(&chan->unopened_link))
		return;
	ipc_list_remove(&chan->unopened_link);
	chan->ipc->unopened_count--;
}

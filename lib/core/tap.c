/* Notes what passes through a channel for those who read NAME@tap: tap.h. */
#include "tap.h"

#include <string.h>

#include "base/proc.h"
#include "log.h"

/* For so long a process that was seen is taken to have the same name. */
#define SEEN_NS INT64_C(1000000)

static void tap_name(struct ipc_taps *taps, struct ipc_tap_record *r, pid_t pid)
{
	int64_t now = ipc_now();

	if (pid != taps->seen || now >= taps->seen_until) {
		ipc_proc_command(pid, taps->command, sizeof(taps->command));
		taps->seen = pid;
		taps->seen_until = now + SEEN_NS;
	}
	memcpy(r->command, taps->command, sizeof(r->command));
}

void ipc_tap_note(struct ipc_chan *chan, enum ipc_tap_way way, pid_t pid, const char *data, size_t n)
{
	struct ipc_taps *taps = chan->taps;
	struct ipc_tap_record *r = ipc_log_record(taps->log, sizeof(*r) + n);

	if (!r)
		return;
	r->way = way;
	r->pid = pid;
	if (taps->metas)
		tap_name(taps, r, pid);
	r->len = n;
	memcpy(r->data, data, n);
	ipc_log_add(taps->log, &r->log, true);
}

void ipc_tap_write_begins(struct ipc_chan *chan, pid_t pid)
{
	chan->taps->writer = pid;
}

pid_t ipc_tap_writer(const struct ipc_chan *chan)
{
	return chan->taps->writer;
}

void ipc_tap_wake(struct ipc_chan *chan)
{
	if (chan->taps)
		ipc_log_wake(chan->taps->log);
}

unsigned ipc_tap_count(const struct ipc_chan *chan)
{
	return chan->taps ? chan->taps->count : 0;
}

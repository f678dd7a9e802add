/* MNT/status: a line for each channel. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "deadlock.h"
#include "instance.h"
#include "status.h"

static const char *lines_number(bool known, int64_t value, char *buf, size_t size)
{
	if (!known)
		return "-";
	snprintf(buf, size, "%" PRId64, value);
	return buf;
}

static void lines_begin(struct ipc_status *s)
{
	fprintf(s->out, "%-6s %8s %8s %8s  %s\n", "KIND", "DEPTH", "OPENERS", "WAITERS", "NAME");
}

static const char *lines_deadlock(const struct ipc_status *s, const struct ipc_chan *chan, char *buf, size_t size)
{
	char text[IPC_DEADLOCK_TEXT];

	if (!chan || !chan->deadlock)
		return "";
	ipc_deadlock_text(chan->deadlock, &s->cred, text);
	snprintf(buf, size, "  (deadlock: %s)", text);
	return buf;
}

static int lines_row(struct ipc_status *s, const struct ipc_status_row *row)
{
	char a[24], b[24], c[24], owed[32] = "", deadlock[IPC_DEADLOCK_TEXT + 32], shown[4 * IPC_NAME_MAX + 1];
	const struct ipc_chan *chan = row->chan;

	ipc_escape(shown, sizeof(shown), row->name, strlen(row->name));
	if (chan && chan->debts)
		snprintf(owed, sizeof(owed), "  (%u owed)", chan->debts);
	fprintf(s->out, "%-6s %8s %8s %8s  %s%s%s\n", row->kind->name,
		lines_number(row->depth.value >= 0, row->depth.value, a, sizeof(a)),
		lines_number(row->mediated, chan ? chan->openers : 0, b, sizeof(b)),
		lines_number(row->mediated, chan ? chan->waiters : 0, c, sizeof(c)), shown, owed,
		lines_deadlock(s, chan, deadlock, sizeof(deadlock)));
	return 0;
}

/* Only where there is something to tell: it is the whole machine's, and nobody may have asked for it. */
static int lines_end(struct ipc_status *s)
{
	const struct ipc_awake *awake = s->ipc->opt.awake;
	char last[32] = "now";
	time_t ended;
	struct tm tm;

	if (!awake || !awake->times)
		return 0;
	ended = (time_t)(awake->ended / 1000000000);
	if (!awake->now && localtime_r(&ended, &tm))
		strftime(last, sizeof(last), "until %H:%M:%S", &tm);
	fprintf(s->out, "cpu_latency: processors kept awake %s; %" PRIu64 " times, %.3fs in all\n", last, awake->times,
		(double)ipc_awake_ns(awake) / 1e9);
	return 0;
}

const struct ipc_status_writer ipc_status_lines = {.begin = lines_begin, .row = lines_row, .end = lines_end};

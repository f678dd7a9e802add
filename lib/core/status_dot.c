/* MNT/status@dot: who is at which channel, as a graph for Graphviz: data flow along its arrows. */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"
#include "base/proc.h"
#include "people.h"
#include "quote.h"
#include "status.h"

/* Arrows at one channel; the rest is counted. */
enum { ARROWS = 128 };

struct dot {
	void *seen; /* a tree of tsearch(3) with a pid_t for each process that has a node */
	size_t count;
};

struct dot_arrows {
	struct ipc_status *s;
	const char *shown; /* the channel's kind/name, escaped */
	unsigned count;
	int err;
};

static void dot_begin(struct ipc_status *s)
{
	fputs("digraph ipcfs {\n\trankdir=LR;\n\tnode [fontname=\"sans-serif\", fontsize=10];\n"
	      "\tedge [fontname=\"sans-serif\", fontsize=9];\n",
	      s->out);
}

/* How bad it is to wait so long. */
static const char *dot_colour(double seconds)
{
	return seconds < 1 ? "gray50" : seconds < 10 ? "orange" : "red";
}

static int pid_compare(const void *a, const void *b)
{
	pid_t first = *(const pid_t *)a, second = *(const pid_t *)b;

	return (first > second) - (first < second);
}

/* 1: it was there already, 0: now it is, or -ENOMEM. */
static int dot_seen(struct ipc_status *s, pid_t pid)
{
	struct dot *dot = s->kept;
	pid_t *key;

	if (!dot)
		dot = s->kept = calloc(1, sizeof(*dot));
	if (!dot)
		return -ENOMEM;
	if (tfind(&pid, &dot->seen, pid_compare))
		return 1;
	key = malloc(sizeof(*key));
	if (key)
		*key = pid;
	if (!key || !tsearch(key, &dot->seen, pid_compare)) {
		free(key);
		return -ENOMEM;
	}
	dot->count++;
	return 0;
}

/* Writes the node of somebody's process before its first arrow. Its number as the reader knows it, or -ENOMEM. */
static pid_t dot_process(struct ipc_status *s, const struct ipc_person *person)
{
	struct ipc_person process = *person;
	pid_t whole = ipc_proc_process(person->pid), pid;
	char command[128];
	int r;

	if (whole > 0)
		process.pid = whole;
	pid = ipc_reader_pid(s->ipc, process.pid);
	r = dot_seen(s, pid);
	if (r < 0)
		return r;
	if (r == 0 && !pid) {
		fputs("\t\"0\" [label=\"elsewhere\", style=dashed];\n", s->out);
	} else if (r == 0) {
		ipc_person_show(s->ipc, &process, command, sizeof(command));
		fprintf(s->out, "\t\"%d\" [label=\"", (int)pid);
		ipc_quote_label(s->out, command);
		fprintf(s->out, "\\n%d\"];\n", (int)pid);
	}
	return pid;
}

static void dot_between(const struct dot_arrows *a, pid_t pid, bool to_channel)
{
	FILE *out = a->s->out;

	if (to_channel)
		fprintf(out, "\t\"%d\" -> ", (int)pid);
	else
		fputc('\t', out);
	ipc_quote_shown(out, a->shown);
	if (!to_channel)
		fprintf(out, " -> \"%d\"", (int)pid);
}

static bool dot_arrow(void *arg, const struct ipc_person *person)
{
	struct dot_arrows *a = arg;
	FILE *out = a->s->out;
	double seconds = (double)(ipc_now() - person->since) / 1e9;
	pid_t pid;

	if (a->count++ >= ARROWS)
		return true;
	pid = dot_process(a->s, person);
	if (pid < 0) {
		a->err = pid;
		return false;
	}
	dot_between(a, pid, person->op == IPC_WRITE || person->op == IPC_FLUSH);
	switch (person->role) {
	case IPC_ROLE_READS:
		fputs(" [label=\"reads\"];\n", out);
		break;
	case IPC_ROLE_WRITES:
		fputs(" [label=\"writes\"];\n", out);
		break;
	case IPC_ROLE_WAITS:
		fprintf(out, " [label=\"waits: %s, %.1f s\", color=%s, fontcolor=%s, style=dashed];\n",
			ipc_op_verb(person->op), seconds, dot_colour(seconds), dot_colour(seconds));
		break;
	case IPC_ROLE_HOLDS:
		fprintf(out, " [label=\"holds, %.1f s\", color=blue, fontcolor=blue, style=bold];\n", seconds);
		break;
	case IPC_ROLE_OWES:
		fprintf(out, " [label=\"owes %u, %.1f s\", color=purple, fontcolor=purple];\n", person->count, seconds);
		break;
	}
	return true;
}

static void dot_channel(FILE *out, const struct ipc_status_row *row, const char *shown)
{
	const struct ipc_depth *depth = &row->depth;

	fputc('\t', out);
	ipc_quote_shown(out, shown);
	fputs(" [shape=box, style=filled, fillcolor=lightyellow, label=\"", out);
	ipc_quote_label(out, shown);
	if (depth->value >= 0)
		fprintf(out, "\\n%" PRId64, depth->value);
	if (depth->value >= 0 && depth->limit)
		fprintf(out, " of %" PRId64, depth->limit);
	if (depth->value >= 0)
		fprintf(out, " %s", depth->unit);
	if (!row->readable)
		fprintf(out, "\\n%u open, %u waiting", row->chan->openers, row->chan->waiters);
	fputs("\"];\n", out);
}

/* Those that somebody has open; who is at a channel that the kernel serves, it does not say. */
static int dot_row(struct ipc_status *s, const struct ipc_status_row *row)
{
	char shown[4 * IPC_NAME_MAX + IPC_KIND_NAME_MAX + 2];
	struct dot_arrows arrows = {.s = s, .shown = shown};
	int lead;

	if (!row->chan || !row->chan->openers)
		return 0;
	lead = snprintf(shown, sizeof(shown), "%s/", row->kind->name);
	ipc_escape(shown + lead, sizeof(shown) - (size_t)lead, row->name, strlen(row->name));
	dot_channel(s->out, row, shown);
	if (!row->readable)
		return 0;
	ipc_people_each(row->chan, dot_arrow, &arrows);
	if (arrows.count > ARROWS) {
		fputs("\t{ node [shape=plaintext]; ", s->out);
		ipc_quote_shown(s->out, shown);
		fputs(" -> \"and more at ", s->out);
		ipc_quote_inner(s->out, shown);
		fprintf(s->out, "\" [label=\"%u more\", style=dotted]; }\n", arrows.count - ARROWS);
	}
	return arrows.err;
}

static int dot_end(struct ipc_status *s)
{
	fputs("}\n", s->out);
	return 0;
}

static size_t dot_memory(const struct ipc_status *s)
{
	const struct dot *dot = s->kept;

	return dot ? sizeof(*dot) + dot->count * 8 * sizeof(void *) : 0;
}

static void dot_free(struct ipc_status *s)
{
	struct dot *dot = s->kept;

	if (dot)
		tdestroy(dot->seen, free);
	free(dot);
}

const struct ipc_status_writer ipc_status_dot = {
	.begin = dot_begin,
	.row = dot_row,
	.end = dot_end,
	.memory = dot_memory,
	.free = dot_free,
};

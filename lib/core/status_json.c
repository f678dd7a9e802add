/*
 * MNT/status@json: an object for each channel. Numbers that are not known are null. MNT/status@json,brief leaves out
 * what is not known or 0, but not `openers`, which tells the one from the other, nor a depth. That is a third of the
 * text, for who reads it every second.
 */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "deadlock.h"
#include "instance.h"
#include "people.h"
#include "quote.h"
#include "status.h"

/* Of those who wait, hold and owe, so many of each are named. */
enum { JSON_SHOWN = 16 };

static void json_begin(struct ipc_status *s)
{
	fputs("{\"channels\": [", s->out);
}

/* Without printf(3), which would be a third of what the text of thousands of channels costs. */
static void json_number(FILE *out, const char *key, bool known, uint64_t value)
{
	char digits[24], *at = digits + sizeof(digits);

	fputs_unlocked(", \"", out);
	fputs_unlocked(key, out);
	fputs_unlocked("\": ", out);
	if (!known) {
		fputs_unlocked("null", out);
		return;
	}
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	fwrite_unlocked(at, 1, (size_t)(digits + sizeof(digits) - at), out);
}

struct json_people {
	struct ipc_status *s;
	enum ipc_role role;
	unsigned shown;
};

static bool json_person(void *arg, const struct ipc_person *person)
{
	struct json_people *people = arg;
	FILE *out = people->s->out;
	char command[128];
	pid_t pid;

	if (person->role != people->role)
		return true;
	pid = ipc_person_show(people->s->ipc, person, command, sizeof(command));
	fprintf(out, "%s{\"pid\": %d, \"command\": ", people->shown ? ", " : "", (int)pid);
	ipc_quote_shown(out, command);
	if (person->role == IPC_ROLE_WAITS)
		fprintf(out, ", \"operation\": \"%s\"", ipc_op_verb(person->op));
	if (person->role == IPC_ROLE_OWES)
		fprintf(out, ", \"messages\": %u, \"deliveries\": %u", person->count, person->deliveries);
	fprintf(out, ", \"since\": %.3f}", (double)(ipc_now() - person->since) / 1e9);
	return ++people->shown < JSON_SHOWN;
}

static void json_list(struct ipc_status *s, const struct ipc_chan *chan, const char *key, enum ipc_role role)
{
	struct json_people people = {s, role, 0};

	fprintf(s->out, ", \"%s\": [", key);
	ipc_people_each(chan, json_person, &people);
	fputc(']', s->out);
}

/* What is empty for most is left out. */
static void json_people(struct ipc_status *s, const struct ipc_chan *chan)
{
	if (chan->waiters)
		json_list(s, chan, "waiting", IPC_ROLE_WAITS);
	if (chan->holders)
		json_list(s, chan, "holding", IPC_ROLE_HOLDS);
	if (chan->debts)
		json_list(s, chan, "owing", IPC_ROLE_OWES);
}

static void json_counters(FILE *out, const struct ipc_status_row *row, bool brief)
{
	static const struct ipc_chan unused;
	const struct ipc_chan *chan = row->chan ? row->chan : &unused;
	const struct ipc_counts *counts = row->counts;
	bool known = row->mediated;
	const struct {
		const char *key;
		uint64_t value;
	} counters[] = {
		{"openers", chan->openers},
		{"readers", chan->readers},
		{"writers", chan->writers},
		{"waiters", chan->waiters},
		{"holders", chan->holders},
		{"owed", chan->debts},
		{"in_messages", counts->in_messages},
		{"in_bytes", counts->in_bytes},
		{"out_messages", counts->out_messages},
		{"out_bytes", counts->out_bytes},
		{"back_messages", counts->back_messages},
		{"back_bytes", counts->back_bytes},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (!brief || (known && (i == 0 || counters[i].value)))
			json_number(out, counters[i].key, known, counters[i].value);
}

static void json_depth(FILE *out, bool brief, const struct ipc_depth *depth)
{
	bool known = depth->value >= 0, limited = known && depth->limit;

	if (known || !brief)
		json_number(out, "depth", known, (uint64_t)depth->value);
	if (limited || !brief)
		json_number(out, "limit", limited, (uint64_t)depth->limit);
	if (brief)
		return;
	fputs(", \"unit\": ", out);
	if (depth->unit)
		ipc_quote(out, depth->unit);
	else
		fputs("null", out);
}

static void json_deadlock(struct ipc_status *s, const struct ipc_deadlock *deadlock)
{
	char text[IPC_DEADLOCK_TEXT];

	ipc_deadlock_text(deadlock, &s->cred, text);
	fputs(", \"deadlock\": ", s->out);
	ipc_quote_shown(s->out, text);
}

static int json_object(struct ipc_status *s, const struct ipc_status_row *row, bool brief)
{
	FILE *out = s->out;

	fputs(s->first ? "\n  {\"kind\": " : ",\n  {\"kind\": ", out);
	ipc_quote(out, row->kind->name);
	fputs(", \"name\": ", out);
	ipc_quote(out, row->name);
	json_depth(out, brief, &row->depth);
	json_counters(out, row, brief);
	if (row->chan && row->readable)
		json_people(s, row->chan);
	if (row->chan && row->chan->deadlock)
		json_deadlock(s, row->chan->deadlock);
	fputc('}', out);
	return 0;
}

static int json_row(struct ipc_status *s, const struct ipc_status_row *row)
{
	return json_object(s, row, false);
}

static int brief_row(struct ipc_status *s, const struct ipc_status_row *row)
{
	return json_object(s, row, true);
}

static int json_end(struct ipc_status *s)
{
	const struct ipc_awake *awake = s->ipc->opt.awake;

	fputs("\n]", s->out);
	if (awake)
		fprintf(s->out, ", \"cpu_latency\": {\"now\": %s, \"times\": %" PRIu64 ", \"seconds\": %.3f}",
			awake->now ? "true" : "false", awake->times, (double)ipc_awake_ns(awake) / 1e9);
	fputs("}\n", s->out);
	return 0;
}

const struct ipc_status_writer ipc_status_json = {.begin = json_begin, .row = json_row, .end = json_end};
const struct ipc_status_writer ipc_status_brief = {
	.again = true, .begin = json_begin, .row = brief_row, .end = json_end};

/* An event as a line, for a reader. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reader.h"
#include "cred.h"
#include "event.h"

static const char *const names[] = {
	[IPC_EVENT_MADE] = "made",
	[IPC_EVENT_REMOVED] = "removed",
	[IPC_EVENT_OPENED] = "opened",
	[IPC_EVENT_CLOSED] = "closed",
	[IPC_EVENT_WAITING] = "waiting",
	[IPC_EVENT_FULL] = "full",
	[IPC_EVENT_GIVEN_BACK] = "given_back",
	[IPC_EVENT_DEAD] = "dead",
	[IPC_EVENT_REFUSED] = "refused",
	[IPC_EVENT_DROPPED] = "dropped",
	[IPC_EVENT_DEADLOCK] = "deadlock",
};

/* A line in the making. What has no room any more is left out, whole. */
struct line {
	char *to;
	size_t len;
	bool json, full;
};

enum { ROOM = IPC_EVENT_LINE_MAX - 8 };

static void line_add(struct line *l, const char *text, size_t n)
{
	if (l->full || n > ROOM - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->to + l->len, text, n);
	l->len += n;
}

static void line_put(struct line *l, const char *text)
{
	line_add(l, text, strlen(text));
}

/* Between the marks of JSON, as quote.h has it. */
static void line_quoted(struct line *l, const char *shown)
{
	line_put(l, "\"");
	for (; *shown; shown++) {
		if (*shown == '"' || *shown == '\\')
			line_put(l, "\\");
		line_add(l, shown, 1);
	}
	line_put(l, "\"");
}

/* words: it may have spaces in it. */
static void line_text(struct line *l, const char *text, size_t len, bool words)
{
	char shown[IPC_EVENT_LINE_MAX / 2];

	if (words)
		ipc_escape_line(shown, sizeof(shown), text, len);
	else if (l->json)
		ipc_escape(shown, sizeof(shown), text, len);
	else
		ipc_escape_word(shown, sizeof(shown), text, len);
	if (l->json)
		line_quoted(l, shown);
	else
		line_put(l, shown);
}

static void line_key(struct line *l, const char *key)
{
	line_put(l, l->json ? ", \"" : " ");
	line_put(l, key);
	line_put(l, l->json ? "\": " : "=");
}

static void line_number(struct line *l, const char *key, uint64_t number)
{
	char text[24];

	line_key(l, key);
	snprintf(text, sizeof(text), "%" PRIu64, number);
	line_put(l, text);
}

/* In seconds since 1970 for programs. */
static void line_begin(struct line *l, const struct timespec *when)
{
	char text[IPC_LOG_TIME];

	if (l->json)
		snprintf(text, sizeof(text), "{\"time\": %lld.%06ld", (long long)when->tv_sec, when->tv_nsec / 1000);
	else
		ipc_log_time(when, text);
	line_put(l, text);
}

static size_t line_end(struct line *l)
{
	if (l->json)
		l->to[l->len++] = '}';
	l->to[l->len++] = '\n';
	return l->len;
}

static void line_path(struct line *l, const char *path)
{
	const char *slash = strchr(path, '/');

	if (!l->json) {
		line_put(l, " ");
		line_text(l, path, strlen(path), false);
		return;
	}
	if (slash) {
		line_key(l, "kind");
		line_text(l, path, (size_t)(slash - path), false);
		path = slash + 1;
	}
	line_key(l, "name");
	line_text(l, path, strlen(path), false);
}

static void line_event(struct line *l, const char *name)
{
	if (l->json)
		line_key(l, "event");
	else
		line_put(l, " ");
	line_text(l, name, strlen(name), false);
}

/* Who does what with a channel is for those to know who may read it, as what is in it. */
static bool tells_who(const struct ipc_event_record *r, const struct ipc_cred *opener)
{
	const struct stat st = {.st_uid = r->owner, .st_gid = r->group, .st_mode = r->mode};

	return r->uid == opener->uid || ipc_may_override(opener) || (r->known && ipc_cred_may_read(opener, &st));
}

static void line_process(struct line *l, pid_t pid, const char *command)
{
	if (pid <= 0)
		return;
	line_number(l, "pid", (uint64_t)pid);
	line_key(l, "command");
	line_text(l, command, strlen(command), false);
}

size_t ipc_event_write(struct ipc *ipc, const struct ipc_event_record *r, const struct ipc_cred *opener, bool json,
		       char *line)
{
	struct line l = {.to = line, .json = json};
	bool who = tells_who(r, opener);

	line_begin(&l, &r->log.when);
	line_path(&l, r->text);
	line_event(&l, names[r->type]);
	if (r->pid && who)
		line_process(&l, ipc_reader_pid(ipc, r->pid), r->command);
	for (unsigned i = 0; i < IPC_EVENT_VALUES && r->value[i].key; i++) {
		const struct ipc_event_value *v = &r->value[i];

		if (v->of_who && !who)
			continue;
		if (!v->text) {
			line_number(&l, v->key, v->number);
			continue;
		}
		line_key(&l, v->key);
		line_text(&l, v->text, strlen(v->text), v->words);
	}
	return line_end(&l);
}

size_t ipc_event_write_lost(uint64_t lost, bool json, char *line)
{
	struct line l = {.to = line, .json = json};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	line_begin(&l, &now);
	line_path(&l, "events");
	line_event(&l, "lost");
	line_number(&l, "lines", lost);
	return line_end(&l);
}

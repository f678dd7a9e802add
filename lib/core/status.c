/* MNT/status and MNT/status@json: the live channels. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "chan.h"
#include "kind.h"
#include "cred.h"

/* Names that are looked at in one step. */
enum { STEP = 64 };

struct ipc_status {
	struct ipc *ipc;
	struct ipc_cred cred;
	unsigned next;		     /* index of the kind behind this one */
	const struct ipc_kind *kind; /* NULL: not begun */
	char *names;		     /* of this kind, each with its NUL */
	size_t len, size, at;
	FILE *out;
	bool json, first;
	int listed; /* -errno where a kind could not be listed whole */
};

struct status_line {
	const char *name;
	struct stat st;
	struct ipc_depth depth;
	unsigned openers, waiters, owed;
	bool mediated; /* openers and waiters are known: their operations come to us */
};

/* Of names in our table; no laxer than the VFS would be, for want of the caller's other groups. */
static bool status_may_read(const struct ipc_cred *cred, const struct stat *st)
{
	mode_t mode = cred->uid == st->st_uid	? st->st_mode >> 6
		      : cred->gid == st->st_gid ? st->st_mode >> 3
						: st->st_mode >> 3 & st->st_mode;

	return (mode & S_IROTH) || ipc_may_override(cred);
}

static void status_look(struct ipc_status *s, struct ipc_ref *ref, struct status_line *line)
{
	const struct ipc_chan *chan = ipc_chan_find(s->ipc, ref->kind, ref->base);
	struct ipc_list *pos, *next;

	line->mediated = ref->kind->stat(s->ipc, ref, &line->st) == 0 && S_ISREG(line->st.st_mode);
	if (!chan)
		return;
	line->waiters = ipc_chan_waiters(chan);
	line->owed = chan->debts;
	ipc_list_each(pos, next, &chan->handles)
		line->openers++;
}

/* As the caller: how much is in an object is for those to know who may read it. */
static void status_depths(struct ipc_status *s, struct status_line *lines, unsigned n)
{
	bool kernel = !s->kind->named, entered = kernel && ipc_cred_enter(&s->cred) == 0;
	struct ipc_ref ref = {.kind = s->kind};

	for (unsigned i = 0; i < n; i++) {
		lines[i].depth.value = -1;
		if (kernel ? !entered : !status_may_read(&s->cred, &lines[i].st))
			continue;
		snprintf(ref.base, sizeof(ref.base), "%s", lines[i].name);
		ref.kind->depth(s->ipc, &ref, &lines[i].depth);
	}
	if (entered)
		ipc_cred_leave(&s->cred);
}

static const char *status_number(bool known, int64_t value, char *buf, size_t size)
{
	if (!known)
		return "-";
	snprintf(buf, size, "%" PRId64, value);
	return buf;
}

static void status_text(struct ipc_status *s, const char *name, const struct status_line *line)
{
	char a[24], b[24], c[24], owed[32] = "", shown[4 * IPC_NAME_MAX + 1];

	ipc_escape(shown, sizeof(shown), name, strlen(name));
	if (line->owed)
		snprintf(owed, sizeof(owed), "  (%u owed)", line->owed);
	fprintf(s->out, "%-6s %8s %8s %8s  %s%s\n", s->kind->name,
		status_number(line->depth.value >= 0, line->depth.value, a, sizeof(a)),
		status_number(line->mediated, line->openers, b, sizeof(b)),
		status_number(line->mediated, line->waiters, c, sizeof(c)), shown, owed);
}

/* JSON has no bytes: what is not valid UTF-8 appears as ipc_escape() writes it. */
static void json_string(FILE *out, const char *text)
{
	char shown[4 * IPC_NAME_MAX + 1];

	ipc_escape(shown, sizeof(shown), text, strlen(text));
	fputc('"', out);
	for (const char *p = shown; *p; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

static void json_number(FILE *out, const char *key, bool known, int64_t value)
{
	if (known)
		fprintf(out, ", \"%s\": %" PRId64, key, value);
	else
		fprintf(out, ", \"%s\": null", key);
}

static void status_json(struct ipc_status *s, const char *name, const struct status_line *line)
{
	fputs(s->first ? "\n  {\"kind\": " : ",\n  {\"kind\": ", s->out);
	json_string(s->out, s->kind->name);
	fputs(", \"name\": ", s->out);
	json_string(s->out, name);
	json_number(s->out, "depth", line->depth.value >= 0, line->depth.value);
	fputs(", \"unit\": ", s->out);
	if (line->depth.unit)
		json_string(s->out, line->depth.unit);
	else
		fputs("null", s->out);
	json_number(s->out, "openers", line->mediated, line->openers);
	json_number(s->out, "waiters", line->mediated, line->waiters);
	json_number(s->out, "owed", line->mediated, line->owed);
	fputc('}', s->out);
}

static void status_add(void *arg, const char *name, mode_t type)
{
	struct ipc_status *s = arg;
	size_t n = strlen(name) + 1;

	if (S_ISDIR(type) || s->listed == -ENOMEM)
		return;
	if (s->size - s->len < n) {
		size_t size = 2 * s->size + n + 512;
		char *grown = realloc(s->names, size);

		if (!grown) {
			s->listed = -ENOMEM;
			return;
		}
		s->names = grown;
		s->size = size;
	}
	memcpy(s->names + s->len, name, n);
	s->len += n;
}

/* What cannot be listed at all is left out; what could be at another time must not look as if it were not there. */
static bool status_next_kind(struct ipc_status *s)
{
	int r;

	s->len = s->at = 0;
	s->kind = ipc_kind_at(s->ipc, s->next++);
	if (!s->kind)
		return false;
	r = s->kind->depth ? ipc_list(s->ipc, &s->cred, s->kind, status_add, s) : 0;
	if (ipc_is_shortage(r))
		s->listed = r;
	return true;
}

struct ipc_status *ipc_status_begin(struct ipc *ipc, const struct ipc_cred *cred, bool json)
{
	struct ipc_status *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ipc = ipc;
	s->cred = *cred;
	s->json = json;
	s->first = true;
	return s;
}

int ipc_status_step(struct ipc_status *s, FILE *out)
{
	struct status_line lines[STEP];
	unsigned n = 0;

	s->out = out;
	if (!s->next && s->json)
		fputs("{\"channels\": [", out);
	else if (!s->next)
		fprintf(out, "%-6s %8s %8s %8s  %s\n", "KIND", "DEPTH", "OPENERS", "WAITERS", "NAME");
	if (s->at == s->len && !status_next_kind(s)) {
		if (s->json)
			fputs("\n]}\n", out);
		return s->listed;
	}
	for (; n < STEP && s->at < s->len; n++) {
		struct ipc_ref ref = {.kind = s->kind};

		lines[n] = (struct status_line){.name = s->names + s->at};
		snprintf(ref.base, sizeof(ref.base), "%s", lines[n].name);
		s->at += strlen(lines[n].name) + 1;
		status_look(s, &ref, &lines[n]);
	}
	status_depths(s, lines, n);
	for (unsigned i = 0; i < n; i++) {
		(s->json ? status_json : status_text)(s, lines[i].name, &lines[i]);
		s->first = false;
	}
	return 1;
}

void ipc_status_end(struct ipc_status *s)
{
	if (s)
		free(s->names);
	free(s);
}

static int status_whole(struct ipc *ipc, const struct ipc_cred *cred, FILE *out, bool json)
{
	struct ipc_status *s = ipc_status_begin(ipc, cred, json);
	int r = s ? 1 : -ENOMEM;

	while (r > 0)
		r = ipc_status_step(s, out);
	ipc_status_end(s);
	return r;
}

int ipc_text_status(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	return status_whole(ipc, cred, out, false);
}

int ipc_text_status_json(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	return status_whole(ipc, cred, out, true);
}

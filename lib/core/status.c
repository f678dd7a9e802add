/* MNT/status and MNT/status@json: the live channels. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "chan.h"
#include "kind.h"
#include "cred.h"

struct status {
	struct ipc *ipc;
	const struct ipc_cred *cred;
	const struct ipc_kind *kind;
	FILE *out;
	bool json, first;
};

struct status_line {
	struct ipc_depth depth;
	unsigned openers, waiters;
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

/* As the caller: how much is in an object is for those to know who may read it. */
static void status_depth(const struct status *s, const struct ipc_ref *ref, const struct stat *st,
			 struct ipc_depth *depth)
{
	bool kernel = !ref->kind->named;

	depth->value = -1;
	if (kernel ? ipc_cred_enter(s->cred) < 0 : !status_may_read(s->cred, st))
		return;
	ref->kind->depth(s->ipc, ref, depth);
	if (kernel)
		ipc_cred_leave(s->cred);
}

static void status_look(struct status *s, const struct ipc_ref *ref, struct status_line *line)
{
	const struct ipc_chan *chan = ipc_chan_find(s->ipc, ref->kind, ref->base);
	struct ipc_list *pos, *next;
	struct stat st = {0};

	memset(line, 0, sizeof(*line));
	line->mediated = ref->kind->stat(s->ipc, ref, &st) == 0 && S_ISREG(st.st_mode);
	status_depth(s, ref, &st, &line->depth);
	if (!chan)
		return;
	line->waiters = ipc_chan_waiters(chan);
	ipc_list_each(pos, next, &chan->handles)
		line->openers++;
}

static const char *status_number(bool known, int64_t value, char *buf, size_t size)
{
	if (!known)
		return "-";
	snprintf(buf, size, "%" PRId64, value);
	return buf;
}

static void status_text(struct status *s, const char *name, const struct status_line *line)
{
	char a[24], b[24], c[24], shown[4 * IPC_NAME_MAX + 1];

	ipc_escape(shown, sizeof(shown), name, strlen(name));
	fprintf(s->out, "%-6s %8s %8s %8s  %s\n", s->kind->name,
		status_number(line->depth.value >= 0, line->depth.value, a, sizeof(a)),
		status_number(line->mediated, line->openers, b, sizeof(b)),
		status_number(line->mediated, line->waiters, c, sizeof(c)), shown);
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

static void status_json(struct status *s, const char *name, const struct status_line *line)
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
	fputc('}', s->out);
}

static void status_emit(void *arg, const char *name, mode_t type)
{
	struct status *s = arg;
	struct ipc_ref ref = {.kind = s->kind};
	struct status_line line;

	if (S_ISDIR(type))
		return;
	snprintf(ref.base, sizeof(ref.base), "%s", name);
	status_look(s, &ref, &line);
	(s->json ? status_json : status_text)(s, name, &line);
	s->first = false;
}

/* What cannot be listed at all is left out; what could be at another time must not look as if it were not there. */
static int status_all(struct ipc *ipc, const struct ipc_cred *cred, FILE *out, bool json)
{
	struct status s = {.ipc = ipc, .cred = cred, .out = out, .json = json, .first = true};
	int result = 0;

	for (unsigned i = 0; (s.kind = ipc_kind_at(ipc, i)); i++) {
		int r = s.kind->depth ? ipc_list(ipc, cred, s.kind, status_emit, &s) : 0;

		if (ipc_is_shortage(r))
			result = r;
	}
	return result;
}

int ipc_text_status(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	fprintf(out, "%-6s %8s %8s %8s  %s\n", "KIND", "DEPTH", "OPENERS", "WAITERS", "NAME");
	return status_all(ipc, cred, out, false);
}

int ipc_text_status_json(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	int r;

	fputs("{\"channels\": [", out);
	r = status_all(ipc, cred, out, true);
	fputs("\n]}\n", out);
	return r;
}

#include "facet.h"

#include "base/escape.h"
#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum facet_arg {
	ARG_NONE,
	ARG_UINT32,
	ARG_INT64,
	ARG_BYTES,
	ARG_DURATION,
	ARG_REST, /* the field is the offset of the value */
};

struct facet {
	const char *name;
	uint32_t bit;
	enum facet_arg arg;
	int64_t min, max;
	size_t field;
	const char *usage;
};

#define FIELD(member) offsetof(struct ipc_facets, member)
#define FLAG(name, bit)                                                                                                \
	{                                                                                                              \
		name, bit, ARG_NONE, 0, 0, 0, name                                                                     \
	}

/* In the order in which a user is told of them. */
static const struct facet facets[] = {
	FLAG("lines", IPC_F_LINES),
	FLAG("nul", IPC_F_NUL),
	{"prio", IPC_F_PRIO, ARG_UINT32, 0, 32767, FIELD(prio), "prio=0..32767"},
	FLAG("drain", IPC_F_DRAIN),
	FLAG("one", IPC_F_ONE),
	{"n", IPC_F_N, ARG_INT64, 1, INT64_MAX, FIELD(n), "n=COUNT"},
	{"idle", IPC_F_IDLE, ARG_DURATION, 0, IPC_DURATION_MAX, FIELD(idle), "idle=TIME"},
	{"timeout", IPC_F_TIMEOUT, ARG_DURATION, 0, IPC_DURATION_MAX, FIELD(timeout), "timeout=TIME"},
	FLAG("batch", IPC_F_BATCH),
	FLAG("meta", IPC_F_META),
	FLAG("ack", IPC_F_ACK),
	{"lease", IPC_F_LEASE, ARG_DURATION, 1, IPC_DURATION_MAX, FIELD(lease), "lease=TIME"},
	{"tries", IPC_F_TRIES, ARG_INT64, 1, INT32_MAX, FIELD(tries), "tries=COUNT"},
	FLAG("listen", IPC_F_LISTEN),
	FLAG("io", IPC_F_IO),
	FLAG("half", IPC_F_HALF),
	FLAG("hold", IPC_F_HOLD),
	FLAG("fifo", IPC_F_FIFO),
	{"last", IPC_F_LAST, ARG_INT64, 1, INT32_MAX, FIELD(last), "last=COUNT"},
	{"maxmsg", IPC_F_MAXMSG, ARG_INT64, 1, INT32_MAX, FIELD(maxmsg), "maxmsg=COUNT"},
	{"msgsize", IPC_F_MSGSIZE, ARG_BYTES, 1, INT32_MAX, FIELD(msgsize), "msgsize=BYTES"},
	{"size", IPC_F_SIZE, ARG_BYTES, 0, INT64_MAX, FIELD(size), "size=BYTES"},
	{"value", IPC_F_VALUE, ARG_INT64, 0, INT32_MAX, FIELD(value), "value=NUMBER"},
	FLAG("stream", IPC_F_STREAM),
	FLAG("dgram", IPC_F_DGRAM),
	FLAG("seqpacket", IPC_F_SEQPACKET),
	{"connect", IPC_F_CONNECT, ARG_REST, 0, 0, FIELD(connect), "connect=ADDRESS"},
	FLAG("addr", IPC_F_ADDR),
	FLAG("tap", IPC_F_TAP),
	FLAG("ctl", IPC_F_CTL),
	FLAG("help", IPC_F_HELP),
};

#define FACETS (sizeof(facets) / sizeof(facets[0]))

/* At most one of each set. */
static const uint32_t exclusive[] = {
	IPC_F_LINES | IPC_F_NUL,
	IPC_F_ONE | IPC_F_N,
	IPC_F_STREAM | IPC_F_DGRAM | IPC_F_SEQPACKET,
};

struct parse {
	const char *kind;
	uint32_t allowed;
	const char *text;
	size_t len;
	struct ipc_facets out;
	char *why;
	size_t why_size;
};

/* Short enough that the rest of an error line, which says what would be right, still finds room. */
#define QUOTE_SIZE 64

static const char *quote(char out[QUOTE_SIZE], const char *text, size_t len)
{
	static const char more[] = "...";
	const size_t room = QUOTE_SIZE - strlen(more);

	if (ipc_escape(out, room, text, len) >= room)
		memcpy(out + strlen(out), more, sizeof(more));
	return out;
}

__attribute__((format(printf, 2, 3))) static int refuse(const struct parse *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(p->why, p->why_size, format, args);
	va_end(args);
	if (len < 0 || (size_t)len < p->why_size || p->why_size == 0)
		return -EINVAL;

	/* The cut may have gone through a character. */
	size_t end = p->why_size - 1;
	while (end > 0 && (p->why[end - 1] & 0xc0) == 0x80)
		end--;
	if (end > 0 && (p->why[end - 1] & 0xc0) == 0xc0)
		end--;
	p->why[end] = '\0';
	return -EINVAL;
}

/* Refuses with `problem`, and with all that the kind takes. */
static int refuse_name(const struct parse *p, const char *problem)
{
	char takes[512] = "no facets";
	size_t used = 0;

	for (size_t i = 0; i < FACETS; i++) {
		if (p->allowed & facets[i].bit)
			used += (size_t)snprintf(takes + used, sizeof(takes) - used, "%s%s", used ? ", " : "",
						 facets[i].usage);
	}
	return refuse(p, "%s: /%s takes %s", problem, p->kind, takes);
}

static int refuse_missing(const struct parse *p, const struct facet *f)
{
	switch (f->arg) {
	case ARG_DURATION:
		return refuse(p, "%s needs a value: 500ms, 5s, 2m", f->name);
	case ARG_REST:
		return refuse(p, "%s needs a value: the address of a socket", f->name);
	case ARG_BYTES:
		return refuse(p, "%s needs a value: bytes, such as 4096, 64K, 1M", f->name);
	default:
		return refuse(p, "%s needs a value: a number from %" PRId64 " to %" PRId64, f->name, f->min, f->max);
	}
}

static int refuse_value(const struct parse *p, const struct facet *f, const char *value, size_t len)
{
	char quoted[QUOTE_SIZE];

	quote(quoted, value, len);
	if (f->arg == ARG_DURATION)
		return refuse(p, "%s=%s: a duration is needed: 500ms, 5s, 2m", f->name, quoted);
	return refuse(p, "%s=%s: a number from %" PRId64 " to %" PRId64 " is needed%s", f->name, quoted, f->min, f->max,
		      f->arg == ARG_BYTES ? "; K, M or G may follow it" : "");
}

static int value_parse(struct parse *p, const struct facet *f, const char *value, size_t len)
{
	void *field = (char *)&p->out + f->field;
	int64_t number;
	int err;

	if (f->arg == ARG_REST) {
		*(uint8_t *)field = (uint8_t)(value - p->text);
		return 0;
	}
	if (f->arg == ARG_DURATION)
		err = ipc_duration_parse(value, len, &number);
	else
		err = ipc_number_parse(value, len, f->arg == ARG_BYTES, f->min, f->max, &number);
	if (err)
		return refuse_value(p, f, value, len);
	if (f->arg == ARG_UINT32)
		*(uint32_t *)field = (uint32_t)number;
	else
		*(int64_t *)field = number;
	return 0;
}

static const struct facet *facet_find(const char *name, size_t len)
{
	for (size_t i = 0; i < FACETS; i++) {
		if (strlen(facets[i].name) == len && memcmp(facets[i].name, name, len) == 0)
			return &facets[i];
	}
	return NULL;
}

static int name_check(const struct parse *p, const struct facet *f, const char *name, size_t len)
{
	char quoted[QUOTE_SIZE], problem[QUOTE_SIZE + 32];

	if (len == 0)
		return refuse_name(p, "an empty facet");
	if (!f) {
		snprintf(problem, sizeof(problem), "unknown facet '%s'", quote(quoted, name, len));
		return refuse_name(p, problem);
	}
	if (!(p->allowed & f->bit)) {
		snprintf(problem, sizeof(problem), "facet '%s' is of another kind", f->name);
		return refuse_name(p, problem);
	}
	if (p->out.set & f->bit)
		return refuse(p, "%s is given twice", f->name);
	return 0;
}

/* Parses the facet at *at, and sets *at to the comma that ends it, or to the end of the text. */
static int facet_parse(struct parse *p, size_t *at)
{
	const char *name = p->text + *at;
	size_t left = p->len - *at;
	const char *comma = memchr(name, ',', left);
	size_t len = comma ? (size_t)(comma - name) : left;
	const char *equals = memchr(name, '=', len);
	size_t name_len = equals ? (size_t)(equals - name) : len;
	const struct facet *f = facet_find(name, name_len);
	int err = name_check(p, f, name, name_len);

	if (err)
		return err;
	if (equals && f->arg == ARG_REST)
		len = left;
	if (f->arg == ARG_NONE) {
		if (equals)
			return refuse(p, "%s takes no value", f->name);
	} else if (len <= name_len + 1) {
		return refuse_missing(p, f);
	} else {
		err = value_parse(p, f, name + name_len + 1, len - name_len - 1);
		if (err)
			return err;
	}
	p->out.set |= f->bit;
	*at += len;
	return 0;
}

/* The first facet of the set, after `after` if that is not NULL. The set must hold one. */
static const struct facet *facet_of(uint32_t set, const struct facet *after)
{
	const struct facet *f = after ? after + 1 : facets;

	while (!(set & f->bit))
		f++;
	return f;
}

static bool is_several(uint32_t set)
{
	return (set & (set - 1)) != 0;
}

static int set_check(const struct parse *p, int framed)
{
	uint32_t set = p->out.set, alone = set & (IPC_F_TEXTS | IPC_F_ADDR), records = set & (IPC_F_BATCH | IPC_F_META);
	uint32_t settling = set & (IPC_F_LEASE | IPC_F_TRIES);

	if (alone && is_several(set))
		return refuse(p, "%s takes no other facet beside it", facet_of(alone, NULL)->name);
	for (size_t i = 0; i < sizeof(exclusive) / sizeof(exclusive[0]); i++) {
		uint32_t both = set & exclusive[i];
		if (is_several(both)) {
			const struct facet *f = facet_of(both, NULL);
			return refuse(p, "%s and %s contradict each other", f->name, facet_of(both, f)->name);
		}
	}
	if (records && !framed && !(set & (IPC_F_LINES | IPC_F_NUL)))
		return refuse(p, "%s needs lines or nul beside it", facet_of(records, NULL)->name);
	if ((set & IPC_F_ACK) && (set & IPC_F_FIFO))
		return refuse(p, "ack goes without fifo: a FIFO does not tell what its reader has done with");
	if (settling && !(set & IPC_F_ACK))
		return refuse(p, "%s needs ack beside it", facet_of(settling, NULL)->name);
	if ((set & IPC_F_LEASE) && !p->out.lease)
		return refuse(p, "lease=0: a job would be taken away before it is read; 30s, 5m");
	return 0;
}

/* Whether one of the facets is tap, which takes others beside it than the kind. */
static bool has_tap(const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		const char *comma = memchr(text + at, ',', len - at);
		size_t n = comma ? (size_t)(comma - (text + at)) : len - at;

		if (n == 3 && memcmp(text + at, "tap", 3) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

int ipc_facets_parse(const char *kind, uint32_t allowed, int framed, const char *text, size_t len,
		     struct ipc_facets *out, char *why, size_t why_size)
{
	struct parse p = {.kind = kind, .allowed = allowed, .text = text, .len = len};
	size_t at = 0;
	int err;

	p.why = why;
	p.why_size = why_size;
	if ((allowed & IPC_F_TAP) && has_tap(text, len))
		p.allowed = IPC_F_TAP_WITH | (allowed & IPC_F_TEXTS);
	if (len == 0)
		return refuse_name(&p, "an empty facet");
	if (len > IPC_NAME_MAX)
		return refuse(&p, "the facets are longer than %d bytes", IPC_NAME_MAX);
	for (;;) {
		err = facet_parse(&p, &at);
		if (err)
			return err;
		if (at == len)
			break;
		at++;
	}
	if ((p.out.set & IPC_F_FIFO) && (allowed & IPC_F_LINES) && !(p.out.set & IPC_F_NUL))
		p.out.set |= IPC_F_LINES;
	err = set_check(&p, framed);
	if (err)
		return err;
	*out = p.out;
	return 0;
}

void ipc_facets_each(uint32_t set, void (*fn)(void *arg, uint32_t facet, const char *usage), void *arg)
{
	for (size_t i = 0; i < FACETS; i++)
		if (set & facets[i].bit)
			fn(arg, facets[i].bit, facets[i].usage);
}

#include "name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DURATION_MAX (INT64_C(1) << 62)

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
	{"idle", IPC_F_IDLE, ARG_DURATION, 0, DURATION_MAX, FIELD(idle), "idle=TIME"},
	{"timeout", IPC_F_TIMEOUT, ARG_DURATION, 0, DURATION_MAX, FIELD(timeout), "timeout=TIME"},
	FLAG("batch", IPC_F_BATCH),
	FLAG("meta", IPC_F_META),
	FLAG("ack", IPC_F_ACK),
	{"lease", IPC_F_LEASE, ARG_DURATION, 1, DURATION_MAX, FIELD(lease), "lease=TIME"},
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

/* Counts the digits that text starts with; their value, which sticks at UINT64_MAX, goes to *value. */
static size_t digits_parse(const char *text, size_t len, uint64_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');
		*value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *value * 10 + digit;
	}
	return i;
}

/* Nanoseconds in a unit; 0 for no such unit. */
static uint64_t duration_unit(const char *text, size_t len)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"", 1000000000},  {"us", 1000},       {"ms", 1000000},
		{"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, text, len) == 0)
			return units[i].ns;
	}
	return 0;
}

int ipc_duration_parse(const char *text, size_t len, int64_t *ns)
{
	uint64_t whole, ignored, part = 0;
	size_t used = digits_parse(text, len, &whole), fraction = 0, point = used;

	if (used < len && text[used] == '.') {
		fraction = digits_parse(text + used + 1, len - used - 1, &ignored);
		used += 1 + fraction;
	}
	/* No number, or a point with no digit behind it. */
	if (used == 0 || (used > point && fraction == 0))
		return -EINVAL;

	uint64_t unit = duration_unit(text + used, len - used);
	if (unit == 0 || whole > (uint64_t)DURATION_MAX / unit)
		return -EINVAL;
	/* From the last digit to the first: exact for any number of digits, and no step exceeds 10 units. */
	for (size_t i = fraction; i > 0; i--)
		part = ((uint64_t)(text[point + i] - '0') * unit + part + 9) / 10;
	if (whole * unit + part > (uint64_t)DURATION_MAX)
		return -EINVAL;
	*ns = (int64_t)(whole * unit + part);
	return 0;
}

int ipc_number_parse(const char *text, size_t len, int units, int64_t min, int64_t max, int64_t *out)
{
	static const char suffixes[] = {'K', 'M', 'G'};
	size_t sign = min < 0 && len > 0 && text[0] == '-';
	uint64_t value;
	size_t used = digits_parse(text + sign, len - sign, &value);
	const char *suffix = NULL;
	unsigned shift = 0;

	if (used == 0)
		return -EINVAL;
	used += sign;
	if (units && len == used + 1) {
		suffix = memchr(suffixes, text[used], sizeof(suffixes));
		if (suffix)
			shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (used < len && !suffix)
		return -EINVAL;

	/* A negative number reaches one further than a positive one. */
	if (value > ((uint64_t)INT64_MAX + sign) >> shift)
		return -ERANGE;
	value <<= shift;
	int64_t number = (int64_t)(sign ? 0 - value : value);
	if (number < min || number > max)
		return -ERANGE;
	*out = number;
	return 0;
}

/* Characters that end a line, turn its direction or cannot be seen: of Unicode's categories Zl, Zp and Cf those in use. */
static bool is_unseen(const unsigned char *s, size_t len)
{
	static const struct {
		uint32_t first, last;
	} unseen[] = {{0x061c, 0x061c}, {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},
		      {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
	uint32_t c = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (c >= unseen[i].first && c <= unseen[i].last)
			return true;
	return false;
}

/*
 * Length of the character that text starts with if it may be shown as it is, else 0: the well-formed byte sequences of
 * Unicode (table 3-7) less C0, DEL, C1, the backslash and what is not seen.
 */
static size_t plain_length(const char *text, size_t len)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t len;
	} rows[] = {
		{0x20, 0x5b, 0, 0, 1},	     {0x5d, 0x7e, 0, 0, 1},	  {0xc2, 0xc2, 0xa0, 0xbf, 2},
		{0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	const unsigned char *s = (const unsigned char *)text;
	size_t row = 0;

	while (row < sizeof(rows) / sizeof(rows[0]) && (s[0] < rows[row].first_min || s[0] > rows[row].first_max))
		row++;
	if (row == sizeof(rows) / sizeof(rows[0]) || len < rows[row].len)
		return 0;
	if (rows[row].len > 1 && (s[1] < rows[row].second_min || s[1] > rows[row].second_max))
		return 0;
	for (size_t i = 2; i < rows[row].len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return is_unseen(s, rows[row].len) ? 0 : rows[row].len;
}

/* What is shown in another way than it is, besides what would not be seen as it is. */
enum escape_also { ESCAPE_NOTHING, ESCAPE_BACKSLASH = 1, ESCAPE_SPACE = 2 };

/* The length of what may stand there as it is. 0: nothing. */
static size_t escape_plain(const char *text, size_t len, unsigned also)
{
	if (*text == '\\' && !(also & ESCAPE_BACKSLASH))
		return 1;
	return *text == ' ' && (also & ESCAPE_SPACE) ? 0 : plain_length(text, len);
}

static size_t escape(char *out, size_t size, const char *text, size_t len, unsigned also)
{
	size_t need = 0, end = 0;

	for (size_t i = 0; i < len;) {
		char escaped[sizeof("\\xNN")];
		const char *piece = text + i;
		size_t taken = escape_plain(piece, len - i, also);
		size_t piece_len = taken;

		if (taken == 0) {
			piece_len = (size_t)snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char)text[i]);
			piece = escaped;
			taken = 1;
		}
		/* Once this fails need is beyond size, so no shorter piece can slip in behind the cut. */
		if (need + piece_len < size) {
			memcpy(out + need, piece, piece_len);
			end = need + piece_len;
		}
		need += piece_len;
		i += taken;
	}
	if (size > 0)
		out[end] = '\0';
	return need;
}

size_t ipc_escape(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, ESCAPE_BACKSLASH);
}

size_t ipc_escape_line(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, ESCAPE_NOTHING);
}

size_t ipc_escape_word(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, ESCAPE_BACKSLASH | ESCAPE_SPACE);
}

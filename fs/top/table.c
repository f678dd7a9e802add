#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- which, and in which order --- */

static const char *const orders[TOP_ORDERS] = {
	[TOP_BY_TRAFFIC] = "traffic", [TOP_BY_NAME] = "name", [TOP_BY_DEPTH] = "depth",
	[TOP_BY_WAITING] = "waiting", [TOP_BY_HELD] = "held", [TOP_BY_OWED] = "owed",
};

const char *top_order_name(enum top_order order)
{
	return orders[order];
}

static double traffic(const struct top_row *row)
{
	double in = row->rate[TOP_IN], out = row->rate[TOP_OUT];

	return (in > 0 ? in : 0) + (out > 0 ? out : 0);
}

/* How full it is, where there is a limit; below that what has something in it, then what is empty. */
static double fullness(const struct top_row *row)
{
	double depth = (double)row->number[TOP_DEPTH], limit = (double)row->number[TOP_LIMIT];

	return depth <= 0 ? depth : limit > 0 ? 1 + depth / limit : depth / (1 + depth);
}

/* Who has waited longest, then where most wait. */
static double urgency(const struct top_row *row, enum top_people people, enum top_number number)
{
	double since = row->people[people].since;

	return (since > 0 ? since * 1e6 : 0) + (double)row->number[number];
}

static double rank(const struct top_row *row, enum top_order order)
{
	switch (order) {
	case TOP_BY_TRAFFIC:
		return traffic(row);
	case TOP_BY_DEPTH:
		return fullness(row);
	case TOP_BY_WAITING:
		return urgency(row, TOP_WAITING, TOP_WAITERS);
	case TOP_BY_HELD:
		return urgency(row, TOP_HOLDING, TOP_HOLDERS);
	case TOP_BY_OWED:
		return urgency(row, TOP_OWING, TOP_OWED);
	default:
		return 0;
	}
}

struct ranked {
	double rank;
	const struct top_row *row;
};

static int compare_names(const struct top_row *a, const struct top_row *b)
{
	int kinds = strcmp(a->kind, b->kind);

	return kinds ? kinds : strcmp(a->name, b->name);
}

static int compare(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return x->rank != y->rank ? (x->rank < y->rank ? 1 : -1) : compare_names(x->row, y->row);
}

static bool row_is_busy(const struct top_row *row)
{
	return row->number[TOP_OPENERS] > 0 || row->number[TOP_WAITERS] > 0 || row->number[TOP_OWED] > 0 ||
	       traffic(row) > 0 || (row->number[TOP_DEPTH] > 0 && strcmp(row->kind, "shm") != 0);
}

static bool row_matches(const struct top_view *view, const struct top_row *row)
{
	char path[TOP_LINE];

	if (view->busy && !row_is_busy(row))
		return false;
	if (!view->filter[0])
		return true;
	snprintf(path, sizeof(path), "%s/%s", row->kind, row->name);
	return strcasestr(path, view->filter);
}

const struct top_row **top_view_rows(const struct top_view *view, const struct top_sample *s, size_t *count)
{
	struct ranked *ranked = calloc(s->count + 1, sizeof(*ranked));
	const struct top_row **rows = calloc(s->count + 1, sizeof(const struct top_row *));
	size_t n = 0;

	for (size_t i = 0; ranked && i < s->count; i++)
		if (row_matches(view, &s->rows[i]))
			ranked[n++] = (struct ranked){rank(&s->rows[i], view->order), &s->rows[i]};
	if (ranked && rows) {
		qsort(ranked, n, sizeof(*ranked), compare);
		for (size_t i = 0; i < n; i++)
			rows[i] = ranked[view->reverse ? n - 1 - i : i].row;
	} else {
		free(rows);
		rows = NULL;
	}
	free(ranked);
	*count = n;
	return rows;
}

/* --- columns --- */

static char *show_number(const struct top_row *row, enum top_number number, char out[static 16])
{
	return top_number_text((double)row->number[number], out);
}

static void show_depth(const struct top_row *row, char out[static 16])
{
	char depth[16], limit[16];

	show_number(row, TOP_DEPTH, depth);
	if (row->number[TOP_LIMIT] > 0)
		snprintf(out, 16, "%.5s/%.5s", depth, show_number(row, TOP_LIMIT, limit));
	else
		snprintf(out, 16, "%s", depth);
}

static const struct column {
	const char *head;
	int width; /* below 0: to the left */
	bool wide; /* only where there is much room */
	enum { KIND, FILLED, NUMBER, RATE, SINCE } shows;
	enum top_number number; /* NUMBER, RATE */
} columns_of[] = {
	{"KIND", -5, .shows = KIND},
	{"DEPTH/LIMIT", 11, .shows = FILLED},
	{"RD", 3, false, NUMBER, TOP_READERS},
	{"WR", 3, false, NUMBER, TOP_WRITERS},
	{"IN/s", 5, false, RATE, TOP_IN},
	{"OUT/s", 5, false, RATE, TOP_OUT},
	{"INB/s", 5, true, RATE, TOP_IN_BYTES},
	{"OUTB/s", 6, true, RATE, TOP_OUT_BYTES},
	{"IN", 5, true, NUMBER, TOP_IN},
	{"OUT", 5, true, NUMBER, TOP_OUT},
	{"WAIT", 4, false, NUMBER, TOP_WAITERS},
	{"SINCE", 5, .shows = SINCE},
	{"HELD", 4, false, NUMBER, TOP_HOLDERS},
	{"OWED", 4, false, NUMBER, TOP_OWED},
};

static void column_show(const struct column *column, const struct top_row *row, char out[static 16])
{
	switch (column->shows) {
	case KIND:
		snprintf(out, 16, "%s", row->kind);
		break;
	case FILLED:
		show_depth(row, out);
		break;
	case NUMBER:
		show_number(row, column->number, out);
		break;
	case RATE:
		top_number_text(row->rate[column->number], out);
		break;
	case SINCE:
		top_seconds_text(row->people[TOP_WAITING].since, out);
	}
}

enum { COLUMNS = sizeof(columns_of) / sizeof(columns_of[0]), WIDE = 120, NAME_WIDE = 40 };

static bool is_wide(int columns)
{
	return columns == 0 || columns >= WIDE;
}

/* The columns before the name. row is NULL for the head. Returns how many columns of the terminal they take. */
static int line_start(const struct top_row *row, int columns, char out[static TOP_LINE])
{
	int at = 0;

	for (unsigned i = 0; i < COLUMNS; i++) {
		char text[16];

		if (columns_of[i].wide && !is_wide(columns))
			continue;
		if (row)
			column_show(&columns_of[i], row, text);
		else
			snprintf(text, sizeof(text), "%s", columns_of[i].head);
		at += snprintf(out + at, TOP_LINE - (size_t)at, "%*s ", columns_of[i].width, text);
	}
	return at;
}

char *top_head(int columns, char out[static TOP_LINE])
{
	char text[TOP_LINE];
	int at = line_start(NULL, columns, text);

	snprintf(text + at, sizeof(text) - (size_t)at, is_wide(columns) && columns ? "%-*s %s" : "%*s%s",
		 is_wide(columns) && columns ? NAME_WIDE : 0, "NAME", is_wide(columns) && columns ? "WHO" : "");
	return top_fit(text, columns, out, TOP_LINE);
}

char *top_line(const struct top_row *row, int columns, char out[static TOP_LINE])
{
	char text[2 * TOP_LINE], who[TOP_LINE], name[TOP_LINE];
	int at = line_start(row, columns, text);

	top_who(row, who);
	if (columns && is_wide(columns))
		top_fit(row->name, NAME_WIDE, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "%s", row->name);
	snprintf(text + at, sizeof(text) - (size_t)at, "%s%s%s", name, is_wide(columns) && *who ? " " : "",
		 is_wide(columns) ? who : "");
	return top_fit(text, columns, out, TOP_LINE);
}

static void who_add(char *out, const char *does, const struct top_person *person, int64_t count)
{
	size_t at = strlen(out);
	char since[16];

	if (person->since < 0 || at >= TOP_LINE)
		return;
	snprintf(out + at, TOP_LINE - at, "%s%s %s%s%s(%lld) %s", at ? "; " : "", does, person->operation,
		 *person->operation ? " " : "", person->command, (long long)person->pid,
		 top_seconds_text(person->since, since));
	at = strlen(out);
	if (count > 1)
		snprintf(out + at, TOP_LINE - at, " +%lld", (long long)count - 1);
}

char *top_who(const struct top_row *row, char out[static TOP_LINE])
{
	out[0] = '\0';
	who_add(out, "waits:", &row->people[TOP_WAITING], row->number[TOP_WAITERS]);
	who_add(out, "held by", &row->people[TOP_HOLDING], row->number[TOP_HOLDERS]);
	who_add(out, "owed by", &row->people[TOP_OWING], row->number[TOP_OWED]);
	return out;
}

char *top_sum(const struct top_sample *s, char out[static TOP_LINE])
{
	static const enum top_number numbers[] = {TOP_WAITERS, TOP_HOLDERS, TOP_OWED};
	int64_t sums[3] = {0};
	double in = -1, to = -1;
	char a[16], b[16];

	for (size_t i = 0; i < s->count; i++) {
		const struct top_row *row = &s->rows[i];

		for (int n = 0; n < 3; n++)
			sums[n] += row->number[numbers[n]] > 0 ? row->number[numbers[n]] : 0;
		if (row->rate[TOP_IN] >= 0)
			in = (in < 0 ? 0 : in) + row->rate[TOP_IN];
		if (row->rate[TOP_OUT] >= 0)
			to = (to < 0 ? 0 : to) + row->rate[TOP_OUT];
	}
	snprintf(out, TOP_LINE, "%zu channel%s, %lld waiting, %lld held, %lld owed, in %s/s, out %s/s", s->count,
		 s->count == 1 ? "" : "s", (long long)sums[0], (long long)sums[1], (long long)sums[2],
		 top_number_text(in, a), top_number_text(to, b));
	return out;
}

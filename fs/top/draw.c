/* The live table, or a page, as it is drawn. */
#ifdef HAVE_NCURSES
#include "live.h"

#include <curses.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "page.h"

int screen_lines(void)
{
	return LINES > ABOVE + BELOW ? LINES - ABOVE - BELOW : 0;
}

static void draw_line(int y, const char *text, attr_t how)
{
	char line[TOP_LINE];

	if (y < 0 || y >= LINES)
		return;
	top_fit(text, COLS, line, sizeof(line));
	attrset(how);
	mvaddstr(y, 0, line);
	attrset(A_NORMAL);
}

static void draw_title(const struct screen *s)
{
	char text[TOP_LINE], sum[TOP_LINE] = "";
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	if (s->sample)
		top_sum(s->sample, sum);
	snprintf(text, sizeof(text), "ipcfs-top %02d:%02d:%02d  by %s%s%s%s%s  %s", tm.tm_hour, tm.tm_min, tm.tm_sec,
		 top_order_name(s->view.order), s->view.reverse ? " (reversed)" : "", s->view.busy ? ", busy" : "",
		 s->view.filter[0] ? ", like " : "", s->view.filter, s->dir);
	draw_line(0, text, A_BOLD);
	if (!s->trouble[0]) {
		draw_line(1, sum, A_NORMAL);
		return;
	}
	draw_line(1, s->trouble, A_BOLD);
}

static void draw_table(const struct screen *s)
{
	char text[TOP_LINE];

	draw_line(2, top_head(COLS, text), A_REVERSE);
	for (int i = 0; i < screen_lines() && s->first + (size_t)i < s->count; i++) {
		size_t at = s->first + (size_t)i;

		draw_line(ABOVE + i, top_line(s->rows[at], COLS, text), at == s->chosen ? A_STANDOUT : A_NORMAL);
	}
	if (s->sample && !s->count)
		draw_line(ABOVE, s->sample->count ? "  no channel is like that" : "  there are no channels", A_DIM);
}

static void draw_page(const struct screen *s)
{
	const char *at = s->text ? top_page_line(s->text, s->line) : NULL;
	char title[TOP_LINE], line[TOP_LINE];

	if (s->page == PAGE_CHANNEL)
		snprintf(title, sizeof(title), "%s/%s", s->kind, s->name);
	else
		snprintf(title, sizeof(title), "%s", s->page == PAGE_HELP ? "help" : "errors: your last refusals");
	draw_line(2, title, A_REVERSE);
	for (int y = ABOVE; at && y < ABOVE + screen_lines(); y++) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
		draw_line(y, line, A_NORMAL);
		at = top_page_line(at, 1);
	}
}

static void draw_foot(const struct screen *s)
{
	static const char keys[] = "?: help  q: quit  /: filter  s: sort  Enter: open  e: errors";
	const struct top_row *row = s->chosen < s->count ? s->rows[s->chosen] : NULL;
	char text[2 * TOP_LINE], who[TOP_LINE] = "";

	if (row)
		top_who(row, who);
	if (s->filtering)
		snprintf(text, sizeof(text), "filter: %s_", s->view.filter);
	else if (s->page != PAGE_TABLE)
		snprintf(text, sizeof(text), "Esc: back  Up, Down, PgUp, PgDn: scroll");
	else if (who[0])
		snprintf(text, sizeof(text), "%s/%s %s", row->kind, row->name, who);
	else
		snprintf(text, sizeof(text), "%s", keys);
	draw_line(LINES - 1, text, A_DIM);
}

void screen_draw(const struct screen *s)
{
	erase();
	draw_title(s);
	if (s->page == PAGE_TABLE)
		draw_table(s);
	else
		draw_page(s);
	draw_foot(s);
	refresh();
}
#endif

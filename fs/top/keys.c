/* Which rows of the live table are shown, and what its keys do. */
#ifdef HAVE_NCURSES
#include "live.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

/* Another row is the chosen one. */
static void screen_choose(struct screen *s, size_t at)
{
	size_t lines = (size_t)screen_lines();

	s->chosen = at < s->count ? at : s->count ? s->count - 1 : 0;
	if (s->chosen < s->count) {
		snprintf(s->kind, sizeof(s->kind), "%s", s->rows[s->chosen]->kind);
		snprintf(s->name, sizeof(s->name), "%s", s->rows[s->chosen]->name);
	}
	if (s->first > s->chosen)
		s->first = s->chosen;
	if (lines && s->chosen >= s->first + lines)
		s->first = s->chosen - lines + 1;
	if (s->count < s->first + lines)
		s->first = s->count > lines ? s->count - lines : 0;
}

/* The rows anew. Who has moved from the top keeps his channel, wherever it is now. */
void screen_arrange(struct screen *s)
{
	size_t at = s->chosen;

	free(s->rows);
	s->rows = NULL;
	s->count = 0;
	if (!s->sample)
		return;
	s->rows = top_view_rows(&s->view, s->sample, &s->count);
	if (!s->rows)
		s->count = 0;
	for (size_t i = 0; at && i < s->count; i++)
		if (strcmp(s->rows[i]->name, s->name) == 0 && strcmp(s->rows[i]->kind, s->kind) == 0) {
			at = i;
			break;
		}
	screen_choose(s, at);
}

/* --- keys --- */

void screen_leave_page(struct screen *s)
{
	s->page = PAGE_TABLE;
	free(s->text);
	s->text = NULL;
}

static void open_page(struct screen *s, enum page page)
{
	if (page == PAGE_CHANNEL && s->chosen >= s->count)
		return;
	screen_leave_page(s);
	s->page = page;
	s->line = 0;
	if (page == PAGE_HELP)
		s->text = strdup(top_help);
	else if (page == PAGE_CHANNEL)
		top_channel_file(s->rows[s->chosen], s->file, sizeof(s->file));
	else
		snprintf(s->file, sizeof(s->file), "errors");
	s->wanted = page != PAGE_HELP;
}

static void filter_key(struct screen *s, int key)
{
	char *filter = s->view.filter;
	size_t len = strlen(filter);

	if (key == '\n' || key == KEY_ENTER) {
		s->filtering = false;
	} else if (key == 27) {
		s->filtering = false;
		filter[0] = '\0';
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		while (len && ((unsigned char)filter[len - 1] & 0xc0) == 0x80)
			len--;
		filter[len ? len - 1 : 0] = '\0';
	} else if (key >= ' ' && key < 256 && len + 1 < sizeof(s->view.filter)) {
		filter[len] = (char)key;
		filter[len + 1] = '\0';
	}
	screen_arrange(s);
}

/* How far a key goes; 0: it is none that does. */
static int key_way(int key, int all)
{
	int lines = screen_lines();

	switch (key) {
	case KEY_UP:
	case 'k':
		return -1;
	case KEY_DOWN:
	case 'j':
		return 1;
	case KEY_PPAGE:
		return -lines;
	case KEY_NPAGE:
		return lines;
	case KEY_HOME:
	case 'g':
		return -all;
	case KEY_END:
	case 'G':
		return all;
	default:
		return 0;
	}
}

static void move_by(struct screen *s, int way)
{
	int last;

	if (s->page == PAGE_TABLE) {
		screen_choose(s, way < 0 && (size_t)-way > s->chosen ? 0 : s->chosen + (size_t)(ssize_t)way);
		return;
	}
	last = top_page_lines(s->text) - screen_lines();
	s->line += way;
	if (s->line > last)
		s->line = last;
	if (s->line < 0)
		s->line = 0;
}

static void table_key(struct screen *s, int key)
{
	switch (key) {
	case 'q':
		s->over = true;
		break;
	case '\n':
	case KEY_ENTER:
		open_page(s, PAGE_CHANNEL);
		break;
	case 's':
		s->view.order = (s->view.order + 1) % TOP_ORDERS;
		break;
	case 'S':
		s->view.order = (s->view.order + TOP_ORDERS - 1) % TOP_ORDERS;
		break;
	case 'r':
		s->view.reverse = !s->view.reverse;
		break;
	case 'b':
		s->view.busy = !s->view.busy;
		break;
	case '/':
		s->filtering = true;
		s->view.filter[0] = '\0';
		break;
	default:
		return;
	}
	screen_arrange(s);
}

static void change_delay(struct screen *s, bool slower)
{
	s->delay = slower ? s->delay * 2 : s->delay / 2;
	if (s->delay < DELAY_MIN_MS)
		s->delay = DELAY_MIN_MS;
	if (s->delay > DELAY_MAX_MS)
		s->delay = DELAY_MAX_MS;
	s->next = screen_now() + s->delay;
}

static void page_key(struct screen *s, int key)
{
	if (key == 27 || key == 'q' || key == KEY_LEFT || key == KEY_BACKSPACE || key == '\n')
		screen_leave_page(s);
}

void screen_key(struct screen *s, int key)
{
	int way = key_way(key, 1 << 24);

	if (key == KEY_RESIZE) {
		clear();
		screen_choose(s, s->chosen);
	} else if (s->filtering) {
		filter_key(s, key);
	} else if (way) {
		move_by(s, way);
	} else if (key == ' ') {
		s->next = 0;
	} else if (key == '+' || key == '-') {
		change_delay(s, key == '+');
	} else if (key == '?' || key == 'h') {
		open_page(s, PAGE_HELP);
	} else if (key == 'e') {
		open_page(s, PAGE_ERRORS);
	} else if (s->page == PAGE_TABLE) {
		table_key(s, key);
	} else {
		page_key(s, key);
	}
}
#endif

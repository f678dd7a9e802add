/* The table on a terminal: keys, pages, and what is read meanwhile by fetch.c. */
#ifdef HAVE_NCURSES
#include "screen.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fetch.h"
#include "page.h"
#include "place.h"
#include "table.h"

enum { ABOVE = 3, BELOW = 1, DELAY_MIN_MS = 100, DELAY_MAX_MS = 60000, SILENT_S = 3 };

enum page { PAGE_TABLE, PAGE_CHANNEL, PAGE_ERRORS, PAGE_HELP };

struct screen {
	const char *dir;
	struct top_fetch *fetch;
	struct top_view view;
	struct top_sample *sample;
	const struct top_row **rows; /* of the sample, as they are shown */
	size_t count;
	char kind[16], name[1100]; /* of the chosen row */
	size_t chosen, first;	   /* rows: the chosen one, the topmost that is visible */

	enum page page;
	char *text;			  /* of the page */
	int line;			  /* its topmost */
	char file[1200], asked_for[1200]; /* what it shows; what is being read, "": status@json */
	bool wanted;			  /* it is to be read again */

	bool filtering;
	char filter_before[sizeof(((struct top_view *)0)->filter)];
	char trouble[4096]; /* why there was no sample, or no page; "": there was */
	long looks, left;   /* left: of those that were asked for */
	int64_t delay, next, asked;
	bool over;
};

static volatile sig_atomic_t ended;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static int body_lines(void)
{
	return LINES > ABOVE + BELOW ? LINES - ABOVE - BELOW : 0;
}

/* --- drawing --- */

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
	for (int i = 0; i < body_lines() && s->first + (size_t)i < s->count; i++) {
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
	for (int y = ABOVE; at && y < ABOVE + body_lines(); y++) {
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

static void draw(const struct screen *s)
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

/* --- what is shown --- */

static void choose(struct screen *s, size_t at)
{
	size_t lines = (size_t)body_lines();

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
static void arrange(struct screen *s)
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
	choose(s, at);
}

static void take_sample(struct screen *s, struct top_sample *sample)
{
	top_sample_compare(sample, s->sample);
	free(s->rows);
	s->rows = NULL;
	top_sample_free(s->sample);
	s->sample = sample;
	s->wanted = s->page == PAGE_CHANNEL || s->page == PAGE_ERRORS;
	arrange(s);
	if (s->looks && --s->left == 0)
		s->over = true;
}

/* Unless something else is shown by now. */
static void take_page(struct screen *s, char *text, int err)
{
	if (s->page == PAGE_TABLE || strcmp(s->asked_for, s->file) != 0) {
		free(text);
		return;
	}
	free(s->text);
	s->text = text;
	if (err == ENOENT)
		s->text = strdup("the channel is not there any more");
	else if (err == EACCES)
		s->text = strdup("only who may read a channel sees who is at it");
	else if (err)
		s->text = strdup(strerror(err));
}

static void take(struct screen *s)
{
	struct top_fetched got;

	if (!top_fetch_take(s->fetch, &got)) {
		int64_t silent = (now_ms() - s->asked) / 1000;

		if (s->asked && silent >= SILENT_S)
			snprintf(s->trouble, sizeof(s->trouble), "no answer from the mount for %d s", (int)silent);
		return;
	}
	s->asked = 0;
	s->trouble[0] = '\0';
	if (s->asked_for[0])
		take_page(s, got.text, got.err);
	else if (got.sample)
		take_sample(s, got.sample);
	else
		top_place_trouble(s->dir, got.err, s->trouble, sizeof(s->trouble));
}

/* --- keys --- */

static void leave_page(struct screen *s)
{
	s->page = PAGE_TABLE;
	free(s->text);
	s->text = NULL;
}

static void open_page(struct screen *s, enum page page)
{
	if (page == PAGE_CHANNEL && s->chosen >= s->count)
		return;
	leave_page(s);
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
	arrange(s);
}

/* How far a key goes; 0: it is none that does. */
static int key_way(int key, int all)
{
	int lines = body_lines();

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
		choose(s, way < 0 && (size_t)-way > s->chosen ? 0 : s->chosen + (size_t)(ssize_t)way);
		return;
	}
	last = top_page_lines(s->text) - body_lines();
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
	arrange(s);
}

static void change_delay(struct screen *s, bool slower)
{
	s->delay = slower ? s->delay * 2 : s->delay / 2;
	if (s->delay < DELAY_MIN_MS)
		s->delay = DELAY_MIN_MS;
	if (s->delay > DELAY_MAX_MS)
		s->delay = DELAY_MAX_MS;
	s->next = now_ms() + s->delay;
}

static void page_key(struct screen *s, int key)
{
	if (key == 27 || key == 'q' || key == KEY_LEFT || key == KEY_BACKSPACE || key == '\n')
		leave_page(s);
}

static void take_key(struct screen *s, int key)
{
	int way = key_way(key, 1 << 24);

	if (key == KEY_RESIZE) {
		clear();
		choose(s, s->chosen);
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

/* --- the loop --- */

/* For the next file that is to be read, if it is time. */
static void ask(struct screen *s)
{
	int64_t now = now_ms();
	bool page = s->wanted && s->page != PAGE_TABLE;

	if (s->asked || (!page && now < s->next))
		return;
	if (!top_fetch_ask(s->fetch, page ? s->file : "status@json"))
		return;
	s->asked = now;
	snprintf(s->asked_for, sizeof(s->asked_for), "%s", page ? s->file : "");
	if (page)
		s->wanted = false;
	else
		s->next = now + s->delay;
}

static void wait_for_something(struct screen *s)
{
	struct pollfd p[] = {{STDIN_FILENO, POLLIN, 0}, {top_fetch_fd(s->fetch), POLLIN, 0}};
	int64_t left = s->next - now_ms();
	int n;

	/* What is asked for comes when it comes; meanwhile the clock goes on. */
	if (s->asked || left > 1000)
		left = 1000;
	n = poll(p, 2, left < 0 ? 0 : (int)left);
	if (n > 0 && (p[0].revents & (POLLHUP | POLLERR)))
		s->over = true;
}

static void screen_loop(struct screen *s)
{
	while (!s->over && !ended) {
		int key;

		draw(s);
		ask(s);
		wait_for_something(s);
		while ((key = getch()) != ERR)
			take_key(s, key);
		take(s);
	}
}

static void end_soon(int number)
{
	(void)number;
	ended = 1;
}

/* 0, or -1 having complained. */
static int screen_begin(void)
{
	struct sigaction end = {.sa_handler = end_soon};

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		fputs("ipcfs-top: this is no terminal; -b prints the table\n", stderr);
		return -1;
	}
	if (!newterm(NULL, stdout, stdin)) {
		fprintf(stderr, "ipcfs-top: TERM=%s: no such terminal is known here; -b prints the table\n",
			getenv("TERM") ? getenv("TERM") : "");
		return -1;
	}
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	return 0;
}

int top_screen_run(const char *dir, double delay, long looks)
{
	struct screen s = {.dir = dir, .looks = looks, .left = looks, .delay = (int64_t)(delay * 1000)};
	struct top_sample *sample = top_sample_read(dir);

	/* What is wrong from the beginning is said where it stays to be read. */
	if (!sample) {
		fprintf(stderr, "ipcfs-top: %s\n", top_place_trouble(dir, errno, s.trouble, sizeof(s.trouble)));
		return 1;
	}
	s.fetch = top_fetch_new(dir);
	if (!s.fetch)
		fprintf(stderr, "ipcfs-top: %s\n", strerror(errno));
	if (!s.fetch || screen_begin() < 0) {
		top_sample_free(sample);
		return 1;
	}
	s.next = now_ms() + s.delay;
	take_sample(&s, sample);
	screen_loop(&s);
	endwin();
	/* The other thread waits for a daemon that does not answer: what it holds ends with the process. */
	if (s.asked)
		_exit(0);
	leave_page(&s);
	free(s.rows);
	top_sample_free(s.sample);
	return 0;
}
#endif

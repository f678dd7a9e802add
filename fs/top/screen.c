/* The live table on a terminal: the loop over its keys, and over what fetch.c reads meanwhile. */
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

#include "live.h"
#include "place.h"

static volatile sig_atomic_t ended;

int64_t screen_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void take_sample(struct screen *s, struct top_sample *sample)
{
	top_sample_compare(sample, s->sample);
	free(s->rows);
	s->rows = NULL;
	top_sample_free(s->sample);
	s->sample = sample;
	s->wanted = s->page == PAGE_CHANNEL || s->page == PAGE_ERRORS;
	screen_arrange(s);
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
		int64_t silent = (screen_now() - s->asked) / 1000;

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

/* For the next file that is to be read, if it is time. */
static void ask(struct screen *s)
{
	int64_t now = screen_now();
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
	int64_t left = s->next - screen_now();
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

		screen_draw(s);
		ask(s);
		wait_for_something(s);
		while ((key = getch()) != ERR)
			screen_key(s, key);
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
	/* It draws blanks where it cannot move the cursor, as on TERM=dumb. */
	if (!screen_terminal_moves() || !newterm(NULL, stdout, stdin)) {
		fprintf(stderr, "ipcfs-top: TERM=%s: not known here, or it cannot move a cursor; -b prints the table\n",
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
	s.next = screen_now() + s.delay;
	take_sample(&s, sample);
	screen_loop(&s);
	endwin();
	/* The other thread waits for a daemon that does not answer: what it holds ends with the process. */
	if (s.asked)
		_exit(0);
	screen_leave_page(&s);
	free(s.rows);
	top_sample_free(s.sample);
	return 0;
}
#endif

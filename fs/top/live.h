/*
 * What the files of the live table share: its state, what it draws (draw.c), its keys (keys.c), and the loop
 * (screen.c).
 */
#ifndef TOP_LIVE_H
#define TOP_LIVE_H

#include "fetch.h"
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
	char trouble[4096]; /* why there was no sample, or no page; "": there was */
	long looks, left;   /* left: of those that were asked for */
	int64_t delay, next, asked;
	bool over;
};

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t screen_now(void);
/* Lines between the head and the foot. */
int screen_lines(void);
/* draw.c: all of it. */
void screen_draw(const struct screen *);
/* keys.c: what a key of curses does. */
void screen_key(struct screen *, int key);
/* The rows are chosen and sorted anew. */
void screen_arrange(struct screen *);
/* Back to the table. */
void screen_leave_page(struct screen *);

/* terminal.c: whether TERM is known, and its cursor can be moved. */
bool screen_terminal_moves(void);

#endif

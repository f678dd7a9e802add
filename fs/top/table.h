/* The table of channels: which rows, in which order, and each as a line. */
#ifndef TOP_TABLE_H
#define TOP_TABLE_H

#include "sample.h"

enum top_order { TOP_BY_TRAFFIC, TOP_BY_NAME, TOP_BY_DEPTH, TOP_BY_WAITING, TOP_BY_HELD, TOP_BY_OWED, TOP_ORDERS };

struct top_view {
	enum top_order order;
	bool reverse;
	bool busy;	  /* only channels with traffic, or with somebody or something in them */
	char filter[128]; /* a part of kind/name, whatever its case; "": all */
};

enum { TOP_LINE = 2048 };

/* "traffic" and so on. */
const char *top_order_name(enum top_order);
/* The rows that are shown, in their order, to be freed. NULL: out of memory. */
const struct top_row **top_view_rows(const struct top_view *, const struct top_sample *, size_t *count);

/*
 * Texts of at most so many columns of a terminal; 0: as many as they take. Behind the first, spaces fill it up. Nothing
 * in them but printable characters of the locale. Both return out.
 */
char *top_fit(const char *text, int columns, char *out, size_t size);
char *top_head(int columns, char out[static TOP_LINE]);
char *top_line(const struct top_row *, int columns, char out[static TOP_LINE]);
/* Who waits, holds and owes, the longest of each. */
char *top_who(const struct top_row *, char out[static TOP_LINE]);
/* What all have together. */
char *top_sum(const struct top_sample *, char out[static TOP_LINE]);

/* In at most 5 columns: a number, as 999, 12.3k, 4.5M; a duration, as 0.3s, 12s, 5m, 7h, 3d. */
char *top_number_text(double value, char out[static 16]);
char *top_seconds_text(double seconds, char out[static 16]);

#endif

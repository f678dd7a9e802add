/* What M/status@json said at one time: the channels, and how fast they go since the time before. */
#ifndef TOP_SAMPLE_H
#define TOP_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum top_number {
	TOP_DEPTH,
	TOP_LIMIT,
	TOP_OPENERS,
	TOP_READERS,
	TOP_WRITERS,
	TOP_WAITERS,
	TOP_HOLDERS,
	TOP_OWED,
	TOP_IN,
	TOP_IN_BYTES,
	TOP_OUT,
	TOP_OUT_BYTES,
	TOP_NUMBERS
};

/* Of those who do the same, the one who does it longest. */
struct top_person {
	int64_t pid; /* 0: a process that the reader cannot see */
	const char *command, *operation;
	double since; /* seconds ago; below 0: there is nobody, or the reader may not know */
};

enum top_people { TOP_WAITING, TOP_HOLDING, TOP_OWING, TOP_PEOPLE };

struct top_row {
	const char *kind, *name;     /* names as ipcfs escapes them */
	int64_t number[TOP_NUMBERS]; /* -1: not known */
	double rate[TOP_NUMBERS];    /* of the counters, each second; below 0: not known */
	struct top_person people[TOP_PEOPLE];
	size_t next; /* of the same hash, and 1; 0: the last */
};

struct top_sample {
	char *text; /* what names point into */
	int64_t at; /* nanoseconds of CLOCK_MONOTONIC */
	struct top_row *rows;
	size_t count, size;
	size_t *heads, mask; /* of the hash; a row's number, and 1 */
};

/* A whole file as a string; NULL with errno. */
char *top_file_read(const char *path);
/* DIR/status@json; NULL with errno, EPROTO where the file is none of ipcfs's. */
struct top_sample *top_sample_read(const char *dir);
/* The same of a text, which is taken over and changed. */
struct top_sample *top_sample_parse(char *text);
/* Fills in the rates. before may be NULL. */
void top_sample_compare(struct top_sample *now, const struct top_sample *before);
const struct top_row *top_sample_find(const struct top_sample *, const char *kind, const char *name);
void top_sample_free(struct top_sample *); /* accepts NULL */

#endif

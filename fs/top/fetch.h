/*
 * Files of the mount, read by a thread of its own, so that a daemon that does not answer leaves the keys alive. One at
 * a time.
 */
#ifndef TOP_FETCH_H
#define TOP_FETCH_H

#include "sample.h"

struct top_fetch;

/* What came of it. */
struct top_fetched {
	int err;		   /* an errno; 0: one of the two below, which becomes the caller's */
	struct top_sample *sample; /* of status@json */
	char *text;		   /* of another file */
};

/* dir must stay. NULL with errno. It ends with the process. */
struct top_fetch *top_fetch_new(const char *dir);
/* Asks for a file of the mount, "status@json" as a sample. False: one is being read still. */
bool top_fetch_ask(struct top_fetch *, const char *file);
/* Readable when there is something to take. */
int top_fetch_fd(const struct top_fetch *);
/* False: not yet. */
bool top_fetch_take(struct top_fetch *, struct top_fetched *);

#endif

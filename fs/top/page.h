/* A page of text, through which one can scroll: of a channel, of the refusals, of the keys. */
#ifndef TOP_PAGE_H
#define TOP_PAGE_H

#include "sample.h"

/* The file below the mount with the state of the channel, KIND/NAME@ctl. Returns out. */
char *top_channel_file(const struct top_row *, char *out, size_t size);
extern const char top_help[];
/* Where its line begins, or NULL behind the last; and how many lines there are. */
const char *top_page_line(const char *text, int line);
int top_page_lines(const char *text);

#endif

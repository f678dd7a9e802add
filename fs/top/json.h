/*
 * Reads JSON in place, a value after the other. Whoever calls knows what he expects; once something else came, all
 * calls fail.
 */
#ifndef TOP_JSON_H
#define TOP_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct json {
	char *at; /* in a text that ends with NUL */
	bool bad; /* it is not JSON, or not what was expected */
};

/* '[' or '{'. */
bool json_enter(struct json *, char open);
/* Whether another element follows before ']' or '}', which is passed otherwise. first: true before the first one. */
bool json_more(struct json *, char close, bool *first);
/* The string's bytes, where it was, with a NUL behind them; what \u0000 stands for ends it early. NULL: bad. */
char *json_string(struct json *);
/* A string and the ':' behind it. */
char *json_key(struct json *);
/* False for null, and when bad. Fractions are cut off; json_real() keeps them. */
bool json_number(struct json *, int64_t *);
bool json_real(struct json *, double *);
/* Passes any value, of at most 32 levels. */
void json_skip(struct json *);

#endif

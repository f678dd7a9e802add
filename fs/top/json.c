#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { LEVELS = 32 };

static char json_peek(struct json *j)
{
	if (j->bad)
		return '\0';
	while (*j->at == ' ' || *j->at == '\n' || *j->at == '\t' || *j->at == '\r')
		j->at++;
	return *j->at;
}

static bool json_take(struct json *j, char c)
{
	if (json_peek(j) != c)
		j->bad = true;
	else
		j->at++;
	return !j->bad;
}

bool json_enter(struct json *j, char open)
{
	return json_take(j, open);
}

bool json_more(struct json *j, char close, bool *first)
{
	bool was_first = *first;

	*first = false;
	if (json_peek(j) == close) {
		j->at++;
		return false;
	}
	return was_first ? !j->bad && json_peek(j) : json_take(j, ',');
}

static int hex_digits(const char *at)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		char c = at[i];
		int digit = c >= '0' && c <= '9'		 ? c - '0'
			    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
								 : -1;

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static char *utf8_put(char *to, int c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/*
 * What stands behind a backslash; at is moved behind it. NULL: bad. Halves of a pair become two characters, which are
 * not shown.
 */
static char *json_unescape(char **at, char *to)
{
	static const char from[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *found = **at ? strchr(from, **at) : NULL;
	int c;

	if (found) {
		++*at;
		*to++ = meant[found - from];
		return to;
	}
	c = **at == 'u' ? hex_digits(*at + 1) : -1;
	if (c < 0)
		return NULL;
	*at += 5;
	return utf8_put(to, c);
}

char *json_string(struct json *j)
{
	char *start, *to;

	if (!json_take(j, '"'))
		return NULL;
	start = to = j->at;
	for (;;) {
		size_t plain = strcspn(j->at, "\"\\");

		if (to != j->at)
			memmove(to, j->at, plain);
		to += plain;
		j->at += plain;
		if (*j->at == '"')
			break;
		if (*j->at)
			j->at++; /* behind the backslash */
		to = json_unescape(&j->at, to);
		if (!to) {
			j->bad = true;
			return NULL;
		}
	}
	j->at++;
	*to = '\0';
	return start;
}

char *json_key(struct json *j)
{
	char *key = json_string(j);

	return key && json_take(j, ':') ? key : NULL;
}

static bool json_word(struct json *j, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(j->at, word, n) != 0)
		return false;
	j->at += n;
	return true;
}

/* Whether a number begins here; null is none, and all else is bad. */
static bool json_is_number(struct json *j)
{
	char c = json_peek(j);

	if (j->bad || (c == 'n' && json_word(j, "null")))
		return false;
	j->bad = c != '-' && (c < '0' || c > '9');
	return !j->bad;
}

bool json_real(struct json *j, double *value)
{
	char *end;

	if (!json_is_number(j))
		return false;
	*value = strtod(j->at, &end);
	j->bad = end == j->at;
	j->at = end;
	return !j->bad;
}

bool json_number(struct json *j, int64_t *value)
{
	char *end;
	double real;

	if (!json_is_number(j))
		return false;
	*value = strtoll(j->at, &end, 10);
	if (*end != '.' && *end != 'e' && *end != 'E') {
		j->bad = end == j->at;
		j->at = end;
		return !j->bad;
	}
	if (!json_real(j, &real))
		return false;
	*value = real >= 9e18 ? INT64_MAX : real <= -9e18 ? INT64_MIN : (int64_t)real;
	return true;
}

static void json_pass(struct json *j, int levels)
{
	char c = json_peek(j), close = c == '{' ? '}' : ']';
	bool first = true;
	double number;

	if (j->bad)
		return;
	if (c == '"') {
		json_string(j);
	} else if (c == '{' || c == '[') {
		j->bad = j->bad || !levels;
		for (json_enter(j, c); json_more(j, close, &first);) {
			if (c == '{')
				json_key(j);
			json_pass(j, levels - 1);
		}
	} else if (!json_word(j, "true") && !json_word(j, "false")) {
		json_real(j, &number);
	}
}

void json_skip(struct json *j)
{
	json_pass(j, LEVELS);
}

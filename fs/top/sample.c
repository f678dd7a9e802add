#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"

static const char *const number_keys[TOP_NUMBERS] = {
	[TOP_DEPTH] = "depth",	     [TOP_LIMIT] = "limit",	 [TOP_OPENERS] = "openers",
	[TOP_READERS] = "readers",   [TOP_WRITERS] = "writers",	 [TOP_WAITERS] = "waiters",
	[TOP_HOLDERS] = "holders",   [TOP_OWED] = "owed",	 [TOP_IN] = "in_messages",
	[TOP_IN_BYTES] = "in_bytes", [TOP_OUT] = "out_messages", [TOP_OUT_BYTES] = "out_bytes",
};

static const char *const people_keys[TOP_PEOPLE] = {
	[TOP_WAITING] = "waiting",
	[TOP_HOLDING] = "holding",
	[TOP_OWING] = "owing",
};

/* --- parsing --- */

/* The keys come in the same order again and again: `expected` is the first to try. */
static int key_find(const char *key, const char *const *keys, int count, int expected)
{
	for (int i = 0; i < count; i++) {
		int at = (expected + i) % count;

		if (strcmp(key, keys[at]) == 0)
			return at;
	}
	return -1;
}

static struct top_person person_parse(struct json *j)
{
	struct top_person person = {0, "?", "", -1};
	bool first = true;

	for (json_enter(j, '{'); json_more(j, '}', &first);) {
		const char *key = json_key(j);

		if (!key)
			break;
		if (strcmp(key, "pid") == 0)
			json_number(j, &person.pid);
		else if (strcmp(key, "command") == 0)
			person.command = json_string(j);
		else if (strcmp(key, "operation") == 0)
			person.operation = json_string(j);
		else if (strcmp(key, "since") == 0)
			json_real(j, &person.since);
		else
			json_skip(j);
	}
	return person;
}

static void people_parse(struct json *j, struct top_person *longest)
{
	bool first = true;

	for (json_enter(j, '['); json_more(j, ']', &first);) {
		struct top_person person = person_parse(j);

		if (!j->bad && person.since > longest->since)
			*longest = person;
	}
}

static void row_clear(struct top_row *row)
{
	*row = (struct top_row){.kind = "", .name = ""};
	for (int i = 0; i < TOP_NUMBERS; i++) {
		row->number[i] = -1;
		row->rate[i] = -1;
	}
	for (int i = 0; i < TOP_PEOPLE; i++)
		row->people[i].since = -1;
}

/* Where openers are told, what is left out is 0: status@json,brief. */
static void row_complete(struct top_row *row)
{
	for (int i = TOP_OPENERS; i < TOP_NUMBERS && row->number[TOP_OPENERS] >= 0; i++)
		if (row->number[i] < 0)
			row->number[i] = 0;
}

static void row_parse(struct json *j, struct top_row *row)
{
	bool first = true;
	int expected = 0;

	row_clear(row);
	for (json_enter(j, '{'); json_more(j, '}', &first);) {
		const char *key = json_key(j);
		int at;

		if (!key)
			return;
		if ((at = key_find(key, number_keys, TOP_NUMBERS, expected)) >= 0) {
			json_number(j, &row->number[at]);
			expected = at + 1;
		} else if (strcmp(key, "kind") == 0) {
			row->kind = json_string(j);
		} else if (strcmp(key, "name") == 0) {
			row->name = json_string(j);
		} else if ((at = key_find(key, people_keys, TOP_PEOPLE, 0)) >= 0) {
			people_parse(j, &row->people[at]);
		} else {
			json_skip(j);
		}
	}
	row_complete(row);
}

static struct top_row *sample_add(struct top_sample *s)
{
	if (s->count == s->size) {
		size_t size = s->size ? 2 * s->size : 64;
		struct top_row *grown = reallocarray(s->rows, size, sizeof(*grown));

		if (!grown)
			return NULL;
		s->rows = grown;
		s->size = size;
	}
	return &s->rows[s->count++];
}

/* 0 or an errno. */
static int rows_parse(struct top_sample *s, struct json *j)
{
	bool first = true;

	for (json_enter(j, '['); json_more(j, ']', &first);) {
		struct top_row *row = sample_add(s);

		if (!row)
			return ENOMEM;
		row_parse(j, row);
	}
	return j->bad ? EPROTO : 0;
}

static int sample_fill(struct top_sample *s)
{
	struct json j = {.at = s->text};
	bool first = true, found = false;

	for (json_enter(&j, '{'); json_more(&j, '}', &first);) {
		const char *key = json_key(&j);
		int err;

		if (!key)
			break;
		if (strcmp(key, "channels") != 0) {
			json_skip(&j);
			continue;
		}
		found = true;
		err = rows_parse(s, &j);
		if (err)
			return err;
	}
	return found && !j.bad ? 0 : EPROTO;
}

/* --- finding --- */

static size_t row_hash(const char *kind, const char *name)
{
	size_t hash = 5381;

	for (; *kind; kind++)
		hash = hash * 33 + (unsigned char)*kind;
	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static int sample_index(struct top_sample *s)
{
	size_t size = 64;

	while (size < s->count)
		size *= 2;
	s->heads = calloc(size, sizeof(*s->heads));
	if (!s->heads)
		return ENOMEM;
	s->mask = size - 1;
	for (size_t i = 0; i < s->count; i++) {
		size_t at = row_hash(s->rows[i].kind, s->rows[i].name) & s->mask;

		s->rows[i].next = s->heads[at];
		s->heads[at] = i + 1;
	}
	return 0;
}

const struct top_row *top_sample_find(const struct top_sample *s, const char *kind, const char *name)
{
	size_t at = s->heads[row_hash(kind, name) & s->mask];

	for (; at; at = s->rows[at - 1].next)
		if (strcmp(s->rows[at - 1].name, name) == 0 && strcmp(s->rows[at - 1].kind, kind) == 0)
			return &s->rows[at - 1];
	return NULL;
}

/* --- the whole --- */

char *top_file_read(const char *path)
{
	size_t len = 0, size = 256 * 1024;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	char *text = fd < 0 ? NULL : malloc(size + 1);
	ssize_t n = -1;

	while (text && (n = read(fd, text + len, size - len)) > 0) {
		char *grown;

		len += (size_t)n;
		if (size - len >= size / 4)
			continue;
		size *= 2;
		grown = realloc(text, size + 1);
		if (!grown)
			free(text);
		text = grown;
	}
	err = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(text);
		text = NULL;
	}
	if (text)
		text[len] = '\0';
	errno = err;
	return text;
}

struct top_sample *top_sample_parse(char *text)
{
	struct top_sample *s = calloc(1, sizeof(*s));
	struct timespec now;
	int err;

	if (!s) {
		free(text);
		return NULL;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	s->at = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	s->text = text;
	err = sample_fill(s);
	if (!err)
		err = sample_index(s);
	if (!err)
		return s;
	top_sample_free(s);
	errno = err;
	return NULL;
}

struct top_sample *top_sample_read(const char *dir)
{
	char path[4096], *text;

	if (snprintf(path, sizeof(path), "%s/status@json,brief", dir) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	text = top_file_read(path);
	/* A daemon from before there was a brief form. */
	if (!text && (errno == ENOENT || errno == EINVAL)) {
		*strrchr(path, ',') = '\0';
		text = top_file_read(path);
	}
	return text ? top_sample_parse(text) : NULL;
}

void top_sample_compare(struct top_sample *now, const struct top_sample *before)
{
	double seconds = before ? (double)(now->at - before->at) / 1e9 : 0;

	for (size_t i = 0; before && seconds > 0 && i < now->count; i++) {
		struct top_row *row = &now->rows[i];
		const struct top_row *old = top_sample_find(before, row->kind, row->name);

		for (int n = TOP_IN; n <= TOP_OUT_BYTES; n++) {
			int64_t from = old && old->number[n] >= 0 ? old->number[n] : 0;

			/* Another object under the name begins anew. */
			if (row->number[n] >= 0)
				row->rate[n] = (double)(row->number[n] - (from <= row->number[n] ? from : 0)) / seconds;
		}
	}
}

void top_sample_free(struct top_sample *s)
{
	if (!s)
		return;
	free(s->text);
	free(s->rows);
	free(s->heads);
	free(s);
}

/* Fuzz target for lib/core/facet.c. The first byte of an input chooses the kind, the rest is the text. */
#include "base/escape.h"
#include "base/number.h"
#include "core/facet.h"
#include "../facets.h"
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t allowed_of(uint8_t choice)
{
	switch (choice) {
	case 'm':
	case 'M':
		return MQ;
	case 's':
		return SOCK;
	default:
		return ALL;
	}
}

/* No control bytes, and nothing that would be escaped except for the backslashes of escapes. */
static void check_line(const char *line)
{
	size_t len = strlen(line), backslashes = 0;

	for (size_t i = 0; i < len; i++)
		backslashes += line[i] == '\\';
	CHECK(len > 0);
	CHECK(ipc_escape(NULL, 0, line, len) == len + 3 * backslashes);
}

static void check_values(const struct ipc_facets *f, size_t len)
{
	CHECK(f->prio <= 32767);
	CHECK(f->n >= 0 && f->size >= 0);
	CHECK(f->idle >= 0 && f->idle <= INT64_C(1) << 62);
	CHECK(f->timeout >= 0 && f->timeout <= INT64_C(1) << 62);
	CHECK(f->maxmsg >= 0 && f->maxmsg <= INT32_MAX);
	CHECK(f->msgsize >= 0 && f->msgsize <= INT32_MAX);
	CHECK(f->value >= 0 && f->value <= INT32_MAX);
	CHECK(f->last >= 0 && f->last <= INT32_MAX);
	CHECK(!(f->set & IPC_F_N) || f->n > 0);
	CHECK(!(f->set & IPC_F_CONNECT) || (f->connect >= strlen("connect=") && f->connect < len));
	CHECK((f->set & (IPC_F_LINES | IPC_F_NUL)) != (IPC_F_LINES | IPC_F_NUL));
	CHECK(!(f->set & IPC_F_CTL) || f->set == IPC_F_CTL);
}

static void fuzz_facets(uint8_t choice, const char *text, size_t len)
{
	uint32_t allowed = allowed_of(choice);
	int framed = choice == 'M';
	struct ipc_facets out;
	char why[512] = "", less[512];
	size_t room = len % 80;
	int result = ipc_facets_parse("kind", allowed, framed, text, len, &out, why, sizeof(why));

	CHECK(result == 0 || result == -EINVAL);
	if (result == 0) {
		CHECK(out.set != 0 && (out.set & ~allowed) == 0 && why[0] == '\0');
		check_values(&out, len);
		return;
	}
	check_line(why);
	CHECK(strlen(why) < sizeof(why) - 1);
	memset(less, '#', sizeof(less));
	CHECK(ipc_facets_parse("kind", allowed, framed, text, len, &out, less, room) == -EINVAL);
	CHECK(less[room] == '#');
	if (room > 0)
		CHECK(strncmp(why, less, strlen(less)) == 0);
	if (room > 4)
		check_line(less);
}

static void fuzz_numbers(const char *text, size_t len)
{
	int64_t value;
	int result = ipc_duration_parse(text, len, &value);

	CHECK(result == 0 || result == -EINVAL);
	if (result == 0)
		CHECK(value >= 0 && value <= INT64_C(1) << 62);
	result = ipc_number_parse(text, len, 1, INT64_MIN, INT64_MAX, &value);
	CHECK(result == 0 || result == -EINVAL || result == -ERANGE);
	result = ipc_number_parse(text, len, 0, -5, 70000, &value);
	if (result == 0) {
		char digits[32];
		int written = snprintf(digits, sizeof(digits), "%lld", (long long)value);
		int64_t again;

		CHECK(value >= -5 && value <= 70000);
		CHECK(ipc_number_parse(digits, (size_t)written, 0, value, value, &again) == 0 && again == value);
	}
}

static void fuzz_escape(const char *text, size_t len)
{
	size_t need = ipc_escape(NULL, 0, text, len);
	char *whole = malloc(need + 1), *part = malloc(need / 2 + 1);

	CHECK(whole && part);
	CHECK(need >= len);
	CHECK(ipc_escape(whole, need + 1, text, len) == need && strlen(whole) == need);
	if (need > 0)
		check_line(whole);
	CHECK(ipc_escape(part, need / 2 + 1, text, len) == need);
	size_t kept = strlen(part);
	CHECK(kept <= need / 2 && need / 2 - kept < 4 && memcmp(part, whole, kept) == 0);
	if (kept > 0)
		check_line(part);
	free(whole);
	free(part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *text = (const char *)data + 1;
	fuzz_facets(data[0], text, size - 1);
	fuzz_numbers(text, size - 1);
	fuzz_escape(text, size - 1);
	return 0;
}

#include "number.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Counts the digits that text starts with; their value, which sticks at UINT64_MAX, goes to *value. */
static size_t digits_parse(const char *text, size_t len, uint64_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');
		*value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *value * 10 + digit;
	}
	return i;
}

/* Nanoseconds in a unit; 0 for no such unit. */
static uint64_t duration_unit(const char *text, size_t len)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"", 1000000000},  {"us", 1000},       {"ms", 1000000},
		{"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, text, len) == 0)
			return units[i].ns;
	}
	return 0;
}

int ipc_duration_parse(const char *text, size_t len, int64_t *ns)
{
	uint64_t whole, ignored, part = 0;
	size_t used = digits_parse(text, len, &whole), fraction = 0, point = used;

	if (used < len && text[used] == '.') {
		fraction = digits_parse(text + used + 1, len - used - 1, &ignored);
		used += 1 + fraction;
	}
	/* No number, or a point with no digit behind it. */
	if (used == 0 || (used > point && fraction == 0))
		return -EINVAL;

	uint64_t unit = duration_unit(text + used, len - used);
	if (unit == 0 || whole > (uint64_t)IPC_DURATION_MAX / unit)
		return -EINVAL;
	/* From the last digit to the first: exact for any number of digits, and no step exceeds 10 units. */
	for (size_t i = fraction; i > 0; i--)
		part = ((uint64_t)(text[point + i] - '0') * unit + part + 9) / 10;
	if (whole * unit + part > (uint64_t)IPC_DURATION_MAX)
		return -EINVAL;
	*ns = (int64_t)(whole * unit + part);
	return 0;
}

int ipc_number_parse(const char *text, size_t len, int units, int64_t min, int64_t max, int64_t *out)
{
	static const char suffixes[] = {'K', 'M', 'G'};
	size_t sign = min < 0 && len > 0 && text[0] == '-';
	uint64_t value;
	size_t used = digits_parse(text + sign, len - sign, &value);
	const char *suffix = NULL;
	unsigned shift = 0;

	if (used == 0)
		return -EINVAL;
	used += sign;
	if (units && len == used + 1) {
		suffix = memchr(suffixes, text[used], sizeof(suffixes));
		if (suffix)
			shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (used < len && !suffix)
		return -EINVAL;

	/* A negative number reaches one further than a positive one. */
	if (value > ((uint64_t)INT64_MAX + sign) >> shift)
		return -ERANGE;
	value <<= shift;
	int64_t number = (int64_t)(sign ? 0 - value : value);
	if (number < min || number > max)
		return -ERANGE;
	*out = number;
	return 0;
}

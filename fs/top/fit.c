/* Texts for a terminal: only what it can show, and not wider than there is room. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "table.h"

/*
 * A character of the text, as the terminal gets it: its bytes, and its columns. Returns how many bytes of the text it
 * was.
 */
static size_t fit_next(const char *text, mbstate_t *state, char shown[static MB_LEN_MAX], size_t *len, int *width)
{
	wchar_t c;
	size_t n = mbrtowc(&c, text, strlen(text), state);

	if (n == 0 || n == (size_t)-1 || n == (size_t)-2 || !iswprint((wint_t)c) || wcwidth(c) < 0) {
		if (n == 0 || n > MB_LEN_MAX) {
			memset(state, 0, sizeof(*state));
			n = 1;
		}
		shown[0] = '?';
		*len = 1;
		*width = 1;
		return n;
	}
	memcpy(shown, text, n);
	*len = n;
	*width = wcwidth(c);
	return n;
}

char *top_fit(const char *text, int columns, char *out, size_t size)
{
	mbstate_t state = {0};
	size_t at = 0;
	int used = 0;

	while (*text) {
		char shown[MB_LEN_MAX];
		size_t len;
		int width;

		text += fit_next(text, &state, shown, &len, &width);
		if ((columns && used + width > columns) || at + len >= size)
			break;
		memcpy(out + at, shown, len);
		at += len;
		used += width;
	}
	for (; used < columns && at + 1 < size; used++)
		out[at++] = ' ';
	out[at] = '\0';
	return out;
}

static char *with_unit(double value, char unit, char out[static 16])
{
	snprintf(out, 16, value < 99.95 ? "%.1f%c" : "%.0f%c", value, unit);
	return out;
}

char *top_number_text(double value, char out[static 16])
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;

	if (value < 0) {
		snprintf(out, 16, "-");
		return out;
	}
	if (value < 9999.5) {
		snprintf(out, 16, value > 0 && value < 9.95 && value != (double)(int)value ? "%.1f" : "%.0f", value);
		return out;
	}
	for (value /= 1000; value >= 999.5 && units[unit + 1]; unit++)
		value /= 1000;
	return with_unit(value, units[unit], out);
}

char *top_seconds_text(double seconds, char out[static 16])
{
	static const struct {
		double seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};

	if (seconds < 0)
		snprintf(out, 16, "-");
	else if (seconds < 9.95)
		snprintf(out, 16, "%.1fs", seconds);
	else
		snprintf(out, 16, "%.0fs", seconds);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (seconds >= 100 && seconds >= 2 * units[i].seconds) {
			snprintf(out, 16, "%.0f%c", seconds / units[i].seconds, units[i].unit);
			break;
		}
	return out;
}

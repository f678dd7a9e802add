#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * Characters that end a line, turn its direction or cannot be seen: of Unicode's categories Zl, Zp and Cf those in use.
 */
static bool is_unseen(const unsigned char *s, size_t len)
{
	static const struct {
		uint32_t first, last;
	} unseen[] = {{0x061c, 0x061c}, {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},
		      {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
	uint32_t c = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (c >= unseen[i].first && c <= unseen[i].last)
			return true;
	return false;
}

/*
 * Length of the character that text starts with if it may be shown as it is, else 0: the well-formed byte sequences of
 * Unicode (table 3-7) less C0, DEL, C1, the backslash and what is not seen.
 */
static size_t plain_length(const char *text, size_t len)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t len;
	} rows[] = {
		{0x20, 0x5b, 0, 0, 1},	     {0x5d, 0x7e, 0, 0, 1},	  {0xc2, 0xc2, 0xa0, 0xbf, 2},
		{0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	const unsigned char *s = (const unsigned char *)text;
	size_t row = 0;

	while (row < sizeof(rows) / sizeof(rows[0]) && (s[0] < rows[row].first_min || s[0] > rows[row].first_max))
		row++;
	if (row == sizeof(rows) / sizeof(rows[0]) || len < rows[row].len)
		return 0;
	if (rows[row].len > 1 && (s[1] < rows[row].second_min || s[1] > rows[row].second_max))
		return 0;
	for (size_t i = 2; i < rows[row].len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return is_unseen(s, rows[row].len) ? 0 : rows[row].len;
}

/* What is shown in another way than it is, besides what would not be seen as it is. */
enum escape_also { ESCAPE_NOTHING, ESCAPE_BACKSLASH = 1, ESCAPE_SPACE = 2 };

/* The length of what may stand there as it is. 0: nothing. */
static size_t escape_plain(const char *text, size_t len, unsigned also)
{
	if (*text == '\\' && !(also & ESCAPE_BACKSLASH))
		return 1;
	return *text == ' ' && (also & ESCAPE_SPACE) ? 0 : plain_length(text, len);
}

static bool is_letter(char c)
{
	return (c > ' ' && c < '\\') || (c > '\\' && c < 0x7f);
}

static size_t escape(char *out, size_t size, const char *text, size_t len, unsigned also)
{
	size_t need = 0, end = 0;

	/* Most are of plain letters from end to end. */
	for (; need < len && need + 1 < size && is_letter(text[need]); need++)
		out[need] = text[need];
	end = need;
	for (size_t i = need; i < len;) {
		char escaped[sizeof("\\xNN")];
		const char *piece = text + i;
		size_t taken = escape_plain(piece, len - i, also);
		size_t piece_len = taken;

		if (taken == 0) {
			piece_len = (size_t)snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char)text[i]);
			piece = escaped;
			taken = 1;
		}
		/* Once this fails need is beyond size, so no shorter piece can slip in behind the cut. */
		if (need + piece_len < size) {
			memcpy(out + need, piece, piece_len);
			end = need + piece_len;
		}
		need += piece_len;
		i += taken;
	}
	if (size > 0)
		out[end] = '\0';
	return need;
}

size_t ipc_escape(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, ESCAPE_BACKSLASH);
}

size_t ipc_escape_line(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, ESCAPE_NOTHING);
}

size_t ipc_escape_word(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, ESCAPE_BACKSLASH | ESCAPE_SPACE);
}

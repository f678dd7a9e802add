#include "page.h"

#include <stdio.h>
#include <string.h>

const char top_help[] = "The table\n"
			"  KIND, NAME    as below the mount: KIND/NAME\n"
			"  DEPTH/LIMIT   what is in it: messages, permits, datagrams, connections, bytes\n"
			"  RD, WR        open files that read, that write\n"
			"  IN/s, OUT/s   messages each second, sent and taken through this mount\n"
			"  WAIT, SINCE   operations that wait, and the longest of them\n"
			"  HELD, OWED    permits that are held; messages with ack, not settled\n"
			"  -             not known: the kernel serves it, or you may not know\n"
			"\n"
			"Keys\n"
			"  Up Down PgUp PgDn Home End   choose a channel (j, k too)\n"
			"  Enter         the channel's page: its state, and everybody who waits\n"
			"  e             the last refusals that you met, with their causes\n"
			"  s, S          sort by the next column, the one before; r: the other way round\n"
			"  /             filter: a part of KIND/NAME; Enter keeps it, Esc ends it\n"
			"  b             only channels with somebody, or something, in them\n"
			"  +, -          look less often, more often\n"
			"  Space         look now\n"
			"  Esc, q        back; q in the table ends\n"
			"  ?             this page\n";

/* ipcfs shows a byte that is not fit to be shown as \xNN. */
static int escaped_byte(const char *at)
{
	unsigned value;
	int n;

	return sscanf(at, "\\x%2x%n", &value, &n) == 1 && n == 4 ? (int)value : -1;
}

char *top_channel_file(const struct top_row *row, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "%s/", row->kind);
	const char *name = row->name;

	while (*name && at + 8 < size) {
		int byte = *name == '\\' ? escaped_byte(name) : -1;
		char c = byte >= 0 ? (char)byte : *name;

		name += byte >= 0 ? 4 : 1;
		/* Two of them always mean one that is part of the name. */
		if (c == '@')
			out[at++] = '@';
		out[at++] = c;
	}
	snprintf(out + at, size - at, "@ctl");
	return out;
}

const char *top_page_line(const char *text, int line)
{
	for (; line > 0 && text; line--) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text && *text ? text : NULL;
}

int top_page_lines(const char *text)
{
	int lines = 0;

	for (const char *at = text; at && *at; lines++) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return lines;
}

#include "quote.h"

#include <string.h>

#include "base/escape.h"
#include "name.h"

/* All three take \" and \\, and nothing else is left that they would take for more than itself. */
void ipc_quote_inner(FILE *out, const char *shown)
{
	while (*shown) {
		size_t plain = strcspn(shown, "\"\\");

		fwrite(shown, 1, plain, out);
		shown += plain;
		if (!*shown)
			return;
		fputc('\\', out);
		fputc(*shown++, out);
	}
}

void ipc_quote_label(FILE *out, const char *shown)
{
	for (const char *p = shown; *p; p++) {
		if (*p == '&')
			fputs("&amp;", out);
		else if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else
			fputc(*p, out);
	}
}

void ipc_quote_shown(FILE *out, const char *shown)
{
	fputc('"', out);
	ipc_quote_inner(out, shown);
	fputc('"', out);
}

void ipc_quote(FILE *out, const char *text)
{
	char shown[4 * IPC_NAME_MAX + 1];

	ipc_escape(shown, sizeof(shown), text, strlen(text));
	ipc_quote_shown(out, shown);
}

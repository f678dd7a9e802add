#include "quote.h"

#include <string.h>

#include "base/escape.h"
#include "facet.h"

/*
 * marks: what may not stand there as it is. All three texts take \" and \\, and nothing else is left that they would
 * take for more than itself.
 */
static void quote_but(FILE *out, const char *shown, const char *marks)
{
	for (;; shown++) {
		size_t plain = strcspn(shown, marks);

		fwrite(shown, 1, plain, out);
		shown += plain;
		if (!*shown)
			return;
		fputs(*shown == '&' ? "&amp;" : *shown == '"' ? "\\\"" : "\\\\", out);
	}
}

void ipc_quote_inner(FILE *out, const char *shown)
{
	quote_but(out, shown, "\"\\");
}

void ipc_quote_label(FILE *out, const char *shown)
{
	quote_but(out, shown, "\"\\&");
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

#include "name_quote.h"

#include <string.h>

const char *ipc_name_next_at(const char *from)
{
	const char *at = strchr(from, '@');

	while (at && at[1] == '@')
		at = strchr(at + 2, '@');
	return at;
}

void ipc_name_unquote(char *out, const char *written, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*out++ = written[i];
		i += written[i] == '@' && i + 1 < n && written[i + 1] == '@';
	}
	*out = '\0';
}

void ipc_name_quote(char *out, size_t size, const char *name)
{
	size_t n = 0;

	for (; *name && n + 2 < size; name++) {
		out[n++] = *name;
		if (*name == '@')
			out[n++] = '@';
	}
	out[n] = '\0';
}

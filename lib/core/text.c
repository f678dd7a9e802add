/*
 * A text in memory, written through a stream. Unlike open_memstream(3), which goes on without what it found no memory
 * for, it tells at the end whether all of it is there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc.h"

static ssize_t text_write(void *cookie, const char *data, size_t n)
{
	struct ipc_text *text = cookie;

	if (text->size - text->len < n) {
		size_t size = 2 * text->size + n + 512;
		char *grown = realloc(text->data, size);

		if (!grown)
			return 0;
		text->data = grown;
		text->size = size;
	}
	memcpy(text->data + text->len, data, n);
	text->len += n;
	return (ssize_t)n;
}

FILE *ipc_text_open(struct ipc_text *text)
{
	*text = (struct ipc_text){0};
	text->stream = fopencookie(text, "w", (cookie_io_functions_t){.write = text_write});
	return text->stream;
}

int ipc_text_close(struct ipc_text *text)
{
	bool whole = text->stream && !ferror(text->stream);

	if (text->stream && fclose(text->stream) != 0)
		whole = false;
	text->stream = NULL;
	if (whole)
		return 0;
	free(text->data);
	text->data = NULL;
	text->len = text->size = 0;
	return -ENOMEM;
}

/* Two buffers take turns where large writes wait: request.h. */
#include "request.h"

#include <malloc.h>
#include <stdlib.h>

enum { LARGE = 64 * 1024 };

void *fs_request_take(struct fs_request *request, const char *data, size_t size)
{
	const char *mem = request->buf.mem;
	void *taken = request->buf.mem;

	if (request->lent || size < LARGE || !mem || data < mem || data + size > mem + request->buf.size)
		return NULL;
	/* As large as the one libfuse has made: where it finds none and can make no other, it ends the session. */
	if (!request->spare)
		request->spare = malloc(malloc_usable_size(taken));
	if (!request->spare)
		return NULL;
	request->buf.mem = request->spare;
	request->spare = NULL;
	request->lent = true;
	return taken;
}

void fs_request_give(struct fs_request *request, void *buffer)
{
	if (!buffer)
		return;
	request->spare = buffer;
	request->lent = false;
}

void fs_request_free(struct fs_request *request)
{
	free(request->buf.mem);
	free(request->spare);
	request->buf.mem = request->spare = NULL;
}

/* Two buffers take turns where large writes wait: request.h. */
#include "request.h"

#include <malloc.h>
#include <stdlib.h>

enum { LARGE = 64 * 1024 };

struct ipc_loan *fs_request_lend(struct fs_request *request, const char *data, size_t size)
{
	char *mem = request->buf.mem;
	size_t usable;

	if (size < LARGE || !mem || data < mem || data + size > mem + request->buf.size)
		return NULL;
	usable = malloc_usable_size(mem);
	/* malloc(3) gives one more room than another, and each may take another's place: what all of them have. */
	if (!request->size || usable < request->size)
		request->size = usable;
	request->loan = (struct ipc_loan){.mem = mem, .size = request->size};
	request->buf.mem = NULL;
	return &request->loan;
}

void fs_request_handled(struct fs_request *request)
{
	if (request->buf.mem)
		return;
	request->buf.mem = request->loan.mem;
	request->loan.mem = NULL;
	if (request->buf.mem || request->lent)
		return;
	request->buf.mem = request->spare;
	request->spare = NULL;
}

struct ipc_loan fs_request_take(struct fs_request *request)
{
	struct ipc_loan taken = request->loan;

	if (request->lent || !taken.mem)
		return (struct ipc_loan){0};
	if (!request->spare)
		request->spare = malloc(request->size);
	if (!request->spare)
		return (struct ipc_loan){0};
	request->buf.mem = request->spare;
	request->spare = NULL;
	request->loan.mem = NULL;
	request->lent = true;
	return taken;
}

void fs_request_give(struct fs_request *request, const struct ipc_loan *taken)
{
	if (!taken->size)
		return;
	request->spare = taken->mem;
	request->lent = false;
}

void fs_request_free(struct fs_request *request)
{
	free(request->buf.mem);
	free(request->spare);
	request->buf.mem = request->spare = NULL;
}

#include "slow.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, PIECE = 256 * 1024 };

/* In the block itself, at its beginning: so it takes no memory to free some. */
struct slow_block {
	struct ipc_list link;
	char *at, *end; /* whole pages of it that the kernel has still to get back */
};

void ipc_slow_init(struct ipc_slow *slow)
{
	ipc_list_init(&slow->blocks);
}

bool ipc_slow_step(struct ipc_slow *slow)
{
	struct slow_block *block;
	size_t n;

	if (ipc_list_empty(&slow->blocks))
		return false;
	block = ipc_container(slow->blocks.next, struct slow_block, link);
	n = (size_t)(block->end - block->at);
	n = n < PIECE ? n : PIECE;
	/* Where it cannot be given back so, it is by free(). */
	if (n && madvise(block->at, n, MADV_DONTNEED) == 0)
		block->at += n;
	else
		block->at = block->end;
	if (block->at == block->end) {
		ipc_list_remove(&block->link);
		free(block);
	}
	return !ipc_list_empty(&slow->blocks);
}

void ipc_slow_fini(struct ipc_slow *slow)
{
	while (!ipc_list_empty(&slow->blocks))
		free(ipc_container(ipc_list_pop(&slow->blocks), struct slow_block, link));
}

void ipc_slow_free(struct ipc_slow *slow, void *ptr, size_t size)
{
	struct slow_block *block = ptr;
	uintptr_t start = (uintptr_t)ptr;

	if (size <= PIECE) {
		free(ptr);
		return;
	}
	/* The first page behind what we note here. */
	block->at = (char *)ptr + (PAGE - (start + sizeof(*block)) % PAGE) + sizeof(*block);
	block->end = (char *)ptr + size - (start + size) % PAGE;
	ipc_list_init(&block->link);
	ipc_list_append(&slow->blocks, &block->link);
}

/* FNV-1a: a number for a text. Two texts may have one, but hardly ever do. */
#ifndef IPC_HASH_H
#define IPC_HASH_H

#include <stdint.h>

static inline uint64_t ipc_text_hash(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

#endif

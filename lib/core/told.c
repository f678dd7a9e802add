#include "told.h"

#include <stdlib.h>

#include "base/hash.h"
#include "kind.h"

enum { TOLD_MAX = 1024 };
/* The kernel's word comes within so long, in nanoseconds. */
#define STALE INT64_C(2000000000)

struct told {
	const struct ipc_kind *kind; /* NULL: none */
	enum ipc_event_type type;
	uint64_t name; /* ipc_text_hash() */
	int64_t since;
};

struct ipc_told {
	struct told all[TOLD_MAX];
	unsigned next; /* of them, in turn: the oldest */
};

struct ipc_told *ipc_told_new(void)
{
	return calloc(1, sizeof(struct ipc_told));
}

void ipc_told_add(struct ipc *ipc, enum ipc_event_type type, const struct ipc_kind *kind, const char *name)
{
	struct ipc_told *told = ipc->told;

	if (!told || !kind->names->dir)
		return;
	told->all[told->next] =
		(struct told){.kind = kind, .type = type, .name = ipc_text_hash(name), .since = ipc_now()};
	told->next = (told->next + 1) % TOLD_MAX;
}

/* The oldest of several: the kernel tells in turn, and one that is passed by would be stale before its turn comes. */
bool ipc_told_take(struct ipc *ipc, enum ipc_event_type type, const struct ipc_kind *kind, const char *name)
{
	uint64_t hash = ipc_text_hash(name);

	for (unsigned i = 0; i < TOLD_MAX; i++) {
		struct told *t = &ipc->told->all[(ipc->told->next + i) % TOLD_MAX];

		if (t->kind != kind || t->type != type || t->name != hash || ipc_now() - t->since > STALE)
			continue;
		t->kind = NULL;
		return true;
	}
	return false;
}

/* The kinds of a mount: those of the kernel's objects, and those in a Redis. Their rows stand in kinds.list. */
#include "kinds.h"

#define NOT(name)
#define ROW(name) &ipc_##name,

#define KIND ROW
#define REDIS_KIND NOT
const struct ipc_kind *const ipc_kinds[] = {
#include "kinds.list"
	NULL};
#undef KIND
#undef REDIS_KIND

#define KIND NOT
#ifdef HAVE_REDIS
#define REDIS_KIND ROW
#else
#define REDIS_KIND NOT
#endif
const struct ipc_kind *const ipc_redis_kinds[] = {
#include "kinds.list"
	NULL};

#undef KIND
#undef REDIS_KIND

_Static_assert(sizeof(ipc_kinds) / sizeof(ipc_kinds[0]) - 1 <= IPC_KINDS_MAX, "raise IPC_KINDS_MAX");
_Static_assert(sizeof(ipc_redis_kinds) / sizeof(ipc_redis_kinds[0]) - 1 <= IPC_KINDS_MAX, "raise IPC_KINDS_MAX");

/* C takes a name without its '\0' where there is no room for it. */
#define FITS(row, lead) _Static_assert(sizeof(row) - sizeof(lead) <= IPC_KIND_NAME_MAX, "raise IPC_KIND_NAME_MAX");
#define KIND(name) FITS(#name, "")
#define REDIS_KIND(name) FITS(#name, "redis_")
#include "kinds.list"

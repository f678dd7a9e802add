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

_Static_assert(sizeof(ipc_kinds) / sizeof(ipc_kinds[0]) - 1 <= IPC_KINDS_MAX, "raise IPC_KINDS_MAX");

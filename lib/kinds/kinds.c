/* The kinds, in the order in which MNT shows them. */
#include "kinds.h"

const struct ipc_kind *const ipc_kinds[] = {&ipc_pipe,	&ipc_shm, &ipc_mq,  &ipc_sock, &ipc_sem,
					    &ipc_bcast, &ipc_sig, &ipc_net, NULL};

#ifdef HAVE_REDIS
const struct ipc_kind *const ipc_redis_kinds[] = {&ipc_redis_mq, &ipc_redis_sem, &ipc_redis_bcast, NULL};
#else
const struct ipc_kind *const ipc_redis_kinds[] = {NULL};
#endif

_Static_assert(sizeof(ipc_kinds) / sizeof(ipc_kinds[0]) - 1 <= IPC_KINDS_MAX, "raise IPC_KINDS_MAX");

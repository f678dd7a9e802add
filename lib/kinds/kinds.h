/* The tables of the kinds, each the end of its folder. Only kinds.c and a kind itself may name one. */
#ifndef IPC_KINDS_H
#define IPC_KINDS_H

#include "core/kind.h"

/* Those that live in a Redis, where the build has hiredis. */
extern const struct ipc_kind ipc_redis_mq, ipc_redis_sem, ipc_redis_bcast;
extern const struct ipc_kind ipc_pipe, ipc_shm, ipc_mq, ipc_sock, ipc_sem, ipc_bcast, ipc_sig, ipc_net;

#endif

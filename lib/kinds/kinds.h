/* The tables of the kinds, each the end of its folder. Only kinds.c and a kind itself may name one. */
#ifndef IPC_KINDS_H
#define IPC_KINDS_H

#include "core/kind.h"

#define KIND(name) extern const struct ipc_kind ipc_##name;
#define REDIS_KIND(name) KIND(name)
#include "kinds.list"
#undef KIND
#undef REDIS_KIND

#endif

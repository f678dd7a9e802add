/*
 * What we have lately told of in MNT/events ourselves, of kinds whose names are in a directory: the kernel tells
 * native.c of the same, who then need not tell it again.
 */
#ifndef IPC_TOLD_H
#define IPC_TOLD_H

#include "event.h"

/* While ipc->told is set, events are noted in it. The caller frees it by free(3); NULL when out of memory. */
struct ipc_told *ipc_told_new(void);
/* Harmless without ipc->told, and for other kinds. */
void ipc_told_add(struct ipc *, enum ipc_event_type, const struct ipc_kind *, const char *name);
/* Whether it has been told; then it is no longer. */
bool ipc_told_take(struct ipc *, enum ipc_event_type, const struct ipc_kind *, const char *name);

#endif

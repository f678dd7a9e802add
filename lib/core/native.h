/*
 * What others make and remove by their own calls (shm_open(3), sem_open(3), mq_open(3), rm in /dev/shm) for MNT/events.
 * The kernel tells of it by inotify(7) where a kind has a directory, and does not say who it was. It is looked at only
 * while somebody reads events.
 */
#ifndef IPC_NATIVE_H
#define IPC_NATIVE_H

#include "event.h"

/* Begins, as far as the kernel lets it; ends, also where it has not begun. */
void ipc_native_start(struct ipc *);
void ipc_native_stop(struct ipc *);
/* We tell of that ourselves. Harmless where it has not begun, and for kinds without a directory. */
void ipc_native_expect(struct ipc *, enum ipc_event_type, const struct ipc_kind *, const char *name);

#endif

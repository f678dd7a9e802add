/*
 * What others make and remove by their own calls (shm_open(3), sem_open(3), mq_open(3), rm in /dev/shm) for MNT/events.
 * The kernel tells of it by inotify(7) where a kind has a directory, and does not say who it was. It is looked at only
 * while somebody reads events.
 *
 * fs/notice_natives.c watches the same directories with an inotify of its own. It must hear at once, for as long as the
 * mount lasts, and leaves out what we do ourselves by emptying its queue around each change of ours; here a moment's
 * delay does that, and leaves out what was only on its way. One queue cannot be read both at once and a moment later.
 */
#ifndef IPC_NATIVE_H
#define IPC_NATIVE_H

#include "event.h"

/* Begins, as far as the kernel lets it; ends, also where it has not begun. */
void ipc_native_start(struct ipc *);
void ipc_native_stop(struct ipc *);

#endif

/*
 * What others make and remove by their own calls (shm_open(3), sem_open(3), mq_open(3), rm in /dev/shm) for MNT/events.
 * The kernel tells of it by inotify(7) where a kind has a directory, and does not say who it was. It is looked at only
 * while somebody reads events.
 *
 * fs/notice_natives.c watches the same directories, for as long as the mount lasts, by an inotify queue of its own,
 * because it must read at another time. It reads each event at once, and leaves out our own changes by emptying its
 * queue right before and after each of them. Here events are read a moment later: then it is known which of them were
 * our own (told.h), and names that lasted only for an instant can be left out.
 */
#ifndef IPC_NATIVE_H
#define IPC_NATIVE_H

#include "event.h"

/* Begins, as far as the kernel lets it; ends, also where it has not begun. */
void ipc_native_start(struct ipc *);
void ipc_native_stop(struct ipc *);

#endif

/*
 * The times of a change that st_mtime shows, for programs that look for it again and again: tail -f, make, file
 * managers.
 */
#ifndef IPC_CHANGED_H
#define IPC_CHANGED_H

#include "ipc.h"

/* A name of the kind has come or gone; data have been written to the channel. */
void ipc_names_changed(struct ipc *, const struct ipc_kind *);
void ipc_data_changed(struct ipc_chan *);
/* Makes it the later one of the two. */
void ipc_changed_later(struct timespec *, const struct timespec *other);

#endif

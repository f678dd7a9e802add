/* NAME@ctl: a channel's state as key=value lines, and what of it can be changed. */
#ifndef IPC_CTL_H
#define IPC_CTL_H

#include <sys/types.h>

#include "ipc.h"

/* How such a name is opened: as a kind that no directory shows. */
extern const struct ipc_kind ipc_ctl;
/* The name of a process, escaped; "?" where there is none. */
void ipc_command(pid_t, char *out, size_t size);

#endif

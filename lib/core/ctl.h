/* NAME@ctl: a channel's state as key=value lines, and what of it can be changed. */
#ifndef IPC_CTL_H
#define IPC_CTL_H

#include <sys/types.h>

#include "ipc.h"

/* How such a name is opened: as a kind that no directory shows. */
extern const struct ipc_kind ipc_ctl;
/*
 * What there may be any number of (who waits, holds, reads, is connected) is shown up to so many of each; the rest is
 * counted in a line KEYS_not_shown=N, which more() writes if there is a rest.
 */
enum { IPC_CTL_SHOWN = 128 };
void ipc_ctl_more(const char *keys, unsigned count, FILE *out);
#endif

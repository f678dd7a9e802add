/* From what a user writes below MNT/KIND to an object, and the calls on it by name. */
#ifndef IPC_REF_H
#define IPC_REF_H

#include "ipc.h"

/* Puts a number in place of ref's base: 0 or -ENAMETOOLONG. */
int ipc_ref_rebase(struct ipc_ref *, pid_t number);
/* Fills st for a directory below a kind's own: a number for its name, and owner and mode as the kind's own has them. */
void ipc_dir_stat(struct ipc *, const struct ipc_ref *, struct stat *);
/* Gives the kernel's object behind fd the owner, the mode and the times; `set` as in ipc_chattr(), without the size. */
int ipc_kernel_chattr(int fd, const struct stat *, unsigned set);

/* look.c. The look that await() took ends with that result, and its st if that is 0. */
void ipc_look_finish(struct ipc_look *, int result);

#endif

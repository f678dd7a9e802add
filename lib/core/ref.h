/* From what a user writes below MNT/KIND to an object, and the calls on it by name. */
#ifndef IPC_REF_H
#define IPC_REF_H

#include "ipc.h"
#include "path.h"

/*
 * may_act: 0, or -EPERM with a line for MNT/errors where a kernel object would need us to be the caller and we cannot.
 * enter, leave: ipc_cred_enter() and ipc_cred_leave() around what the kernel decides by who asks; leave only after a 0.
 */
int ipc_ref_may_act(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
int ipc_ref_enter(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
void ipc_ref_leave(const struct ipc_cred *, const struct ipc_ref *);
/* Whether he may take the name away: 0, or -EPERM with a line for MNT/errors. The kernel judges its own objects. */
int ipc_ref_may_remove(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);
/* -EINVAL: what he would do ("remove") is not done with NAME@FACET. */
int ipc_ref_refuse_verb(struct ipc *, const struct ipc_cred *, const struct ipc_ref *, const char *verb);
/* Puts a number in place of ref's base: 0 or -ENAMETOOLONG. */
int ipc_ref_rebase(struct ipc_ref *, pid_t number);
/* Fills st for a directory below a kind's own: a number for its name, and owner and mode as the kind's own has them. */
void ipc_dir_stat(struct ipc *, const struct ipc_ref *, struct stat *);
/* Gives the kernel's object behind fd the owner, the mode and the times; `set` as in ipc_chattr(), without the size. */
int ipc_kernel_chattr(int fd, const struct stat *, unsigned set);

/* The table that serves it: its kind's own, or that of a text about it. */
const struct ipc_kind *ipc_ref_served_by(const struct ipc_ref *);

/* look.c. The look that await() took ends with that result, and its st if that is 0. */
void ipc_look_finish(struct ipc_look *, int result);

#endif

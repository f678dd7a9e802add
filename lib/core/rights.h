/* Who may do what with an object, and as whom it is done. The kernel judges its own objects, by who we are then. */
#ifndef IPC_RIGHTS_H
#define IPC_RIGHTS_H

#include "ipc.h"

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

#endif

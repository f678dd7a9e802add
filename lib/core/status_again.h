/*
 * For who reads status@json,brief again and again, as ipcfs-top does each second. Of the kernel's objects that nobody
 * has open through us, and that were the same at the last looks, he is told what they were then, for 4 seconds at most;
 * and names are listed again only when the directory has changed.
 */
#ifndef IPC_STATUS_AGAIN_H
#define IPC_STATUS_AGAIN_H

#include "status.h"

/*
 * begin: whether the names of s->kind are known, for s->list and s->len. Else they are listed: add: more are in
 * s->names; end: that were all, if r is 0. All set s->again, or NULL. leave: s goes to the next kind, or ends.
 */
bool ipc_again_begin(struct ipc_status *);
void ipc_again_add(struct ipc_status *);
void ipc_again_end(struct ipc_status *, int r);
void ipc_again_leave(struct ipc_status *);
/* Whether the row with that number is as it was, and filled so; note: it has been looked at. */
bool ipc_again_tell(struct ipc_status *, struct ipc_status_row *, size_t);
void ipc_again_note(struct ipc_status *, const struct ipc_status_row *, size_t);

void ipc_again_free(struct ipc *);

#endif

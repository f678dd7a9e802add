/*
 * What is kept of the last message that a handle read: for a read at an earlier offset, for the rest of a long one, and
 * for one that did not reach its reader.
 */
#ifndef IPC_KEEP_H
#define IPC_KEEP_H

#include "ipc.h"

struct ipc_keep;

/* Of a handle, which has one from its making to its end. NULL when out of memory. */
struct ipc_keep *ipc_keep_new(void);
void ipc_keep_free(struct ipc_handle *);

/* Room for n bytes, where read() may put a message for op->data to point at; NULL when out of memory. */
char *ipc_keep_reserve(struct ipc_handle *, size_t n);
/*
 * The n bytes of a write at data are what the read delivers, for which it has room: its handle keeps the memory of the
 * write's loan instead of a copy, and op->data points there. False: they are to be copied.
 */
bool ipc_keep_take_loan(struct ipc_op *, struct ipc_loan *, const char *data);
/*
 * The message that read() is about to return lies in the kind's memory, where it stays for the handle until this reads
 * on or is closed. Should the kind want that memory back before, it has it saved: in the handle's own; false: it is
 * lost, as there was no memory.
 */
void ipc_keep_borrowed(struct ipc_handle *, const char *message);
bool ipc_keep_save(struct ipc_handle *);
/* A read from what is kept; -ENODATA: nothing there. */
ssize_t ipc_keep_serve(struct ipc_op *);
/*
 * Cuts a message of len bytes at op->data to what op has room for, and keeps it. Returns what is delivered, or -ENOMEM.
 */
ssize_t ipc_keep_deliver(struct ipc_op *, size_t len);
/*
 * The len bytes at op->data did not reach the reader: they go back to the channel, or else the handle's next read gets
 * them.
 */
void ipc_keep_undeliver(struct ipc_op *, size_t len);

/* How much of a long message has not been read yet; the memory that is in use. */
size_t ipc_keep_rest(const struct ipc_handle *);
size_t ipc_keep_size(const struct ipc_handle *);

#endif

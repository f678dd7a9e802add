/* A message on its way to a reader: what stands before and behind it, and what is counted. */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include "ipc.h"

/* Room before a message for its priority, its deliveries and a tab behind each, and behind it for the delimiter. */
enum { IPC_META_MAX = 24, IPC_DELIM_MAX = 1 };

/* Where a message is to be put for ipc_message_frame(): so far behind `to`. */
size_t ipc_message_at(const struct ipc_handle *);
/*
 * Frames the message of n bytes at `to + ipc_message_at()` for h's reader; returns its length then, from `to` on. Its
 * deliveries are shown to those who read with ack. delim: -1: none.
 */
size_t ipc_message_frame(const struct ipc_handle *, char *to, size_t n, unsigned prio, unsigned deliveries, int delim);
/* The message in what that made of it; *len is that of the whole, and of the message then. */
const char *ipc_message_unframe(const struct ipc_handle *, const char *framed, size_t *len);
/* h's reader gets a message of n bytes; takes that back. */
void ipc_message_taken(struct ipc_handle *, size_t n);
/* Whether he has had as many as he asked for by n= or one. */
bool ipc_message_had_all(const struct ipc_handle *);
/* Whether a read with such room gets as many as are there. */
bool ipc_message_several(const struct ipc_op *);

#endif

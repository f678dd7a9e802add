/*
 * The data of a connected socket behind a handle, for the kinds that have such: streams in pieces, packets one a call.
 */
#ifndef IPC_SOCKET_H
#define IPC_SOCKET_H

#include "ipc.h"

/* Room for n bytes that are to be delivered by op, where op->data then points; NULL when out of memory. */
char *ipc_socket_buffer(struct ipc_op *op, size_t n);
/* Counts a message of n bytes that was read. */
void ipc_socket_count_read(const struct ipc_op *, size_t n);

/* As a kind's read() and write(). A packet that the socket does not take is -EMSGSIZE; the caller says why. */
ssize_t ipc_socket_read_stream(struct ipc_op *, int fd);
ssize_t ipc_socket_write_stream(struct ipc_op *, int fd);
ssize_t ipc_socket_write_packet(struct ipc_op *, int fd);
/* As a kind's flush(), of a connection with the facet half: ends what is sent. fd -1: there is none. */
int ipc_socket_flush(struct ipc_op *, int fd);
/* Whether a connection waits to be accepted. */
bool ipc_socket_has_client(int listening);
/* poll(2)'s revents, for the directions that h has. */
unsigned ipc_socket_poll(const struct ipc_handle *, int fd);

/*
 * In a kind's set(), for a server that answers at the end of its input: `shutdown=write` ends for writing what the
 * caller has open of chan (NULL: nothing). connection: a handle's descriptor, or -1 where that cannot be ended so.
 */
int ipc_socket_ctl_set(struct ipc_chan *chan, const struct ipc_cred *, const char *key, const char *value, char *why,
		       size_t size, int (*connection)(struct ipc_handle *));

#endif

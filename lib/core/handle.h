/* Open files: their life, and their position. */
#ifndef IPC_HANDLE_H
#define IPC_HANDLE_H

#include "ipc.h"
#include "path.h"

/* An open file. Embedded first in a kind's own struct. */
struct ipc_handle {
	struct ipc *ipc;
	const struct ipc_kind *kind;
	struct ipc_chan *chan;
	struct ipc_waitq *waitq; /* where its operations wait; the channel's, unless the kind sets its own */
	struct ipc_waitq *pollq; /* where its pollers wait, if it is another; NULL: at waitq */
	struct ipc_list link, poll_link, all_link; /* of the channel, of the waitq's pollers, of the instance */
	struct ipc_facets facets;
	struct ipc_cred cred; /* who opened it */
	bool readable, writable, duplex;
	bool used;		  /* its open has succeeded */
	bool follows, refuses;	  /* reads end, or are refused, as the end was looked for: follow.h */
	uint64_t followed;	  /* messages that the channel had when a read came to its end */
	pid_t wrote;		  /* with half: the thread that did so last */
	bool plain;		  /* a plain file: reads and writes go by op->offset, and nothing is kept */
	int lock_fd;		  /* whose locks are this file's; -1: none */
	enum ipc_flush flushes;	  /* what the kind's flush() has to say for this handle */
	uint8_t open_side;	  /* which side an IPC_OPEN waits on */
	struct ipc_list ops;	  /* parked, wherever they wait */
	int64_t waiting_since[2]; /* by side: when a poll or an operation first found nothing; 0: timeout.c */
	struct ipc_timer timeout;

	struct ipc_keep *keep; /* the last message delivered */
	off_t pos;	       /* behind the last read */
	int64_t taken;	       /* messages delivered */

	struct ipc_pump *pump;	   /* what feeds a FIFO from it, or fills it from one; NULL */
	struct ipc_owing *owing;   /* what it has taken with ack: settle.h; or NULL */
	struct ipc_part *part;	   /* a line whose end has not been written yet: frame.c */
	struct ipc_linger *linger; /* what sends it, should it still be unfinished at the end: frame.h */

	void (*ready)(void *);
	void *ready_arg;
	struct ipc_garbage garbage;
};

#endif

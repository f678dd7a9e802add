/*
 * A read that finds the queue empty lets those go on who wait for room, as a receive in the kernel lets a sender in: no
 * writer is left waiting behind an empty queue. This is the one place where operations are tried inside another one:
 *
 *	mq_read()			finds the queue empty
 *	    mq_direct_let_in()		tries the waiting writes in their order, until one has to wait still
 *		mq_write()		for each of them
 *		    mq_direct_offer()	puts the message into the reader's batch; or it is sent to the queue
 *	mq_read()			goes on: with what is in its batch now, or with what is in the queue
 *
 * A write reads nothing and wakes nobody at once, so it goes no deeper than that; and readers and writers wait in two
 * lists, of which only the writers' is looked through.
 *
 * What goes into the batch directly is neither sent nor received, which are a system call each. Writers of such
 * messages are answered after their reader, by a task: whoever is told that his line is written must find it with the
 * reader, or in the queue, if we are killed at that moment. So are writers who are let in when the read has messages
 * already: what they send to the queue is taken out of it at once.
 */
#ifndef IPC_MQ_DIRECT_H
#define IPC_MQ_DIRECT_H

#include "mq.h"

void mq_direct_init(struct mq_chan *);
void mq_direct_fini(struct mq_chan *);

/*
 * For a read, op, whose answer is buf, with *len bytes in it so far; raises *len by what came directly. worst: the
 * longest that a framed message can be. Whether any writer went on.
 */
bool mq_direct_let_in(struct ipc_op *op, char *buf, size_t *len, size_t worst, int delim);
/* For a write through h: whether the message has gone into the batch of a reader. */
bool mq_direct_offer(struct ipc_handle *h, const char *data, size_t n, unsigned prio);

#endif

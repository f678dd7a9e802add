/*
 * The scripted kind: a channel whose answers a test gives in advance, so that the core can be tested without any kernel
 *object.
 *
 *	script_setup();
 *	h = u_open("c", O_RDONLY);
 *	u_begin(&c, h, IPC_READ, NULL);		waits: nothing has been said
 *	script_says(IPC_READ, 5, "hello");
 *	script_wake("c");			tries again who waits
 */
#ifndef UNIT_SCRIPT_H
#define UNIT_SCRIPT_H

#include "fixture.h"

/* A suite's .init: an instance with this kind alone, and the channel c. */
void script_setup(void);

/*
 * The next answer to an operation of that type. READ: its data, or a count and its text. WRITE: how many bytes are
 * taken, which may be a part of them, the rest then waits. Or -errno. Without an answer it is -EAGAIN.
 */
void script_says(enum ipc_op_type, ssize_t result, const char *text);
/* As a kind does at an event: soon, who waits is tried again. */
void script_wake(const char *name);
/* That the handle holds something until it is closed. */
void script_holds(struct ipc_handle *);
/* Whether put_back() takes messages: then the next read gets them. */
void script_takes_back(bool);
/* Whether what waits can end before its answer is there; it can unless a test says otherwise. */
void script_withdraws(bool);
/* The handles that were answered with something, in order; NULL behind the last. */
struct ipc_handle *script_served(unsigned i);
/* With ack: the messages that were settled, and those that were given back, each in brackets, in order. */
const char *script_settled_so_far(void);
const char *script_given_back_so_far(void);
/* What was sent, each message in brackets: "[a][b]". */
const char *script_sent(void);

#endif

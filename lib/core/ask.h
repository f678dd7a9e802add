/*
 * Calls on names whose answer must be asked for elsewhere. A kind whose names another machine knows starts the
 * question, remembers it here, and says IPC_ASKED. The caller keeps whatever he was at, and does all of it again when
 * answered() is called: the kind then finds its question with the answer, and goes on from there. Nothing may have been
 * changed before an IPC_ASKED.
 */
#ifndef IPC_ASK_H
#define IPC_ASK_H

#include "ipc.h"

/* A question. Embedded in a kind's own struct. */
struct ipc_question {
	struct ipc_list link;
	struct ipc_ask *ask; /* NULL: nobody wants the answer any more */
	const void *about;   /* tells it from others of the same name: an address of the kind's */
	bool answered;
	void (*free)(struct ipc_question *);
	char name[IPC_NAME_MAX + 1];
};

/* What was asked before for what is being done now; NULL. */
struct ipc_question *ipc_question_find(const struct ipc *, const void *about, const char *name);
/*
 * Asked now: -EAGAIN where nobody can wait for it, else IPC_ASKED. free() will be called once it is answered and not
 * wanted.
 */
int ipc_question_add(struct ipc *, struct ipc_question *, const void *about, const char *name);
/* Who is asking now waits no longer than that for an answer: ETIMEDOUT. */
void ipc_ask_hurry(struct ipc *, int64_t patience);
/* The answer is there. May free it. */
void ipc_question_answered(struct ipc_question *);

#endif

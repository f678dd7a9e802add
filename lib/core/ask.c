#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "instance.h"

void ipc_ask_init(struct ipc_ask *ask, const struct ipc_cred *cred, void (*answered)(struct ipc_ask *))
{
	ask->cred = *cred;
	ipc_list_init(&ask->questions);
	ask->pending = 0;
	ask->patience = 0;
	ask->answered = answered;
}

void ipc_ask_end(struct ipc_ask *ask)
{
	while (!ipc_list_empty(&ask->questions)) {
		struct ipc_question *q = ipc_container(ask->questions.next, struct ipc_question, link);

		ipc_list_remove(&q->link);
		q->ask = NULL;
		if (q->answered)
			q->free(q);
	}
	ask->pending = 0;
}

void ipc_ask_move(struct ipc_ask *from, struct ipc_ask *to)
{
	while (!ipc_list_empty(&from->questions)) {
		struct ipc_question *q = ipc_container(from->questions.next, struct ipc_question, link);

		ipc_list_remove(&q->link);
		ipc_list_append(&to->questions, &q->link);
		q->ask = to;
	}
	to->pending += from->pending;
	from->pending = 0;
}

void ipc_ask_by(struct ipc *ipc, struct ipc_ask *ask)
{
	ipc->ask = ask;
}

void ipc_ask_hurry(struct ipc *ipc, int64_t patience)
{
	if (ipc->ask && (!ipc->ask->patience || patience < ipc->ask->patience))
		ipc->ask->patience = patience > 0 ? patience : 1;
}

struct ipc_question *ipc_question_find(const struct ipc *ipc, const void *about, const char *name)
{
	struct ipc_list *pos, *next;

	if (!ipc->ask)
		return NULL;
	ipc_list_each(pos, next, &ipc->ask->questions) {
		struct ipc_question *q = ipc_container(pos, struct ipc_question, link);

		if (q->about == about && strcmp(q->name, name) == 0)
			return q;
	}
	return NULL;
}

int ipc_question_add(struct ipc *ipc, struct ipc_question *q, const void *about, const char *name)
{
	if (!ipc->ask)
		return -EAGAIN;
	snprintf(q->name, sizeof(q->name), "%s", name);
	q->about = about;
	q->answered = false;
	q->ask = ipc->ask;
	ipc_list_append(&q->ask->questions, &q->link);
	q->ask->pending++;
	return IPC_ASKED;
}

void ipc_question_answered(struct ipc_question *q)
{
	struct ipc_ask *ask = q->ask;

	q->answered = true;
	if (!ask)
		q->free(q);
	else if (--ask->pending == 0 && ask->answered)
		ask->answered(ask);
}

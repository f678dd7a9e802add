#include "steps.h"

#include <errno.h>

static void text_finish(struct fs_steps *t, int err)
{
	int whole = ipc_text_close(&t->text);

	ipc_list_remove(&t->link);
	fs_turn_remove(&t->turn);
	ipc_ask_end(&t->ask);
	ipc_status_end(t->status);
	if (t->charged > t->text.size) {
		ipc_uncharge(t->ipc, t->cred.uid, t->charged - t->text.size);
		t->charged = t->text.size;
	}
	err = err ? err : whole;
	if (err) {
		ipc_loop_free_slowly(t->all->turns->loop, t->text.data, t->text.size);
		t->text = (struct ipc_text){0};
		ipc_uncharge(t->ipc, t->cred.uid, t->charged);
		t->charged = 0;
	}
	t->done(t, err);
}

/* From within some answer. */
static void text_answered(struct ipc_ask *ask)
{
	struct fs_steps *t = ipc_container(ask, struct fs_steps, ask);

	fs_turn_add(t->all->turns, &t->turn);
}

/* Returns whether there is more to do now. */
static bool text_step(struct fs_turn *turn)
{
	struct fs_steps *t = ipc_container(turn, struct fs_steps, turn);
	size_t size;
	int r, charged;

	ipc_ask_by(t->ipc, &t->ask);
	r = ipc_status_step(t->status, t->text.stream);
	ipc_ask_by(t->ipc, NULL);
	if (r == IPC_ASKED && t->ask.pending)
		return false;
	if (r == IPC_ASKED)
		return true;
	ipc_ask_end(&t->ask);

	fflush(t->text.stream);
	size = t->text.size + ipc_status_memory(t->status);
	charged = size > t->charged ? ipc_charge(t->ipc, &t->cred, size - t->charged, t->path) : 0;
	if (charged == 0 && size > t->charged)
		t->charged = size;
	if (r > 0 && charged == 0)
		return true;
	text_finish(t, charged < 0 ? charged : r);
	return false;
}

void fs_steps_start(struct fs_steps_all *all, struct fs_turns *turns)
{
	all->turns = turns;
	ipc_list_init(&all->all);
}

void fs_steps_end(struct fs_steps_all *all)
{
	while (!ipc_list_empty(&all->all))
		text_finish(ipc_container(all->all.next, struct fs_steps, link), -ENOTCONN);
}

void fs_steps_make(struct fs_steps_all *all, struct fs_steps *t, enum ipc_status_form form)
{
	t->all = all;
	t->charged = 0;
	ipc_list_append(&all->all, &t->link);
	fs_turn_init(&t->turn, text_step);
	ipc_ask_init(&t->ask, &t->cred, text_answered);
	t->status = ipc_status_begin(t->ipc, &t->cred, form);
	if (!t->status || !ipc_text_open(&t->text)) {
		text_finish(t, -ENOMEM);
		return;
	}
	fs_turn_add(all->turns, &t->turn);
}

void fs_steps_cancel(struct fs_steps *t)
{
	text_finish(t, -EINTR);
}

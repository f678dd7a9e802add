#include "steps.h"

#include <errno.h>
#include <stdlib.h>

static void text_finish(struct fs_steps *t, int err)
{
	int whole = ipc_text_close(&t->text);

	ipc_list_remove(&t->link);
	ipc_status_end(t->status);
	if (t->charged > t->text.size) {
		ipc_uncharge(t->ipc, t->cred.uid, t->charged - t->text.size);
		t->charged = t->text.size;
	}
	err = err ? err : whole;
	if (err) {
		free(t->text.data);
		t->text = (struct ipc_text){0};
		ipc_uncharge(t->ipc, t->cred.uid, t->charged);
		t->charged = 0;
	}
	t->done(t, err);
}

/* Returns whether there is more to do. */
static bool text_step(struct fs_steps *t)
{
	int r = ipc_status_step(t->status, t->text.stream), charged;
	size_t size;

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

/* One step of one text in each turn of the loop, however many are being made. */
static void texts_run(struct ipc_task *task)
{
	struct fs_steps_all *all = ipc_container(task, struct fs_steps_all, task);
	struct fs_steps *t;

	if (ipc_list_empty(&all->list))
		return;
	t = ipc_container(all->list.next, struct fs_steps, link);
	ipc_list_remove(&t->link);
	if (text_step(t))
		ipc_list_append(&all->list, &t->link);
	if (!ipc_list_empty(&all->list))
		ipc_task_post(all->loop, &all->task);
}

void fs_steps_start(struct fs_steps_all *all, struct ipc_loop *loop)
{
	all->loop = loop;
	ipc_list_init(&all->list);
	ipc_task_init(&all->task, texts_run);
}

void fs_steps_end(struct fs_steps_all *all)
{
	while (!ipc_list_empty(&all->list))
		text_finish(ipc_container(all->list.next, struct fs_steps, link), -ENOTCONN);
	ipc_task_cancel(&all->task);
}

void fs_steps_make(struct fs_steps_all *all, struct fs_steps *t, enum ipc_status_form form)
{
	t->all = all;
	t->charged = 0;
	ipc_list_init(&t->link);
	t->status = ipc_status_begin(t->ipc, &t->cred, form);
	if (!t->status || !ipc_text_open(&t->text)) {
		text_finish(t, -ENOMEM);
		return;
	}
	ipc_list_append(&all->list, &t->link);
	ipc_task_post(all->loop, &all->task);
}

void fs_steps_cancel(struct fs_steps *t)
{
	text_finish(t, -EINTR);
}

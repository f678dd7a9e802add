#include "turns.h"

static void turns_run(struct ipc_task *task)
{
	struct fs_turns *turns = ipc_container(task, struct fs_turns, task);
	struct fs_turn *turn;

	if (ipc_list_empty(&turns->list))
		return;
	turn = ipc_container(ipc_list_pop(&turns->list), struct fs_turn, link);
	if (turn->step(turn))
		ipc_list_append(&turns->list, &turn->link);
	if (!ipc_list_empty(&turns->list))
		ipc_task_post(turns->loop, &turns->task);
}

void fs_turns_start(struct fs_turns *turns, struct ipc_loop *loop)
{
	turns->loop = loop;
	ipc_list_init(&turns->list);
	ipc_task_init(&turns->task, turns_run);
}

void fs_turns_end(struct fs_turns *turns)
{
	ipc_task_cancel(&turns->task);
}

void fs_turn_init(struct fs_turn *turn, bool (*step)(struct fs_turn *))
{
	ipc_list_init(&turn->link);
	turn->step = step;
}

void fs_turn_add(struct fs_turns *turns, struct fs_turn *turn)
{
	ipc_list_append(&turns->list, &turn->link);
	ipc_task_post(turns->loop, &turns->task);
}

void fs_turn_remove(struct fs_turn *turn)
{
	ipc_list_remove(&turn->link);
}

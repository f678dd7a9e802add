#include "crowd.h"

#include "base/hash.h"
#include "fs.h"

/* From an answer to the open behind it four requests go to and fro; on a busy machine each takes its time. */
#define TURN_NS INT64_C(5000000)

static struct fs_crowd *crowd_of(struct fs *fs, const struct ipc_ref *ref, uid_t uid)
{
	char path[2 * IPC_NAME_MAX];

	fs_ref_path(fs, ref, path, sizeof(path));
	return &fs->crowds.crowd[(ipc_text_hash(path) + uid) % FS_CROWDS];
}

static uint64_t turn_new(struct fs_crowd *crowd)
{
	struct fs_crowds *all = crowd->all;

	return crowd->turn = ++all->last * FS_CROWDS + (uint64_t)(crowd - all->crowd);
}

static void turn_end(struct fs_crowd *crowd)
{
	crowd->turn = 0;
	ipc_timer_stop(crowd->all->loop, &crowd->timer);
	if (!ipc_list_empty(&crowd->waiting))
		ipc_task_post(crowd->all->loop, &crowd->task);
}

static void turn_expired(struct ipc_timer *timer)
{
	turn_end(ipc_container(timer, struct fs_crowd, timer));
}

/* Whoever is on his way is waited for, but not for long. */
static void turn_bound(struct fs_crowd *crowd)
{
	struct ipc_loop *loop = crowd->all->loop;

	if (!crowd->timer.slot && ipc_timer_start(loop, &crowd->timer, ipc_now() + TURN_NS, turn_expired) < 0)
		turn_end(crowd);
}

static void crowd_run(struct ipc_task *task)
{
	struct fs_crowd *crowd = ipc_container(task, struct fs_crowd, task);

	while (!crowd->turn && !ipc_list_empty(&crowd->waiting)) {
		struct fs_comer *comer = ipc_container(ipc_list_pop(&crowd->waiting), struct fs_comer, link);

		comer->go(comer, turn_new(crowd));
	}
	if (!ipc_list_empty(&crowd->waiting))
		turn_bound(crowd);
}

uint64_t fs_crowd_turn(struct fs *fs, const struct ipc_ref *ref, uid_t uid)
{
	struct fs_crowd *crowd = crowd_of(fs, ref, uid);

	if (crowd->turn || !ipc_list_empty(&crowd->waiting))
		return 0;
	crowd->uid = uid;
	return turn_new(crowd);
}

bool fs_crowd_wait(struct fs *fs, const struct ipc_ref *ref, uid_t uid, struct fs_comer *comer)
{
	struct fs_crowd *crowd = crowd_of(fs, ref, uid);

	if (crowd->uid != uid)
		return false;
	ipc_list_append(&crowd->waiting, &comer->link);
	turn_bound(crowd);
	return true;
}

void fs_crowd_leave(struct fs_comer *comer)
{
	ipc_list_remove(&comer->link);
}

void fs_crowd_arrived(struct fs_crowds *all, uint64_t turn)
{
	struct fs_crowd *crowd = &all->crowd[turn % FS_CROWDS];

	if (turn && crowd->turn == turn)
		turn_end(crowd);
}

void fs_crowds_start(struct fs_crowds *all, struct ipc_loop *loop)
{
	all->loop = loop;
	for (unsigned i = 0; i < FS_CROWDS; i++) {
		struct fs_crowd *crowd = &all->crowd[i];

		crowd->all = all;
		ipc_list_init(&crowd->waiting);
		ipc_task_init(&crowd->task, crowd_run);
	}
}

void fs_crowds_end(struct fs_crowds *all)
{
	for (unsigned i = 0; i < FS_CROWDS; i++) {
		struct fs_crowd *crowd = &all->crowd[i];

		ipc_task_cancel(&crowd->task);
		ipc_timer_stop(all->loop, &crowd->timer);
		while (!ipc_list_empty(&crowd->waiting)) {
			struct fs_comer *comer = ipc_container(ipc_list_pop(&crowd->waiting), struct fs_comer, link);

			comer->go(comer, 0);
		}
	}
}

/* Readers that share an open file: shared_read.h. */
#include "shared_read.h"

/* Most reads that wait have their answer by then. */
#define FRESH_NS INT64_C(1000000000)
/* How often to look. */
#define SHARED_NS INT64_C(500000000)
/* How often while only such reads wait whose file can hardly be another's too. */
#define ALONE_NS INT64_C(60000000000)
/* Behind one who was freed, others may wait for the same lock. */
#define AGAIN_NS INT64_C(50000000)
/* A look takes longer the more processes there are; of the helper's time it gets one part in so many. */
enum { SHARE_OF_TIME = 50 };
/* Reads that are sorted in one turn of the loop. */
enum { SORTED_MAX = 16 };

static void reads_timer(struct ipc_timer *);

static struct fs_shared_read *reads_first(struct ipc_list *list)
{
	return ipc_list_empty(list) ? NULL : ipc_container(list->next, struct fs_shared_read, link);
}

static int64_t reads_next_check(const struct fs_shared_reads *all)
{
	int64_t pause = ipc_list_empty(&all->shared) ? ALONE_NS : SHARED_NS;

	if (all->again)
		return all->looked_at + AGAIN_NS;
	return all->looked_at + (all->took * SHARE_OF_TIME > pause ? all->took * SHARE_OF_TIME : pause);
}

/* Whether there is something to look for, and nobody is at it. */
static bool reads_wait(const struct fs_shared_reads *all)
{
	return !all->busy && !(ipc_list_empty(&all->alone) && ipc_list_empty(&all->shared));
}

static void reads_arm(struct fs_shared_reads *all)
{
	const struct fs_shared_read *fresh = reads_first(&all->fresh);
	int64_t when = fresh ? fresh->since + FRESH_NS : INT64_MAX;

	if (reads_wait(all) && reads_next_check(all) < when)
		when = reads_next_check(all);
	if (when != INT64_MAX && !(all->timer.slot && all->timer.when <= when))
		ipc_timer_start(all->loop, &all->timer, when, reads_timer);
}

static void reads_sort(struct fs_shared_reads *all, int64_t now)
{
	struct fs_shared_read *read = reads_first(&all->fresh);

	for (int i = 0; read && i < SORTED_MAX && read->since + FRESH_NS <= now; i++) {
		ipc_list_remove(&read->link);
		ipc_list_append(fs_shared_alone(read->reader, read->opener) ? &all->alone : &all->shared, &read->link);
		read = reads_first(&all->fresh);
	}
}

static void victims_work(struct ipc_job *job)
{
	struct fs_shared_reads *all = ipc_container(job, struct fs_shared_reads, job);
	int64_t since = ipc_now();

	all->victim_count = fs_shared_victims(all->victim, FS_SHARED_VICTIMS_MAX, &job->cancelled);
	all->took = ipc_now() - since;
}

static void pairs_work(struct ipc_job *job)
{
	struct fs_shared_reads *all = ipc_container(job, struct fs_shared_reads, job);

	for (unsigned i = 0; i < all->pair_count; i++)
		all->pair[i].same = fs_shared_same(all->pair[i].reader, &all->pair[i].victim);
}

/* Releases the read with that number, if it still waits. */
static void list_release(struct ipc_list *list, uint64_t serial)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, list) {
		struct fs_shared_read *read = ipc_container(pos, struct fs_shared_read, link);

		if (read->serial == serial) {
			read->release(read);
			return;
		}
	}
}

static void reads_looked(struct fs_shared_reads *all, bool again)
{
	all->busy = false;
	all->looked_at = ipc_now();
	all->again = again;
	if (all->pool)
		reads_arm(all);
}

static void pairs_done(struct ipc_job *job)
{
	struct fs_shared_reads *all = ipc_container(job, struct fs_shared_reads, job);
	bool some = false;

	for (unsigned i = 0; all->pool && i < all->pair_count; i++) {
		if (!all->pair[i].same)
			continue;
		list_release(&all->shared, all->pair[i].serial);
		list_release(&all->alone, all->pair[i].serial);
		some = true;
	}
	reads_looked(all, some);
}

/* Pairs the victims with the reads that may hold them up. Those go behind the others, which have their turn next. */
static void list_pair(struct fs_shared_reads *all, struct ipc_list *list)
{
	struct ipc_list *pos, *next, behind;

	ipc_list_init(&behind);
	ipc_list_each(pos, next, list) {
		struct fs_shared_read *read = ipc_container(pos, struct fs_shared_read, link);
		unsigned before = all->pair_count;

		for (unsigned i = 0; i < all->victim_count && all->pair_count < FS_SHARED_PAIRS_MAX; i++)
			if (all->victim[i].ino == read->ino)
				all->pair[all->pair_count++] = (struct fs_shared_pair){
					.serial = read->serial, .reader = read->reader, .victim = all->victim[i]};
		if (all->pair_count == before)
			continue;
		ipc_list_remove(&read->link);
		ipc_list_append(&behind, &read->link);
	}
	while (!ipc_list_empty(&behind))
		ipc_list_append(list, ipc_list_pop(&behind));
}

static void victims_done(struct ipc_job *job)
{
	struct fs_shared_reads *all = ipc_container(job, struct fs_shared_reads, job);

	all->pair_count = 0;
	if (all->victim_count && all->pool) {
		list_pair(all, &all->shared);
		list_pair(all, &all->alone);
	}
	if (!all->pair_count || ipc_pool_submit(all->pool, job, pairs_work, pairs_done) < 0)
		reads_looked(all, false);
}

static void reads_check(struct fs_shared_reads *all)
{
	if (!all->pool)
		all->pool = ipc_pool_new(all->loop, 1);
	all->job = (struct ipc_job){0};
	all->busy = all->pool && ipc_pool_submit(all->pool, &all->job, victims_work, victims_done) == 0;
	all->again = false;
	if (!all->busy)
		all->looked_at = ipc_now();
}

static void reads_timer(struct ipc_timer *timer)
{
	struct fs_shared_reads *all = ipc_container(timer, struct fs_shared_reads, timer);
	int64_t now = ipc_now();

	reads_sort(all, now);
	if (reads_wait(all) && reads_next_check(all) <= now)
		reads_check(all);
	reads_arm(all);
}

void fs_shared_reads_start(struct fs_shared_reads *all, struct ipc_loop *loop)
{
	*all = (struct fs_shared_reads){.loop = loop};
	ipc_list_init(&all->fresh);
	ipc_list_init(&all->alone);
	ipc_list_init(&all->shared);
}

void fs_shared_reads_end(struct fs_shared_reads *all)
{
	struct ipc_pool *pool = all->pool;

	if (!all->loop)
		return;
	ipc_timer_stop(all->loop, &all->timer);
	all->pool = NULL;
	ipc_pool_free(pool);
	all->loop = NULL;
}

void fs_shared_read_add(struct fs_shared_reads *all, struct fs_shared_read *read)
{
	bool first = ipc_list_empty(&all->fresh);

	read->since = ipc_now();
	read->serial = ++all->serial;
	ipc_list_append(&all->fresh, &read->link);
	if (first && all->loop)
		reads_arm(all);
}

void fs_shared_read_remove(struct fs_shared_read *read)
{
	ipc_list_remove(&read->link);
}

#include "glance.h"

#include <string.h>

/* All are looked through in so many parts, one each PAUSE, which makes five seconds. */
enum { PARTS = 8, PART = IPC_GLANCE_BUCKETS / PARTS };
#define PAUSE INT64_C(625000000)

void ipc_glances_init(struct ipc_glances *all, struct ipc_loop *loop, void (*drop)(struct ipc_glance *))
{
	memset(all, 0, sizeof(*all));
	all->loop = loop;
	all->drop = drop;
}

static struct ipc_glance **bucket_of(struct ipc_glances *all, ino_t ino)
{
	return &all->buckets[(ino ^ ino >> 10) % IPC_GLANCE_BUCKETS];
}

struct ipc_glance *ipc_glance_find(struct ipc_glances *all, ino_t ino)
{
	struct ipc_glance *glance = *bucket_of(all, ino);

	while (glance && glance->ino != ino)
		glance = glance->next;
	if (glance)
		glance->used = true;
	return glance;
}

static void take_out(struct ipc_glances *all, struct ipc_glance **at)
{
	struct ipc_glance *glance = *at;

	*at = glance->next;
	all->count--;
	all->drop(glance);
}

static void glance_through(struct ipc_timer *timer)
{
	struct ipc_glances *all = ipc_container(timer, struct ipc_glances, timer);

	for (unsigned i = 0; i < PART; i++, all->at = (all->at + 1) % IPC_GLANCE_BUCKETS)
		for (struct ipc_glance **at = &all->buckets[all->at]; *at;) {
			if ((*at)->used) {
				(*at)->used = false;
				at = &(*at)->next;
			} else {
				take_out(all, at);
			}
		}
	if (all->count)
		ipc_timer_start(all->loop, timer, ipc_now() + PAUSE, glance_through);
}

bool ipc_glance_add(struct ipc_glances *all, struct ipc_glance *glance, ino_t ino)
{
	struct ipc_glance **bucket = bucket_of(all, ino);

	if (all->count == IPC_GLANCE_MAX ||
	    (!all->count && ipc_timer_start(all->loop, &all->timer, ipc_now() + PAUSE, glance_through) < 0)) {
		all->drop(glance);
		return false;
	}
	glance->ino = ino;
	glance->used = true;
	glance->next = *bucket;
	*bucket = glance;
	all->count++;
	return true;
}

void ipc_glance_drop(struct ipc_glances *all, struct ipc_glance *glance)
{
	struct ipc_glance **at = bucket_of(all, glance->ino);

	while (*at != glance)
		at = &(*at)->next;
	take_out(all, at);
}

void ipc_glances_fini(struct ipc_glances *all)
{
	ipc_timer_stop(all->loop, &all->timer);
	for (unsigned i = 0; i < IPC_GLANCE_BUCKETS; i++)
		while (all->buckets[i])
			take_out(all, &all->buckets[i]);
}

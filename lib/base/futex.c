#include "futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"
#include "loop.h"

/* One word of each crew is its bell. */
enum { SLOTS = FUTEX_WAITV_MAX - 1 };
#define STACK_SIZE ((size_t)256 * 1024)
#define BACK_OFF_NS 5000000

/*
 * Who may change a slot's state, and to what: the loop EMPTY to ARMED and ARMED to LEAVING, the crew's thread ARMED to
 * CHANGED and LEAVING to LEFT, and the loop those two to EMPTY. The other fields belong to the loop while it is EMPTY.
 */
enum slot_state { SLOT_EMPTY, SLOT_ARMED, SLOT_CHANGED, SLOT_LEAVING, SLOT_LEFT };

struct futex_slot {
	atomic_int state;
	int place; /* of the word in the last wait, from 1; 0: it was not in it. The crew's thread's */
	const uint32_t *word;
	uint32_t expected;
	struct ipc_futex *futex;
};

/* A thread and what it waits for. */
struct futex_crew {
	pthread_t thread;
	int report;	       /* eventfd */
	_Atomic uint32_t bell; /* changes when the thread must look at its slots again */
	atomic_bool stop;
	atomic_bool news; /* for the loop: there are slots that are CHANGED or LEFT */
	unsigned used;	  /* the loop's */
	struct futex_slot slots[SLOTS];
};

struct ipc_futexes {
	struct ipc_loop *loop;
	struct ipc_watch watch;
	int report;
	bool supported, closing;
	unsigned count;
	struct futex_crew **crews;
};

void ipc_futex_wake(const uint32_t *word, unsigned n)
{
	syscall(SYS_futex, word, FUTEX_WAKE, n < INT_MAX ? (int)n : INT_MAX, NULL, NULL, 0);
}

/* --- a crew's thread ---------------------------------------------------------------------------------------------- */

static long slot_load(void *arg)
{
	return (long)__atomic_load_n(((const struct futex_slot *)arg)->word, __ATOMIC_RELAXED);
}

static bool slot_unchanged(struct futex_slot *slot)
{
	return ipc_guard(slot_load, slot) == (long)slot->expected;
}

/*
 * Whether this word may have been woken though it has the expected value: it changed, and changed back before we
 * looked. Where the expected value is 0 nobody needs to know that. Of several words that were woken the kernel names
 * the last one.
 */
static bool slot_woken(const struct futex_slot *slot, int last)
{
	return slot->expected && slot->place && slot->place <= last;
}

/*
 * Fills v with the words to wait for; returns how many, and whether the loop has something to look at. last: the place
 * of the last word that was woken; 0 or less: none.
 */
static unsigned crew_collect(struct futex_crew *crew, struct futex_waitv *v, int last, bool *news)
{
	unsigned n = 0;

	for (struct futex_slot *slot = crew->slots; slot < crew->slots + SLOTS; slot++) {
		int state = atomic_load(&slot->state);
		bool woken = slot_woken(slot, last);

		slot->place = 0;

		if (state == SLOT_LEAVING) {
			atomic_store(&slot->state, SLOT_LEFT);
			*news = true;
		} else if (state == SLOT_ARMED && !woken && slot_unchanged(slot)) {
			slot->place = (int)n + 1;
			v[n++] = (struct futex_waitv){
				.val = slot->expected, .uaddr = (uintptr_t)slot->word, .flags = FUTEX_32};
		} else if (state == SLOT_ARMED) {
			/* Fails if the loop has made it LEAVING meanwhile; then it has rung the bell, and we come
			 * again. */
			*news |= atomic_compare_exchange_strong(&slot->state, &state, SLOT_CHANGED);
		}
	}
	return n;
}

static void *crew_main(void *arg)
{
	struct futex_waitv v[FUTEX_WAITV_MAX];
	struct futex_crew *crew = arg;
	int last = 0;

	for (;;) {
		const struct timespec nap = {.tv_nsec = BACK_OFF_NS};
		bool news = false;
		unsigned n;

		v[0] = (struct futex_waitv){.val = atomic_load(&crew->bell),
					    .uaddr = (uintptr_t)&crew->bell,
					    .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};
		if (atomic_load(&crew->stop))
			return NULL;
		n = 1 + crew_collect(crew, v + 1, last, &news);
		if (news && !atomic_exchange(&crew->news, true))
			eventfd_write(crew->report, 1);
		/* Of several words that were woken it tells only one: each is looked at again in any case. */
		last = (int)syscall(SYS_futex_waitv, v, n, 0, NULL, 0);
		if (last < 0 && errno != EAGAIN && errno != EINTR)
			nanosleep(&nap, NULL); /* out of memory, or a word that goes away just now */
	}
}

/*
 * --- the loop ------------------------------------------------------------------------------------------------------
 */

static void crew_ring(struct futex_crew *crew)
{
	atomic_fetch_add(&crew->bell, 1);
	syscall(SYS_futex, &crew->bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static int crew_start(struct futex_crew *crew)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int err;

	/* Signals are the loop's, but for those that an access brings on itself. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&crew->thread, &attr, crew_main, crew);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

static int crew_new(struct ipc_futexes *all, struct futex_crew **out)
{
	struct futex_crew **grown = realloc(all->crews, (all->count + 1) * sizeof(struct futex_crew *));
	struct futex_crew *crew;
	int r;

	if (!grown)
		return -ENOMEM;
	all->crews = grown;
	crew = calloc(1, sizeof(*crew));
	if (!crew)
		return -ENOMEM;
	crew->report = all->report;
	r = crew_start(crew);
	if (r < 0) {
		free(crew);
		return r;
	}
	all->crews[all->count++] = *out = crew;
	return 0;
}

static int crew_with_room(struct ipc_futexes *all, struct futex_crew **out)
{
	for (unsigned i = 0; i < all->count; i++) {
		if (all->crews[i]->used < SLOTS) {
			*out = all->crews[i];
			return 0;
		}
	}
	return crew_new(all, out);
}

int ipc_futex_arm(struct ipc_futexes *all, struct ipc_futex *f, const uint32_t *word, uint32_t expected,
		  void (*ready)(struct ipc_futex *))
{
	struct futex_crew *crew;
	struct futex_slot *slot;
	int r;

	if (f->crew)
		return 0;
	if (!all->supported)
		return -ENOSYS;
	if (all->closing)
		return -ENOTCONN;
	r = crew_with_room(all, &crew);
	if (r < 0)
		return r;
	slot = crew->slots;
	while (atomic_load(&slot->state) != SLOT_EMPTY)
		slot++;
	crew->used++;
	slot->word = word;
	slot->expected = expected;
	slot->futex = f;
	f->crew = crew;
	f->slot = slot;
	f->ready = ready;
	atomic_store(&slot->state, SLOT_ARMED);
	crew_ring(crew);
	return 0;
}

void ipc_futex_cancel(struct ipc_futex *f)
{
	int state = SLOT_ARMED;

	if (f->crew && atomic_compare_exchange_strong(&f->slot->state, &state, SLOT_LEAVING))
		crew_ring(f->crew);
}

static void slot_end(struct futex_crew *crew, struct futex_slot *slot)
{
	struct ipc_futex *f = slot->futex;

	atomic_store(&slot->state, SLOT_EMPTY);
	crew->used--;
	f->crew = NULL;
	f->slot = NULL;
	f->ready(f);
}

static void futexes_report(struct ipc_watch *watch, uint32_t events)
{
	struct ipc_futexes *all = ipc_container(watch, struct ipc_futexes, watch);
	eventfd_t count;

	(void)events;
	eventfd_read(all->report, &count);
	for (unsigned i = 0; i < all->count; i++) {
		struct futex_crew *crew = all->crews[i];

		if (!atomic_exchange(&crew->news, false))
			continue;
		for (struct futex_slot *slot = crew->slots; slot < crew->slots + SLOTS; slot++) {
			int state = atomic_load(&slot->state);

			if (state == SLOT_CHANGED || state == SLOT_LEFT)
				slot_end(crew, slot);
		}
	}
}

struct ipc_futexes *ipc_futexes_new(struct ipc_loop *loop)
{
	struct ipc_futexes *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return NULL;
	all->loop = loop;
	syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0);
	all->supported = errno == EINVAL; /* and not ENOSYS, or what a sandbox says */
	all->report = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = all->report < 0 ? -errno : ipc_watch_add(loop, &all->watch, all->report, EPOLLIN, futexes_report);
	if (r == 0)
		return all;
	if (all->report >= 0)
		close(all->report);
	free(all);
	errno = -r;
	return NULL;
}

void ipc_futexes_free(struct ipc_futexes *all)
{
	if (!all)
		return;
	all->closing = true;
	for (unsigned i = 0; i < all->count; i++) {
		struct futex_crew *crew = all->crews[i];

		atomic_store(&crew->stop, true);
		crew_ring(crew);
		pthread_join(crew->thread, NULL);
		for (struct futex_slot *slot = crew->slots; slot < crew->slots + SLOTS; slot++)
			if (atomic_load(&slot->state) != SLOT_EMPTY)
				slot_end(crew, slot);
		free(crew);
	}
	ipc_watch_remove(&all->watch);
	close(all->report);
	free(all->crews);
	free(all);
}

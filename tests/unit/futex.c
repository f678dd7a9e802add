#include "base/futex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/loop.h"
#include "fixture.h"

enum { MANY = 300 }; /* more than two threads can take */

/* A word of the test's, and what was heard of it. */
struct word {
	struct ipc_futex futex;
	_Atomic uint32_t *at;
	unsigned heard;
	bool again;
};

static struct ipc_loop *loop;
static struct ipc_futexes *all;
static _Atomic uint32_t *memory;

static void setup(void)
{
	loop = ipc_loop_new();
	cr_assert_not_null(loop);
	all = ipc_futexes_new(loop);
	cr_assert_not_null(all);
	memory = mmap(NULL, MANY * sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(memory, MAP_FAILED);
}

static void teardown(void)
{
	ipc_futexes_free(all);
	ipc_loop_free(loop);
}

/* cppcheck-suppress unknownMacro */
TestSuite(futex, .init = setup, .fini = teardown, .timeout = 20);

static void word_ready(struct ipc_futex *futex);

static int arm(struct word *w)
{
	return ipc_futex_arm(all, &w->futex, (const uint32_t *)w->at, 0, word_ready);
}

static void word_ready(struct ipc_futex *futex)
{
	struct word *w = ipc_container(futex, struct word, futex);

	w->heard++;
	if (w->again)
		arm(w);
}

static void post(const struct word *w)
{
	atomic_fetch_add(w->at, 1);
	ipc_futex_wake((const uint32_t *)w->at, 1);
}

static void await(const struct word *w, unsigned heard)
{
	while (w->heard < heard)
		cr_assert_eq(ipc_loop_turn(loop, 5000), 0);
	cr_assert_eq(w->heard, heard);
}

static int64_t cpu_ns(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * INT64_C(1000000000) +
	       (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * INT64_C(1000);
}

Test(futex, a_wake_up_is_heard)
{
	struct word w = {.at = memory};

	cr_assert_eq(arm(&w), 0);
	cr_assert(ipc_futex_is_armed(&w.futex));
	u_await_sleepers();
	post(&w);
	await(&w, 1);
	cr_assert_not(ipc_futex_is_armed(&w.futex));
}

Test(futex, a_word_that_has_changed_already_is_heard)
{
	struct word w = {.at = memory};

	atomic_store(w.at, 1);
	cr_assert_eq(arm(&w), 0);
	await(&w, 1);
}

Test(futex, ready_comes_once_for_each_arming)
{
	struct word w = {.at = memory};

	cr_assert_eq(arm(&w), 0);
	cr_assert_eq(arm(&w), 0);
	post(&w);
	post(&w);
	await(&w, 1);
	ipc_loop_turn(loop, 50);
	cr_assert_eq(w.heard, 1);
}

Test(futex, a_wake_up_without_a_change_is_not_heard)
{
	struct word w = {.at = memory};

	cr_assert_eq(arm(&w), 0);
	for (int i = 0; i < 10; i++) {
		ipc_futex_wake((const uint32_t *)w.at, 1);
		ipc_loop_turn(loop, 5);
	}
	cr_assert_eq(w.heard, 0);
	post(&w);
	await(&w, 1);
}

Test(futex, ready_may_arm_again)
{
	struct word w = {.at = memory, .again = true};

	cr_assert_eq(arm(&w), 0);
	for (unsigned i = 1; i <= 100; i++) {
		post(&w);
		await(&w, i);
		atomic_store(w.at, 0);
		w.again = true;
		arm(&w);
	}
	w.again = false;
	ipc_futex_cancel(&w.futex);
	while (ipc_futex_is_armed(&w.futex))
		cr_assert_eq(ipc_loop_turn(loop, 5000), 0);
}

Test(futex, cancel_brings_ready)
{
	struct word w = {.at = memory};

	ipc_futex_cancel(&w.futex);
	cr_assert_eq(arm(&w), 0);
	ipc_futex_cancel(&w.futex);
	ipc_futex_cancel(&w.futex);
	await(&w, 1);
	ipc_futex_cancel(&w.futex);
	cr_assert_eq(arm(&w), 0);
	post(&w);
	await(&w, 2);
}

Test(futex, free_brings_ready_for_those_that_are_armed)
{
	struct word w = {.at = memory, .again = true};

	cr_assert_eq(arm(&w), 0);
	ipc_futexes_free(all);
	all = NULL;
	cr_assert_eq(w.heard, 1);
	cr_assert_not(ipc_futex_is_armed(&w.futex));
}

static void *post_all(void *arg)
{
	struct word *words = arg;

	for (int i = 0; i < MANY; i++)
		post(&words[i]);
	return NULL;
}

Test(futex, many_words_need_few_threads_and_each_is_heard)
{
	struct word words[MANY] = {0};
	pthread_t poster;

	for (int i = 0; i < MANY; i++) {
		words[i].at = memory + i;
		cr_assert_eq(arm(&words[i]), 0);
	}
	cr_assert_eq(pthread_create(&poster, NULL, post_all, words), 0);
	for (int i = 0; i < MANY; i++)
		await(&words[i], 1);
	pthread_join(poster, NULL);
}

static void *post_often(void *arg)
{
	for (int i = 0; i < 20000; i++)
		post(arg);
	return NULL;
}

Test(futex, no_change_is_lost_while_it_is_taken_and_armed_again)
{
	struct word w = {.at = memory};
	pthread_t poster;
	unsigned taken = 0;

	cr_assert_eq(pthread_create(&poster, NULL, post_often, &w), 0);
	while (taken < 20000) {
		taken += atomic_exchange(w.at, 0);
		if (taken < 20000 && !ipc_futex_is_armed(&w.futex))
			cr_assert_eq(arm(&w), 0);
		cr_assert_eq(ipc_loop_turn(loop, ipc_futex_is_armed(&w.futex) ? 5000 : 0), 0);
	}
	cr_assert_eq(taken, 20000);
	pthread_join(poster, NULL);
}

Test(futex, waiting_costs_nothing)
{
	static struct word words[MANY];
	int64_t before;

	for (int i = 0; i < MANY; i++) {
		words[i].at = memory + i;
		cr_assert_eq(arm(&words[i]), 0);
	}
	u_await_sleepers();
	before = cpu_ns();
	usleep(300000); /* what is measured is that nothing is done in this time */
	cr_assert_lt(cpu_ns() - before, 5000000);
}

static long touch(void *arg)
{
	return *(volatile char *)arg;
}

/* A page of a file that is as long as a test wants it. */
static char *page_of_file(int *fd)
{
	char name[] = "/dev/shm/unit_futex_XXXXXX";
	char *page;

	*fd = mkstemp(name);
	cr_assert_geq(*fd, 0);
	unlink(name);
	cr_assert_eq(ftruncate(*fd, 4096), 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	cr_assert_neq(page, MAP_FAILED);
	return page;
}

Test(futex, a_word_that_goes_away_is_heard_when_somebody_looks)
{
	struct word w = {.at = memory}, gone = {0};
	int fd;

	gone.at = (_Atomic uint32_t *)(void *)page_of_file(&fd);
	cr_assert_eq(arm(&w), 0);
	cr_assert_eq(arm(&gone), 0);
	u_await_sleepers();
	cr_assert_eq(ftruncate(fd, 0), 0);
	post(&w);
	await(&w, 1);
	await(&gone, 1);
	cr_assert_eq(arm(&gone), 0);
	await(&gone, 2);
	close(fd);
}

Test(futex, the_guard_makes_an_error_of_a_bus_error)
{
	int fd;
	char *page = page_of_file(&fd);

	page[0] = 7;
	cr_assert_eq(ipc_guard(touch, page), 7);
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(ipc_guard(touch, page), -EFAULT);
	cr_assert_eq(ipc_guard(touch, page), -EFAULT);
	cr_assert_eq(ftruncate(fd, 4096), 0);
	cr_assert_eq(ipc_guard(touch, page), 0);
	close(fd);
}

Test(futex, outside_the_guard_it_is_what_it_was, .signal = SIGBUS)
{
	int fd;
	char *page = page_of_file(&fd);

	signal(SIGBUS, SIG_DFL);
	cr_assert_eq(ipc_guard(touch, page), 0);
	cr_assert_eq(ftruncate(fd, 0), 0);
	touch(page);
}

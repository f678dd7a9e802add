/* Much memory that is freed: base/slow.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/loop.h"

enum { MANY = 8 << 20 };

static struct ipc_loop *loop;

static void setup(void)
{
	loop = ipc_loop_new();
	cr_assert_not_null(loop);
}

static void teardown(void)
{
	ipc_loop_free(loop);
}

TestSuite(slow, .init = setup, .fini = teardown, .timeout = 20);

/* Of the pages between. */
static size_t resident(const char *at)
{
	static unsigned char pages[MANY / 4096];
	size_t n = 0;

	if (mincore((void *)(((unsigned long)at + 4095) & ~4095ul), MANY - 4096, pages) < 0)
		return 0;
	for (unsigned i = 0; i < (MANY - 4096) / 4096; i++)
		n += pages[i] & 1;
	return n;
}

static char *filled(void)
{
	char *p = malloc(MANY);

	cr_assert_not_null(p);
	return memset(p, 1, MANY);
}

Test(slow, much_goes_in_several_turns)
{
	char *p = filled();
	size_t before = resident(p), after;
	unsigned turns = 0;

	ipc_loop_free_slowly(loop, p, MANY);
	cr_expect_eq(resident(p), before);
	while ((after = resident(p))) {
		cr_assert_lt(turns, 100);
		cr_assert_eq(ipc_loop_turn(loop, 0), 0);
		turns++;
		cr_assert_leq(after, before);
		cr_assert_leq(before - after, 256 * 1024 / 4096u);
		before = after;
	}
	cr_expect_gt(turns, 20);
}

Test(slow, what_the_end_of_the_loop_finds_left_is_freed)
{
	ipc_loop_free_slowly(loop, filled(), MANY);
	ipc_loop_free_slowly(loop, filled(), MANY);
	ipc_loop_turn(loop, 0);
}

Test(slow, little_goes_at_once_and_nothing_is_no_error)
{
	ipc_loop_free_slowly(loop, malloc(10), 10);
	ipc_loop_free_slowly(loop, NULL, 0);
}

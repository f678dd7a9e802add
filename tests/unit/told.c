/* What native.c need not tell again. */
#include "core/told.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "fixture.h"

/* As many as are remembered. */
enum { ALL = 1024 };

static void setup(void)
{
	u_setup(&ipc_sem);
	u_ipc->told = ipc_told_new();
	cr_assert_not_null(u_ipc->told);
}

static void teardown(void)
{
	free(u_ipc->told);
	u_ipc->told = NULL;
	u_teardown();
}

TestSuite(told, .init = setup, .fini = teardown, .timeout = 20);

static void add(const char *name)
{
	ipc_told_add(u_ipc, IPC_EVENT_MADE, &ipc_sem, name);
}

static void add_others(int count)
{
	for (int i = 0; i < count; i++)
		add("other");
}

static bool take(const char *name)
{
	return ipc_told_take(u_ipc, IPC_EVENT_MADE, &ipc_sem, name);
}

Test(told, is_taken_once)
{
	add("a");
	cr_assert(take("a"));
	cr_assert_not(take("a"));
}

Test(told, is_another_by_name_event_or_kind)
{
	add("a");
	cr_assert_not(take("b"));
	cr_assert_not(ipc_told_take(u_ipc, IPC_EVENT_REMOVED, &ipc_sem, "a"));
	cr_assert_not(ipc_told_take(u_ipc, IPC_EVENT_MADE, &ipc_shm, "a"));
}

Test(told, is_forgotten_after_as_many_others_as_are_remembered)
{
	add("a");
	add_others(ALL);
	cr_assert_not(take("a"));
}

/* If the newer one of the two were taken, the older one would be forgotten, and the kernel's second word be told. */
Test(told, the_oldest_is_taken_first)
{
	add_others(ALL - 1);
	add("a");
	add("a");
	cr_assert(take("a"));
	add_others(ALL - 1);
	cr_assert(take("a"));
}

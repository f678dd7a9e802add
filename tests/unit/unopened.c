/* What is remembered of objects that are gone has an end. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/unopened.h"
#include "fixture.h"

static void setup(void)
{
	u_setup(&ipc_sem);
}

TestSuite(unopened, .init = setup, .fini = u_teardown);

/* Opened through us, and removed behind our back. */
static void open_and_lose(const char *name)
{
	char path[300];

	u_create(name);
	ipc_close(u_open(name, O_WRONLY));
	snprintf(path, sizeof(path), "/dev/shm/sem.%s%s", u_prefix, name);
	cr_assert_eq(unlink(path), 0);
}

Test(unopened, records_of_objects_that_are_gone_do_not_add_up)
{
	char name[16];

	for (int i = 0; i < 3 * IPC_UNOPENED_MAX; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		open_and_lose(name);
	}
	cr_expect_leq(u_ipc->chan_count, IPC_UNOPENED_MAX);
}

Test(unopened, record_of_what_is_open_stays)
{
	struct ipc_handle *h;
	char name[16];

	u_create("kept");
	h = u_open("kept", O_WRONLY);
	cr_assert_eq(u_put(h, "1\n"), 2);
	for (int i = 0; i < 2 * IPC_UNOPENED_MAX; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		open_and_lose(name);
	}
	cr_expect(strstr(u_ctl("kept"), "in_messages=1\n"), "%s", u_ctl("kept"));
	ipc_close(h);
}

Test(unopened, one_user_does_not_push_out_anothers_records)
{
	struct ipc_chan *other;
	char name[16];

	u_create("other");
	ipc_close(u_open("other", O_WRONLY));
	other = ipc_chan_find(u_ipc, &ipc_sem, "other");
	ipc_unopened_add(other, 54321);
	for (int i = 0; i < 2 * IPC_UNOPENED_MAX; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		open_and_lose(name);
	}
	cr_expect_eq(ipc_chan_find(u_ipc, &ipc_sem, "other"), other);
}

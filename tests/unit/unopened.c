/* What is remembered of objects that are gone has an end. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/quota.h"
#include "core/unopened.h"
#include "fixture.h"

static void setup(void)
{
	u_setup(&ipc_sem);
}

TestSuite(unopened, .init = setup, .fini = u_teardown, .timeout = 60);

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

/* Opened, used and closed. */
static void use(const char *name)
{
	struct ipc_handle *h;

	u_create(name);
	h = u_open(name, O_WRONLY);
	cr_assert_eq(u_put(h, "1\n"), 2);
	ipc_close(h);
}

static char *numbered(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "s%d", i);
	return name;
}

static size_t channels_of(uid_t uid)
{
	return ipc_quota_used(u_ipc, uid, IPC_QUOTA_CHANNELS);
}

static bool has_counted_one(int i)
{
	return strstr(u_ctl(numbered(i)), "in_messages=1\n");
}

enum { MANY = 5000 };

Test(unopened, counters_of_thousands_that_were_used_do_not_go_back)
{
	int kept = 0;

	for (int i = 0; i < MANY; i++)
		use(numbered(i));
	for (int i = 0; i < MANY; i++)
		kept += has_counted_one(i);
	cr_expect_eq(kept, MANY);
	cr_expect_eq(channels_of(getuid()), 0);
}

Test(unopened, counters_go_on_when_it_is_used_again)
{
	struct ipc_handle *h;

	for (int i = 0; i < 2 * IPC_UNOPENED_MAX; i++)
		use(numbered(i));
	h = u_open("s0", O_WRONLY);
	cr_assert_eq(u_put(h, "1\n"), 2);
	cr_expect(strstr(u_ctl("s0"), "in_messages=2\n"), "%s", u_ctl("s0"));
	ipc_close(h);
}

Test(unopened, what_is_held_is_no_mere_record)
{
	struct ipc_chan *chan;

	use("held");
	chan = ipc_chan_find(u_ipc, &ipc_sem, "held");
	ipc_chan_hold(chan);
	for (int i = 0; i < 2 * IPC_UNOPENED_MAX; i++)
		use(numbered(i));
	cr_expect(chan->listed);
	ipc_chan_drop(chan);
}

/* What @ctl shows of a crowd is bounded. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>

#include "core/ctl.h"
#include "fixture.h"

enum { CROWD = IPC_CTL_SHOWN + 44 };

TestSuite(ctl, .fini = u_teardown, .timeout = 30);

static char text[256 * 1024];

static const char *ctl_of(const char *name)
{
	char path[64];
	struct ipc_handle *h;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s@ctl", name);
	h = u_open(path, O_RDONLY);
	for (;;) {
		struct ipc_op op = {.type = IPC_READ, .handle = h, .cred = u_me(), .size = 4096, .offset = (off_t)len};
		ssize_t n = ipc_submit(&op);

		cr_assert(n >= 0 && len + (size_t)n < sizeof(text));
		if (!n)
			break;
		memcpy(text + len, op.data, (size_t)n);
		len += (size_t)n;
	}
	text[len] = '\0';
	ipc_close(h);
	return text;
}

static unsigned lines(const char *key)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, key)); at++)
		count += at == text || at[-1] == '\n';
	return count;
}

Test(ctl, shows_so_many_waiters_and_the_number_of_the_rest)
{
	static struct u_call calls[CROWD];
	struct ipc_handle *h[CROWD];

	u_setup(&ipc_sem);
	u_create("s");
	for (int i = 0; i < CROWD; i++) {
		h[i] = u_open("s", O_RDONLY);
		u_begin(&calls[i], h[i], IPC_READ, NULL);
	}
	ctl_of("s");
	cr_expect_eq(lines("waiter="), IPC_CTL_SHOWN);
	cr_expect_eq(lines("waiters_not_shown=44\n"), 1);
	for (int i = 0; i < CROWD; i++)
		ipc_close(h[i]);
	ctl_of("s");
	cr_expect_eq(lines("waiters_not_shown="), 0);
}

Test(ctl, shows_so_many_readers_and_the_number_of_the_rest)
{
	struct ipc_handle *h[CROWD];

	u_setup(&ipc_bcast);
	u_create("b");
	for (int i = 0; i < CROWD; i++)
		h[i] = u_open("b", O_RDONLY);
	ctl_of("b");
	cr_expect_eq(lines("reader="), IPC_CTL_SHOWN);
	cr_expect_eq(lines("readers_not_shown=44\n"), 1);
	for (int i = 0; i < CROWD; i++)
		ipc_close(h[i]);
}

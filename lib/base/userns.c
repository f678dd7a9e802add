#include "userns.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { LAST_MAX = 4 };

/* Who came last. */
struct caller {
	pid_t thread;
	int link; /* -1: he came once, and may not come again */
};

static _Thread_local struct {
	bool on;
	struct caller last[LAST_MAX];
	unsigned next; /* to be forgotten */
} here;

static void caller_set(struct caller *c, pid_t thread)
{
	if (c->thread && c->link >= 0)
		close(c->link);
	*c = (struct caller){thread, -1};
}

void ipc_userns_start(void)
{
	here.on = true;
}

void ipc_userns_end(void)
{
	for (unsigned i = 0; i < LAST_MAX; i++)
		caller_set(&here.last[i], 0);
	here.on = false;
}

static ssize_t read_by_path(pid_t thread, char *text, size_t size)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)thread);
	return readlink(path, text, size);
}

static int link_open(pid_t thread)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)thread);
	return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static struct caller *caller_find(pid_t thread)
{
	for (unsigned i = 0; i < LAST_MAX; i++)
		if (here.last[i].thread == thread)
			return &here.last[i];
	return NULL;
}

ssize_t ipc_userns_read(pid_t thread, char *text, size_t size)
{
	struct caller *c = here.on && thread > 0 ? caller_find(thread) : NULL;
	ssize_t n = -1;

	if (c && c->link < 0)
		c->link = link_open(thread);
	if (c && c->link >= 0)
		n = readlinkat(c->link, "", text, size);
	if (n >= 0)
		return n;
	if (c)
		caller_set(c, thread);
	else if (here.on && thread > 0)
		caller_set(&here.last[here.next++ % LAST_MAX], thread);
	return read_by_path(thread, text, size);
}

#include "callers.h"
#include "clock.h"
#include "loop.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { LAST_MAX = 4 };
#define OPEN_NS INT64_C(100000000)

static ssize_t link_read(int fd, char *text, size_t size)
{
	return readlinkat(fd, "", text, size);
}

static ssize_t text_read(int fd, char *text, size_t size)
{
	return pread(fd, text, size, 0);
}

static ssize_t text_read_path(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : text_read(fd, text, size);

	if (fd >= 0)
		close(fd);
	return n;
}

enum { USERNS, STATUS, FILES };

static const struct {
	const char *name;
	int flags;
	ssize_t (*read)(int fd, char *text, size_t size);
	ssize_t (*read_path)(const char *path, char *text, size_t size);
} files[FILES] = {
	[USERNS] = {"ns/user", O_PATH | O_NOFOLLOW | O_CLOEXEC, link_read, readlink},
	[STATUS] = {"status", O_RDONLY | O_CLOEXEC, text_read, text_read_path},
};

struct path {
	char text[48];
};

/* Not read yet, or read once: whoever comes once may not come again. Otherwise a descriptor. */
enum { NEW = -2, ONCE = -1 };

/* Who came last. */
struct caller {
	pid_t thread; /* 0: nobody */
	int file[FILES];
};

struct callers {
	struct ipc_loop *loop;	/* NULL: nobody is remembered */
	struct ipc_timer timer; /* runs while a descriptor may be open */
	struct caller last[LAST_MAX];
	unsigned next; /* to be forgotten */
};

static _Thread_local struct callers here;

static void caller_set(struct caller *c, pid_t thread)
{
	for (unsigned i = 0; i < FILES; i++) {
		if (c->thread && c->file[i] >= 0)
			close(c->file[i]);
		c->file[i] = NEW;
	}
	c->thread = thread;
}

void ipc_callers_start(struct ipc_loop *loop)
{
	here.loop = loop;
}

static void callers_forget(struct ipc_timer *timer)
{
	(void)timer;
	for (unsigned i = 0; i < LAST_MAX; i++)
		caller_set(&here.last[i], 0);
}

void ipc_callers_end(void)
{
	if (here.loop)
		ipc_timer_stop(here.loop, &here.timer);
	callers_forget(&here.timer);
	here.loop = NULL;
}

/* NULL where nobody is remembered. */
static struct caller *caller_get(pid_t thread)
{
	struct caller *c;

	if (!here.loop || thread <= 0)
		return NULL;
	for (unsigned i = 0; i < LAST_MAX; i++)
		if (here.last[i].thread == thread)
			return &here.last[i];
	c = &here.last[here.next++ % LAST_MAX];
	caller_set(c, thread);
	return c;
}

/* What is opened now is closed again. */
static bool callers_will_end(void)
{
	return here.timer.slot || ipc_timer_start(here.loop, &here.timer, ipc_now() + OPEN_NS, callers_forget) == 0;
}

static struct path path_of(pid_t thread, unsigned which)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "/proc/%d/%s", (int)thread, files[which].name);
	return path;
}

static ssize_t caller_read(pid_t thread, unsigned which, char *text, size_t size)
{
	struct caller *c = caller_get(thread);
	ssize_t n;

	if (c && c->file[which] == ONCE && callers_will_end())
		c->file[which] = open(path_of(thread, which).text, files[which].flags);
	if (c && c->file[which] >= 0) {
		n = files[which].read(c->file[which], text, size);
		if (n >= 0)
			return n;
		caller_set(c, thread); /* that one has ended */
	}
	if (c)
		c->file[which] = ONCE;
	return files[which].read_path(path_of(thread, which).text, text, size);
}

ssize_t ipc_caller_userns(pid_t thread, char *text, size_t size)
{
	return caller_read(thread, USERNS, text, size);
}

ssize_t ipc_caller_status(pid_t thread, char *text, size_t size)
{
	return caller_read(thread, STATUS, text, size);
}

/* What the tests of /sem share: its native side, and whole uses of a semaphore. */
#ifndef UNIT_SEM_H
#define UNIT_SEM_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

static inline void setup(void)
{
	u_setup(&ipc_sem);
}

static inline const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/dev/shm/sem.%s%s", u_prefix, name);
	return path;
}

static inline sem_t *native(const char *name)
{
	char full[64];
	sem_t *sem;

	snprintf(full, sizeof(full), "/%s%s", u_prefix, name);
	sem = sem_open(full, 0);
	cr_assert_neq(sem, SEM_FAILED);
	return sem;
}

static inline int value_of(const char *name)
{
	sem_t *sem = native(name);
	int value;

	sem_getvalue(sem, &value);
	sem_close(sem);
	return value;
}

/* What a read gives without waiting; NULL when it would wait. In a static buffer. */
static inline const char *get_at(struct ipc_handle *h, off_t offset)
{
	static char text[64];
	struct ipc_op op = {.type = IPC_READ,
			    .handle = h,
			    .cred = u_me(),
			    .size = sizeof(text) - 1,
			    .nonblock = true,
			    .offset = offset};
	ssize_t n = ipc_submit(&op);

	if (n == -EAGAIN)
		return NULL;
	cr_assert_geq(n, 0);
	if (n)
		memcpy(text, op.data, (size_t)n);
	text[n] = '\0';
	return text;
}

/* A whole `cat`, which must not wait. */
static inline const char *cat(const char *name)
{
	struct ipc_handle *h = u_open(name, O_RDONLY);
	const char *text = get_at(h, 0);

	ipc_close(h);
	return text;
}

static inline ssize_t echo(const char *name, const char *text)
{
	struct ipc_handle *h = u_open(name, O_WRONLY);
	ssize_t n = u_put(h, text);

	ipc_close(h);
	return n;
}

#endif

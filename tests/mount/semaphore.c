#include "semaphore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Asked for once: children must not, as they would become tests of their own. */
static const char *name(void)
{
	static const char *ours;

	if (!ours)
		ours = t_name("s");
	return ours;
}

char *sem_path(const char *facets)
{
	return t_path(M, "sem/%s%s", name(), facets);
}

char *sem_file(void)
{
	return t_format("/dev/shm/sem.%s", name());
}

void sem_make(const char *facets)
{
	setenv("S", sem_path(""), 1);
	close(t_open(sem_path(facets), O_WRONLY | O_CREAT));
}

sem_t *sem_native(void)
{
	sem_t *sem = sem_open(t_format("/%s", name()), O_CREAT, 0600, 0);

	setenv("S", sem_path(""), 1);
	if (sem == SEM_FAILED)
		t_fail("sem_open: %s", strerror(errno));
	return sem;
}

int sem_now(void)
{
	sem_t *sem = sem_native();
	int value;

	sem_getvalue(sem, &value);
	sem_close(sem);
	return value;
}

int sem_seen(void)
{
	return (int)t_ctl(M, t_format("sem/%s", name()), "value");
}

void sem_await_waiters(long count)
{
	t_await_waiters(M, t_format("sem/%s", name()), count);
}

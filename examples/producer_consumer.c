/*
 * Producer and consumer over shared memory, the native side: writes the numbers from 1 to COUNT to a ring of SLOTS
 * slots by shm_open(3) and sem_open(3). Each slot is a line of WIDTH bytes, so that a shell reads it by `read`. Run:
 * build/examples/producer_consumer NAME COUNT; producer_consumer.sh makes the ring and the semaphores, runs this, and
 * is the consumer. It knows nothing of the mount.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOTS = 64, WIDTH = 16 };

static sem_t *open_semaphore(const char *name, const char *what)
{
	char full[NAME_MAX];
	sem_t *sem;

	if (snprintf(full, sizeof(full), "/%s-%s", name, what) >= NAME_MAX)
		errx(1, "the name is too long");
	sem = sem_open(full, 0);
	if (sem == SEM_FAILED)
		err(1, "sem_open %s", full);
	return sem;
}

static char *open_ring(const char *name)
{
	char full[NAME_MAX];
	char *ring;
	int fd;

	if (snprintf(full, sizeof(full), "/%s", name) >= NAME_MAX)
		errx(1, "the name is too long");
	fd = shm_open(full, O_RDWR, 0);
	if (fd < 0)
		err(1, "shm_open %s", full);
	ring = mmap(NULL, (size_t)SLOTS * WIDTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		err(1, "mmap");
	return ring;
}

int main(int argc, char **argv)
{
	sem_t *empty, *full;
	char *ring, *end;
	long count;

	if (argc != 3)
		errx(2, "usage: producer_consumer NAME COUNT");
	count = strtol(argv[2], &end, 10);
	if (*end || count < 1)
		errx(2, "%s: not a number of items", argv[2]);
	ring = open_ring(argv[1]);
	empty = open_semaphore(argv[1], "empty");
	full = open_semaphore(argv[1], "full");
	for (long i = 0; i < count; i++) {
		char line[32];

		while (sem_wait(empty) < 0)
			if (errno != EINTR)
				err(1, "sem_wait");
		snprintf(line, sizeof(line), "%0*ld\n", WIDTH - 1, i + 1);
		memcpy(ring + i % SLOTS * WIDTH, line, WIDTH);
		if (sem_post(full) < 0)
			err(1, "sem_post");
	}
	return 0;
}

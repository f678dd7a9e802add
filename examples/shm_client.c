/*
 * Shared memory, a client: opens M/shm/NAME as a file, maps it, leaves TEXT there and prints the answer.
 * Run: build/examples/shm_client M TEXT [NAME], while shm_server [NAME] runs.
 * It makes no call that a regular file would not take.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm_demo.h"

static struct shm_demo *map(const char *path)
{
	struct shm_demo *m;
	struct stat st;
	int fd = open(path, O_RDWR);

	if (fd < 0)
		err(1, "%s", path);
	if (fstat(fd, &st) < 0)
		err(1, "%s", path);
	if (st.st_size < (off_t)sizeof(*m))
		errx(1, "%s: the server is not ready", path);
	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		err(1, "mmap %s", path);
	if (close(fd) < 0)
		err(1, "%s", path);
	if (!atomic_load(&m->ready))
		errx(1, "%s: the server is not ready", path);
	return m;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) < 0)
		if (errno != EINTR)
			err(1, "sem_wait");
}

int main(int argc, char **argv)
{
	char path[PATH_MAX];
	struct shm_demo *m;

	if (argc < 3)
		errx(2, "usage: shm_client MOUNT TEXT [NAME]");
	if (strlen(argv[2]) >= SHM_TEXT_MAX)
		errx(1, "a text has at most %d bytes", SHM_TEXT_MAX - 1);
	if (snprintf(path, sizeof(path), "%s/shm/%s", argv[1], argc > 3 ? argv[3] : "demo-shm") >= PATH_MAX)
		errx(1, "%s: path too long", argv[1]);
	m = map(path);
	wait_for(&m->turn);
	memcpy(m->text, argv[2], strlen(argv[2]) + 1);
	if (sem_post(&m->request) < 0)
		err(1, "sem_post");
	wait_for(&m->answer);
	printf("%.*s\n", SHM_TEXT_MAX, m->text);
	if (sem_post(&m->turn) < 0)
		err(1, "sem_post");
	return 0;
}

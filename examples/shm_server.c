/*
 * Shared memory, the server: makes the object by shm_open(3), maps it, and capitalises the text that a client leaves
 * there. Run: build/examples/shm_server [NAME], and shm_client beside it. The text "quit" ends it. It knows nothing of
 * the mount; the client knows nothing of shm_open: both have the same pages.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm_demo.h"

static struct shm_demo *make(const char *name)
{
	struct shm_demo *m;
	int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		err(1, "shm_open %s", name);
	if (ftruncate(fd, sizeof(*m)) < 0)
		err(1, "ftruncate %s", name);
	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		err(1, "mmap %s", name);
	if (close(fd) < 0)
		err(1, "close %s", name);
	if (sem_init(&m->turn, 1, 1) < 0 || sem_init(&m->request, 1, 0) < 0 || sem_init(&m->answer, 1, 0) < 0)
		err(1, "sem_init");
	atomic_store(&m->ready, true);
	return m;
}

static void serve(struct shm_demo *m)
{
	bool quit;

	do {
		while (sem_wait(&m->request) < 0)
			if (errno != EINTR)
				err(1, "sem_wait");
		quit = strncmp(m->text, "quit", SHM_TEXT_MAX) == 0;
		printf("request: %.*s\n", SHM_TEXT_MAX, m->text);
		for (char *p = m->text; p < m->text + SHM_TEXT_MAX && *p; p++)
			*p = (char)toupper((unsigned char)*p);
		if (sem_post(&m->answer) < 0)
			err(1, "sem_post");
	} while (!quit);
}

int main(int argc, char **argv)
{
	char name[NAME_MAX];
	struct shm_demo *m;

	if (argc > 2)
		errx(2, "usage: shm_server [NAME]");
	if (snprintf(name, sizeof(name), "/%s", argc > 1 ? argv[1] : "demo-shm") >= NAME_MAX)
		errx(1, "the name is too long");
	setvbuf(stdout, NULL, _IOLBF, 0);
	m = make(name);
	puts("ready");
	serve(m);
	if (shm_unlink(name) < 0)
		err(1, "shm_unlink %s", name);
	return 0;
}

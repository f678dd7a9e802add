#include "held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/sys.h"
#include "core/rundir.h"
#include "file.h"
#include "kinds/shmdir.h"

#define FILE_NAME "held"
#define MAGIC "ipcfs-1"

enum { FIRST_SIZE = 4096 };

struct place {
	uint64_t dev, ino; /* ino 0: free */
	atomic_uint mark;
};

/* What the file holds. The numbers in it mean nothing after a reboot, and a directory in /tmp may outlive one. */
struct book {
	char magic[8];
	char boot[IPC_BOOT_SIZE];
	struct place places[];
};

struct sem_held {
	struct ipc_rundir *rd;
	int fd; /* -1: not made yet */
	struct book *book;
	size_t size;
	int lowest; /* no place before it is free */
};

static size_t places_in(size_t size)
{
	return size < sizeof(struct book) ? 0 : (size - sizeof(struct book)) / sizeof(struct place);
}

struct sem_held *sem_held_new(struct ipc_rundir *rd)
{
	struct sem_held *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	held->fd = -1;
	held->rd = rd;
	return held;
}

void sem_held_free(struct sem_held *held)
{
	if (!held)
		return;
	if (held->book)
		munmap(held->book, held->size);
	if (held->fd >= 0)
		close(held->fd);
	free(held);
}

/* The space is taken from the file system now: where there is none, a store would be a SIGBUS. */
static int held_grow(struct sem_held *held, size_t size)
{
	int err = posix_fallocate(held->fd, 0, (off_t)size);
	void *map;

	if (err)
		return -err;
	map = held->book ? mremap(held->book, held->size, size, MREMAP_MAYMOVE)
			 : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, held->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	held->book = map;
	held->size = size;
	return 0;
}

static int held_open(struct sem_held *held, char *why, size_t why_size)
{
	int dir = ipc_rundir_open(held->rd, why, why_size);
	char boot[IPC_BOOT_SIZE];
	int r;

	if (dir < 0)
		return dir;
	r = ipc_boot_id(boot);
	if (r == 0 && held->fd < 0) {
		held->fd = openat(dir, FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		r = held->fd < 0 ? -errno : 0;
	}
	if (r == 0)
		r = held_grow(held, FIRST_SIZE);
	if (!held->book) {
		snprintf(why, why_size, "the record of held permits cannot be made: %s", strerror(-r));
		return r < 0 ? r : -EIO;
	}
	memcpy(held->book->boot, boot, sizeof(boot));
	memcpy(held->book->magic, MAGIC, sizeof(MAGIC));
	return 0;
}

int sem_held_reserve(struct sem_held *held, dev_t dev, ino_t ino, char *why, size_t why_size)
{
	int r = held->book ? 0 : held_open(held, why, why_size);
	int i = held->lowest;

	if (r < 0)
		return r;
	while (i < (int)places_in(held->size) && held->book->places[i].ino)
		i++;
	if (i == (int)places_in(held->size)) {
		r = held_grow(held, 2 * held->size);
		if (r < 0) {
			snprintf(why, why_size, "the record of held permits cannot grow: %s", strerror(-r));
			return r;
		}
	}
	held->book->places[i].dev = dev;
	held->book->places[i].ino = ino;
	held->lowest = i + 1;
	return i;
}

void sem_held_release(struct sem_held *held, int place)
{
	/* What was marked has been given back, or was lost with a file that somebody cut off. */
	atomic_store(&held->book->places[place].mark, 0);
	held->book->places[place].ino = 0;
	if (place < held->lowest)
		held->lowest = place;
}

atomic_uint *sem_held_mark(struct sem_held *held, int place)
{
	return &held->book->places[place].mark;
}

/* How many permits of that file are marked; `take`: and are no more, then. */
static unsigned recover_marks(struct place *places, size_t count, const struct stat *st, bool take)
{
	unsigned permits = 0;

	for (size_t i = 0; i < count; i++)
		if (places[i].ino == st->st_ino && places[i].dev == st->st_dev)
			permits += (take ? atomic_exchange(&places[i].mark, 0) : atomic_load(&places[i].mark)) == 1;
	return permits;
}

/* By number: the file may have another name by now, and another file its name. Returns whether it is done with. */
static bool recover_file(int dir, const char *name, struct place *places, size_t count)
{
	struct stat st;
	int fd = sem_file_open(dir, name, &st);
	int r = 0;
	sem_t *sem;

	if (fd < 0)
		return !ipc_is_shortage(fd);
	if (recover_marks(places, count, &st, false)) {
		r = sem_file_map(fd, &sem);
		if (r == 0) {
			sem_file_post(sem, recover_marks(places, count, &st, true));
			sem_file_unmap(sem);
		}
	}
	close(fd);
	return !ipc_is_shortage(r);
}

static bool recover_all(struct place *places, size_t count)
{
	DIR *list = opendir(IPC_SHMDIR);
	struct dirent *e;
	bool done = true;

	if (!list)
		return !ipc_is_shortage(-errno);
	while ((e = readdir(list)))
		if (strncmp(e->d_name, SEM_FILE_LEAD, strlen(SEM_FILE_LEAD)) == 0)
			done &= recover_file(dirfd(list), e->d_name, places, count);
	closedir(list);
	return done;
}

static bool recover_book(struct book *book, size_t size)
{
	char boot[IPC_BOOT_SIZE];

	if (memcmp(book->magic, MAGIC, sizeof(MAGIC)) != 0)
		return true;
	if (ipc_boot_id(boot) < 0)
		return false;
	return memcmp(book->boot, boot, sizeof(boot)) != 0 || recover_all(book->places, places_in(size));
}

bool sem_held_recover(struct ipc *ipc, int rundir)
{
	int fd = openat(rundir, FILE_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	bool done = true;
	struct stat st;
	struct book *book;

	(void)ipc;
	if (fd < 0)
		return !ipc_is_shortage(-errno);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= FIRST_SIZE) {
		book = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		done = book != MAP_FAILED && recover_book(book, (size_t)st.st_size);
		if (book != MAP_FAILED)
			munmap(book, (size_t)st.st_size);
	}
	close(fd);
	return done;
}

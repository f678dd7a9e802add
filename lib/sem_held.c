#include "sem_held.h"

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

#include "rundir.h"
#include "sem_file.h"

#define FILE_NAME "held"
#define MAGIC "ipcfs-1"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

enum { FIRST_SIZE = 4096, BOOT_SIZE = 40 };

struct place {
	uint64_t dev, ino; /* ino 0: free */
	atomic_uint mark;
};

/* What the file holds. The numbers in it mean nothing after a reboot, and a directory in /tmp may outlive one. */
struct book {
	char magic[8];
	char boot[BOOT_SIZE];
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

static void boot_id(char *id)
{
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);

	memset(id, 0, BOOT_SIZE);
	if (fd >= 0) {
		if (read(fd, id, BOOT_SIZE - 1) < 0)
			id[0] = '\0';
		close(fd);
	}
}

struct sem_held *sem_held_new(const char *mountpoint, bool shared)
{
	struct sem_held *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	held->fd = -1;
	held->rd = ipc_rundir_new(mountpoint, shared);
	if (held->rd)
		return held;
	free(held);
	return NULL;
}

void sem_held_free(struct sem_held *held)
{
	if (!held)
		return;
	if (held->book)
		munmap(held->book, held->size);
	if (held->fd >= 0)
		close(held->fd);
	ipc_rundir_free(held->rd);
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
	int r;

	if (dir < 0)
		return dir;
	if (held->fd < 0)
		held->fd = openat(dir, FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = held->fd < 0 ? -errno : held_grow(held, FIRST_SIZE);
	if (!held->book) {
		snprintf(why, why_size, "the record of held permits cannot be made: %s", strerror(-r));
		return r < 0 ? r : -EIO;
	}
	boot_id(held->book->boot);
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
	held->book->places[place].ino = 0;
	if (place < held->lowest)
		held->lowest = place;
}

atomic_uint *sem_held_mark(struct sem_held *held, int place)
{
	return &held->book->places[place].mark;
}

/* Takes the marks of that file's permits away; returns how many there were. */
static unsigned recover_marks(struct place *places, size_t count, const struct stat *st)
{
	unsigned permits = 0;

	for (size_t i = 0; i < count; i++)
		if (places[i].ino == st->st_ino && places[i].dev == st->st_dev)
			permits += atomic_exchange(&places[i].mark, 0) == 1;
	return permits;
}

/* By number: the file may have another name by now, and another file its name. */
static void recover_file(int dir, const char *name, struct place *places, size_t count)
{
	struct stat st;
	int fd = sem_file_open(dir, name, &st);
	unsigned permits;
	sem_t *sem;

	if (fd < 0)
		return;
	permits = recover_marks(places, count, &st);
	if (permits && sem_file_map(fd, &sem) == 0) {
		sem_file_post(sem, permits);
		sem_file_unmap(sem);
	}
	close(fd);
}

static void recover_all(struct place *places, size_t count)
{
	DIR *list = opendir(SEM_FILE_DIR);
	struct dirent *e;

	if (!list)
		return;
	while ((e = readdir(list)))
		if (strncmp(e->d_name, SEM_FILE_LEAD, strlen(SEM_FILE_LEAD)) == 0)
			recover_file(dirfd(list), e->d_name, places, count);
	closedir(list);
}

void sem_held_recover(int rundir)
{
	int fd = openat(rundir, FILE_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	char boot[BOOT_SIZE];
	struct stat st;
	struct book *book;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= FIRST_SIZE) {
		book = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		boot_id(boot);
		if (book != MAP_FAILED) {
			if (memcmp(book->magic, MAGIC, sizeof(MAGIC)) == 0 &&
			    memcmp(book->boot, boot, sizeof(boot)) == 0)
				recover_all(book->places, places_in((size_t)st.st_size));
			munmap(book, (size_t)st.st_size);
		}
	}
	close(fd);
}

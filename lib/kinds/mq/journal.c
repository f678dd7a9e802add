#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/proc.h"
#include "base/sys.h"
#include "core/rundir.h"

#define LEAD IPC_RUNDIR_KEEP "mq-"
#define MAGIC "ipcmq-1"

/* PAD is in no UTF-8 text. */
enum { PAD = 0xc1, NO_PRIO = -1, HEAD_SIZE = 4096, GROWTH = 256 << 10, SLOT_ALIGN = 64, NONE = -1 };

struct head {
	char magic[8];
	char boot[IPC_BOOT_SIZE]; /* numbers and queues mean nothing after a reboot */
	uint64_t dev, ino, msgsize, slot_size;
	char name[NAME_MAX + 1];
};

struct mq_journal {
	int dir, fd; /* dir: the runtime directory's, not ours */
	char file[32];
	struct head *map;
	size_t size; /* of the mapping */
	int slots, used;
	int64_t free; /* the first free slot, whose seq is the next one; or NONE */
};

static size_t slot_size(size_t msgsize)
{
	return (sizeof(struct mq_slot) + msgsize + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
}

static struct mq_slot *slot_at(struct head *map, size_t i)
{
	return (struct mq_slot *)((char *)map + HEAD_SIZE + i * map->slot_size);
}

struct mq_slot *mq_journal_slot(const struct mq_journal *j, int slot)
{
	return slot_at(j->map, (size_t)slot);
}

/*
 * The space is taken from the file system now: where there is none, a store would be a SIGBUS. And the pages are
 * touched now: the kernel's copy of a message must not have to wait for one, where a kill would end it halfway.
 */
static int journal_grow(struct mq_journal *j, size_t size)
{
	int err = posix_fallocate(j->fd, 0, (off_t)size);
	void *map;

	if (err)
		return -err;
	map = j->map ? mremap(j->map, j->size, size, MREMAP_MAYMOVE)
		     : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, j->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	j->map = map;
	j->size = size;
	return 0;
}

static int journal_add_slots(struct mq_journal *j)
{
	size_t each = j->map->slot_size;
	int more = each < GROWTH ? (int)(GROWTH / each) : 1;
	int r = journal_grow(j, j->size + (size_t)more * each);

	if (r < 0)
		return r;
	for (int i = j->slots + more - 1; i >= j->slots; i--) {
		struct mq_slot *slot = mq_journal_slot(j, i);

		memset(slot->body, PAD, j->map->msgsize);
		slot->seq = (uint64_t)j->free;
		j->free = i;
	}
	j->slots += more;
	return 0;
}

static int journal_open(struct mq_journal *j, const struct mq_queue_id *id)
{
	char boot[IPC_BOOT_SIZE];
	int r = ipc_boot_id(boot);

	if (r < 0)
		return r;
	snprintf(j->file, sizeof(j->file), LEAD "%llu", (unsigned long long)id->ino);
	j->fd = openat(j->dir, j->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return -errno;
	r = journal_grow(j, HEAD_SIZE);
	if (r < 0)
		return r;
	j->map->dev = id->dev;
	j->map->ino = id->ino;
	j->map->msgsize = id->msgsize;
	j->map->slot_size = slot_size(id->msgsize);
	snprintf(j->map->name, sizeof(j->map->name), "%s", id->name);
	memcpy(j->map->boot, boot, sizeof(boot));
	memcpy(j->map->magic, MAGIC, sizeof(MAGIC));
	return 0;
}

struct mq_journal *mq_journal_new(int dir, const struct mq_queue_id *id, char *why, size_t why_size)
{
	struct mq_journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return NULL;
	j->dir = dir;
	j->fd = -1;
	j->free = NONE;
	r = journal_open(j, id);
	if (r == 0)
		return j;
	snprintf(why, why_size, "the journal of owed messages cannot be made: %s", strerror(-r));
	mq_journal_free(j);
	errno = -r;
	return NULL;
}

void mq_journal_free(struct mq_journal *j)
{
	if (!j)
		return;
	if (j->map)
		munmap(j->map, j->size);
	if (j->fd >= 0) {
		close(j->fd);
		if (!j->used)
			unlinkat(j->dir, j->file, 0);
	}
	free(j);
}

int mq_journal_reserve(struct mq_journal *j, char *why, size_t why_size)
{
	int r = j->free == NONE ? journal_add_slots(j) : 0;
	int i = (int)j->free;

	if (r < 0) {
		snprintf(why, why_size, "the journal of owed messages cannot grow: %s", strerror(-r));
		return r;
	}
	j->free = (int64_t)mq_journal_slot(j, i)->seq;
	j->used++;
	return i;
}

void mq_journal_release(struct mq_journal *j, int i)
{
	struct mq_slot *slot = mq_journal_slot(j, i);

	atomic_store(&slot->state, MQ_FREE);
	memset(slot->body, PAD, slot->len);
	slot->len = 0;
	slot->seq = (uint64_t)j->free;
	j->free = i;
	j->used--;
}

ssize_t mq_journal_receive(struct mq_journal *j, int i, mqd_t queue)
{
	struct mq_slot *slot = mq_journal_slot(j, i);
	ssize_t n;

	slot->prio = (unsigned)NO_PRIO;
	slot->deliveries = 0;
	atomic_store(&slot->state, MQ_RECEIVING);
	n = IPC_RETRY(mq_receive(queue, slot->body, j->map->msgsize, &slot->prio));
	if (n < 0) {
		atomic_store(&slot->state, MQ_FREE);
		return n;
	}
	slot->len = (uint64_t)n;
	return n;
}

/* --- what a crash left --- */

/* A receive that the kernel had done with, but we had not. False: it had not. */
static bool slot_has_landed(struct mq_slot *slot, size_t msgsize)
{
	size_t n = msgsize;

	if (slot->prio == (unsigned)NO_PRIO)
		return false;
	slot->seq = 0;
	if (slot->len)
		return true;
	while (n && (unsigned char)slot->body[n - 1] == PAD)
		n--;
	slot->len = n;
	return true;
}

static bool slot_is_used(struct mq_slot *slot, const struct head *head)
{
	unsigned state = atomic_load(&slot->state);

	if (state == MQ_RECEIVING && slot_has_landed(slot, head->msgsize)) {
		atomic_store(&slot->state, MQ_OWED);
		return true;
	}
	return (state == MQ_OWED || state == MQ_BACK || state == MQ_PUSHED) && slot->len <= head->msgsize;
}

static bool head_is_sound(const struct head *head)
{
	return memcmp(head->magic, MAGIC, sizeof(MAGIC)) == 0 && head->slot_size == slot_size(head->msgsize) &&
	       memchr(head->name, '\0', sizeof(head->name));
}

/* Returns 0 when the file is done with. */
static int recover_map(struct head *head, size_t size,
		       int (*fn)(void *, const struct mq_queue_id *, struct mq_slot *const[], size_t), void *arg)
{
	size_t count = 0, slots;
	char boot[IPC_BOOT_SIZE];
	struct mq_slot **used;
	int r;

	if (!head_is_sound(head))
		return 0;
	r = ipc_boot_id(boot);
	if (r < 0 || memcmp(boot, head->boot, sizeof(boot)) != 0)
		return r;
	slots = (size - HEAD_SIZE) / head->slot_size;
	used = calloc(slots + 1, sizeof(struct mq_slot *));
	if (!used)
		return -ENOMEM;
	for (size_t i = 0; i < slots; i++)
		if (slot_is_used(slot_at(head, i), head))
			used[count++] = slot_at(head, i);
	struct mq_queue_id id = {head->name, head->dev, head->ino, head->msgsize};

	r = count ? fn(arg, &id, used, count) : 0;
	free(used);
	return r;
}

/* Returns 0 when the file is done with. */
static int recover_file(int dir, const char *name,
			int (*fn)(void *, const struct mq_queue_id *, struct mq_slot *const[], size_t), void *arg)
{
	int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	void *map;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (S_ISREG(st.st_mode) && st.st_size >= HEAD_SIZE) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		r = map == MAP_FAILED ? -errno : recover_map(map, (size_t)st.st_size, fn, arg);
		if (map != MAP_FAILED)
			munmap(map, (size_t)st.st_size);
	}
	close(fd);
	return r;
}

bool mq_journal_recover(int dir,
			int (*fn)(void *arg, const struct mq_queue_id *, struct mq_slot *const slots[], size_t count),
			void *arg)
{
	struct dirent *e;
	bool all = true;
	DIR *list;

	if (ipc_directory_read(dir, &list) < 0)
		return false;
	while ((e = readdir(list))) {
		if (strncmp(e->d_name, LEAD, strlen(LEAD)) != 0)
			continue;
		if (recover_file(dir, e->d_name, fn, arg) == 0)
			unlinkat(dir, e->d_name, 0);
		else
			all = false;
	}
	closedir(list);
	return all;
}

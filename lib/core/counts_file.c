/*
 * The file of records. It grows by chunks, each mapped by itself and for good, as counters are used where they are. It
 * is locked for as long as its instance lives; then the next one at the same mount point takes over what is in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/sys.h"
#include "counts_book.h"
#include "instance.h"
#include "rundir.h"

#define FILE_NAME IPC_RUNDIR_KEEP "counts"
/*
 * The name of a new file until it is locked and has its head: a file with the other name that nobody has locked is
 * taken over by the next instance.
 */
#define NEW_NAME "new-counts"
#define MAGIC "ipcfs-2"

/*
 * Files of other mount points wait for the next instance there: the FOREIGN_MAX that were used last are kept. Many
 * mounts that are started anew at once leave many files, so of those that were used in the last YOUNG_S seconds up to
 * FOREIGN_YOUNG_MAX are kept.
 */
enum { FOREIGN_MAX = 64, FOREIGN_YOUNG_MAX = 256, YOUNG_S = 600 };
/* How often, and with which pauses, the file of the instance before us is looked at, should that be ending still. */
enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 5 };

/* In front of the records. The numbers in them mean nothing after a reboot, and a directory in /tmp may outlive one. */
struct head {
	char magic[8];
	char boot[IPC_BOOT_SIZE];
	uint32_t record_size;
	char mountpoint[PATH_MAX];
};

enum { PAGE_MAX = 65536, HEAD_SIZE = PAGE_MAX, CHUNK_SIZE = IPC_BOOK_CHUNK * sizeof(struct ipc_record) };
_Static_assert(sizeof(struct head) <= HEAD_SIZE, "the records begin behind it");
_Static_assert(CHUNK_SIZE % PAGE_MAX == 0, "chunks are whole pages of any size");

static int head_write(int fd, const char *mountpoint)
{
	struct head head = {.magic = MAGIC, .record_size = sizeof(struct ipc_record)};
	int r = ipc_boot_id(head.boot);

	if (r < 0 || strlen(mountpoint) >= sizeof(head.mountpoint))
		return r < 0 ? r : -ENAMETOOLONG;
	memcpy(head.mountpoint, mountpoint, strlen(mountpoint));
	return pwrite(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) ? 0 : -EIO;
}

static int file_make(struct ipc_book *book)
{
	char why[256];
	int dir = ipc_rundir_open(book->ipc->rundir, why, sizeof(why));
	int r;

	if (dir < 0)
		return dir;
	book->fd = openat(dir, NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (book->fd < 0)
		return -errno;
	book->length = HEAD_SIZE;
	r = flock(book->fd, LOCK_EX | LOCK_NB) < 0 ? -errno : head_write(book->fd, book->ipc->opt.mountpoint);
	if (r == 0 && renameat(dir, NEW_NAME, dir, FILE_NAME) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir, NEW_NAME, 0);
		close(book->fd);
		book->fd = -1;
	}
	return r;
}

/* Has the file system give the space now: were there none left later, a store into the mapping would be a SIGBUS. */
static bool space_take(int fd, size_t at)
{
	int err;

	do
		err = posix_fallocate(fd, (off_t)at, CHUNK_SIZE);
	while (err == EINTR);
	return err == 0;
}

/* NULL: there is no space. */
static void *chunk_map(struct ipc_book *book)
{
	void *map;

	if (book->no_file || (book->fd < 0 && file_make(book) < 0) || !space_take(book->fd, book->length))
		return NULL;
	map = mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, book->fd, (off_t)book->length);
	if (map == MAP_FAILED)
		return NULL;
	book->length += CHUNK_SIZE;
	return map;
}

/* Where the file cannot grow, the records are in memory, and end with us. */
int ipc_book_grow(struct ipc_book *book)
{
	struct ipc_book_chunk *chunk = book->free ? NULL : calloc(1, sizeof(*chunk));

	if (book->free)
		return 0;
	if (!chunk)
		return -ENOMEM;
	chunk->records = chunk_map(book);
	chunk->mapped = chunk->records != NULL;
	if (!chunk->mapped) {
		book->no_file = true;
		chunk->records = calloc(IPC_BOOK_CHUNK, sizeof(struct ipc_record));
	}
	if (!chunk->records) {
		free(chunk);
		return -ENOMEM;
	}
	chunk->next = book->chunks;
	book->chunks = chunk;
	for (size_t i = IPC_BOOK_CHUNK; i-- > 0;) {
		chunk->records[i].next = book->free;
		book->free = &chunk->records[i];
	}
	return 0;
}

/* The file stays, for the next instance, if it says anything. */
void ipc_book_free(struct ipc_book *book)
{
	char why[256];

	if (!book)
		return;
	ipc_sweep_free(book);
	if (book->fd >= 0 && !book->used)
		unlinkat(ipc_rundir_open(book->ipc->rundir, why, sizeof(why)), FILE_NAME, 0);
	if (book->fd >= 0) {
		futimens(book->fd, NULL); /* stores into a mapping leave the time as it is */
		close(book->fd);
	}
	while (book->chunks) {
		struct ipc_book_chunk *chunk = book->chunks;

		book->chunks = chunk->next;
		if (chunk->mapped)
			munmap(chunk->records, CHUNK_SIZE);
		else
			free(chunk->records);
		free(chunk);
	}
	tdestroy(book->owners, free);
	free(book->buckets);
	free(book);
}

/* --- taking over --- */

static void counts_raise(uint64_t *to, uint64_t from)
{
	if (*to < from)
		*to = from;
}

/* An instance that was killed while it took records over has left some of them in both files. */
static void record_take_over(struct ipc_book *book, const struct ipc_record *old)
{
	struct ipc_record *record;
	char kind[sizeof(old->kind)];
	bool known;

	if (!old->ino || old->gone)
		return;
	memcpy(kind, old->kind, sizeof(kind));
	kind[sizeof(kind) - 1] = '\0';
	record = ipc_book_find(book, kind, old->place, old->ino);
	known = record != NULL;
	if (!known && ipc_book_grow(book) == 0)
		record = ipc_book_add(book, kind, old->place, old->ino);
	if (!record)
		return;
	counts_raise(&record->counts.in_messages, old->counts.in_messages);
	counts_raise(&record->counts.in_bytes, old->counts.in_bytes);
	counts_raise(&record->counts.out_messages, old->counts.out_messages);
	counts_raise(&record->counts.out_bytes, old->counts.out_bytes);
	counts_raise(&record->counts.back_messages, old->counts.back_messages);
	counts_raise(&record->counts.back_bytes, old->counts.back_bytes);
	counts_raise(&record->counts.lent, old->counts.lent);
	if (old->counts.since < record->counts.since)
		record->counts.since = old->counts.since;
	if (!known)
		ipc_book_lay_down(book, record, old->owner);
}

static bool head_read(int fd, struct head *head)
{
	char boot[IPC_BOOT_SIZE];

	return pread(fd, head, sizeof(*head), 0) == (ssize_t)sizeof(*head) &&
	       memcmp(head->magic, MAGIC, sizeof(MAGIC)) == 0 && head->record_size == sizeof(struct ipc_record) &&
	       ipc_boot_id(boot) == 0 && memcmp(head->boot, boot, sizeof(boot)) == 0;
}

static void file_take_over(struct ipc_book *book, int fd)
{
	struct ipc_record records[IPC_BOOK_CHUNK / 8];
	off_t at = HEAD_SIZE;
	ssize_t n;

	while ((n = IPC_RETRY(pread(fd, records, sizeof(records), at))) >= (ssize_t)sizeof(records[0])) {
		size_t count = (size_t)n / sizeof(records[0]);

		for (size_t i = 0; i < count; i++)
			record_take_over(book, &records[i]);
		at += (off_t)(count * sizeof(records[0]));
	}
}

/* The kernel may close the last descriptors of a process that was killed some milliseconds after its end. */
static bool file_lock(int fd, bool ours)
{
	for (int tries = ours ? LOCK_TRIES : 1; tries; tries--) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK)
			return false;
		if (tries > 1)
			poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return false;
}

/* --- those of other mount points --- */

static const int64_t S = 1000000000;

/* When each was of use last, in ns since 1970. */
struct foreign {
	struct ipc_book *book;
	int64_t *time;
	size_t count, room;
	int64_t oldest; /* that stays */
};

static int64_t file_time(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_mtim.tv_sec * S + st.st_mtim.tv_nsec;
}

static void foreign_note(struct foreign *foreign, int fd)
{
	if (foreign->count == foreign->room) {
		size_t room = foreign->room ? 2 * foreign->room : FOREIGN_MAX;
		int64_t *more = reallocarray(foreign->time, room, sizeof(*more));

		if (!more)
			return;
		foreign->time = more;
		foreign->room = room;
	}
	foreign->time[foreign->count++] = file_time(fd);
}

static int newest_first(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

static int64_t oldest_to_stay(struct foreign *foreign)
{
	struct timespec now;
	int64_t young, oldest;

	qsort(foreign->time, foreign->count, sizeof(*foreign->time), newest_first);
	clock_gettime(CLOCK_REALTIME, &now);
	young = (now.tv_sec - YOUNG_S) * S;
	oldest = foreign->time[FOREIGN_MAX - 1];
	if (oldest > young)
		oldest = young;
	if (foreign->count > FOREIGN_YOUNG_MAX && oldest < foreign->time[FOREIGN_YOUNG_MAX - 1])
		oldest = foreign->time[FOREIGN_YOUNG_MAX - 1];
	return oldest;
}

static int file_open(int dir)
{
	return openat(dir, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/*
 * The file of an instance that lives is marked as used just now: should that instance be killed, its file is not an old
 * one.
 */
static void recover(void *arg, int dir)
{
	struct foreign *foreign = arg;
	struct ipc_book *book = foreign->book;
	int fd = file_open(dir);
	struct head head;
	bool sound, ours;

	if (fd < 0)
		return;
	sound = head_read(fd, &head);
	ours = sound && strncmp(head.mountpoint, book->ipc->opt.mountpoint, sizeof(head.mountpoint)) == 0;
	if (!file_lock(fd, ours)) {
		futimens(fd, NULL);
	} else {
		if (ours)
			file_take_over(book, fd);
		if (ours || !sound)
			unlinkat(dir, FILE_NAME, 0);
		else
			foreign_note(foreign, fd);
	}
	close(fd);
}

static void old_remove(void *arg, int dir)
{
	const struct foreign *foreign = arg;
	int fd = file_open(dir);

	if (fd < 0)
		return;
	if (file_lock(fd, false) && file_time(fd) < foreign->oldest)
		unlinkat(dir, FILE_NAME, 0);
	close(fd);
}

void ipc_book_recover(struct ipc *ipc)
{
	struct foreign foreign = {.book = ipc->book};

	if (ipc->book->no_file)
		return;
	ipc_rundir_each(ipc->rundir, recover, &foreign);
	if (foreign.count > FOREIGN_MAX) {
		foreign.oldest = oldest_to_stay(&foreign);
		ipc_rundir_each(ipc->rundir, old_remove, &foreign);
	}
	free(foreign.time);
}

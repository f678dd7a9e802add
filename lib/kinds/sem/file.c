#include "file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/futex.h"
#include "base/guard.h"
#include "kinds/shmdir.h"

#if !defined(__GLIBC__) || __WORDSIZE != 64
#error "Waiting for a semaphore needs to know its insides, and these are glibc's with 64 bits."
#endif

/*
 * glibc's struct new_sem (sysdeps/nptl/internaltypes.h), the same since 2.21: it is the format of the files in
 * /dev/shm.
 */
struct sem_words {
	uint64_t data; /* the value, and from bit 32 on how many wait */
	int32_t shared;
	int32_t pad;
};
_Static_assert(sizeof(struct sem_words) <= sizeof(sem_t), "this is not the sem_t that we know");

enum { WAITERS_SHIFT = 32, SHARED = 128 /* FUTEX_SHARED of glibc's lowlevellock-futex.h */ };
#define ONE_WAITER ((uint64_t)1 << WAITERS_SHIFT)

struct access {
	sem_t *sem;
	unsigned n;
	atomic_uint *mark;
};

static struct sem_words *words_of(const sem_t *sem)
{
	return (struct sem_words *)(void *)sem;
}

static uint64_t load(const sem_t *sem)
{
	return __atomic_load_n(&words_of(sem)->data, __ATOMIC_SEQ_CST);
}

const uint32_t *sem_file_word(const sem_t *sem)
{
	return (const uint32_t *)(const void *)sem + (__BYTE_ORDER == __BIG_ENDIAN);
}

static bool is_sound(const sem_t *sem)
{
	return (uint32_t)load(sem) <= SEM_VALUE_MAX && words_of(sem)->shared == SHARED;
}

static int touch(long (*access)(void *), sem_t *sem, unsigned n, atomic_uint *mark)
{
	struct access a = {sem, n, mark};

	return (int)ipc_guard(access, &a);
}

static long access_value(void *arg)
{
	const struct access *a = arg;

	return is_sound(a->sem) ? (long)(uint32_t)load(a->sem) : -EINVAL;
}

int sem_file_value(sem_t *sem)
{
	return touch(access_value, sem, 0, NULL);
}

static long access_take(void *arg)
{
	const struct access *a = arg;
	int left;

	if (!is_sound(a->sem))
		return -EINVAL;
	if (sem_trywait(a->sem) < 0)
		return -errno;
	if (a->mark)
		atomic_store(a->mark, 1);
	sem_getvalue(a->sem, &left);
	return left;
}

int sem_file_take(sem_t *sem, atomic_uint *mark)
{
	return touch(access_take, sem, 0, mark);
}

/* sem_post(3) knows only one at a time, and others could see, or spoil, what is half done. */
static long access_post_many(void *arg)
{
	const struct access *a = arg;
	uint64_t data = load(a->sem), waiters;

	if (!is_sound(a->sem))
		return -EINVAL;
	do {
		if (SEM_VALUE_MAX - (uint32_t)data < a->n)
			return -EOVERFLOW;
	} while (!__atomic_compare_exchange_n(&words_of(a->sem)->data, &data, data + a->n, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	waiters = data >> WAITERS_SHIFT;
	if (waiters)
		ipc_futex_wake(sem_file_word(a->sem), a->n < waiters ? a->n : (unsigned)waiters);
	return 0;
}

static long access_post(void *arg)
{
	const struct access *a = arg;

	if (!is_sound(a->sem))
		return -EINVAL;
	return sem_post(a->sem) < 0 ? -errno : 0;
}

int sem_file_post(sem_t *sem, unsigned n)
{
	return touch(n == 1 ? access_post : access_post_many, sem, n, NULL);
}

static long access_join(void *arg)
{
	const struct access *a = arg;

	__atomic_fetch_add(&words_of(a->sem)->data, ONE_WAITER, __ATOMIC_SEQ_CST);
	return 0;
}

int sem_file_join(sem_t *sem)
{
	return touch(access_join, sem, 0, NULL);
}

static long access_pass_on(void *arg)
{
	const struct access *a = arg;
	uint64_t data = load(a->sem);

	if ((uint32_t)data && data >> WAITERS_SHIFT)
		ipc_futex_wake(sem_file_word(a->sem), 1);
	return 0;
}

void sem_file_pass_on(sem_t *sem)
{
	touch(access_pass_on, sem, 0, NULL);
}

static long access_leave(void *arg)
{
	const struct access *a = arg;
	uint64_t data = load(a->sem);

	/* Whoever wiped the file has uncounted us already. */
	while (data >> WAITERS_SHIFT && !__atomic_compare_exchange_n(&words_of(a->sem)->data, &data, data - ONE_WAITER,
								     true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return access_pass_on(arg);
}

void sem_file_leave(sem_t *sem)
{
	touch(access_leave, sem, 0, NULL);
}

/*
 * --- files ---------------------------------------------------------------------------------------------------------
 */

static int file_outfit(int fd, void *arg)
{
	const unsigned *value = arg;
	sem_t sem;
	ssize_t n;

	memset(&sem, 0, sizeof(sem));
	sem_init(&sem, 1, *value);
	n = IPC_RETRY(pwrite(fd, &sem, sizeof(sem), 0));
	if (n == (ssize_t)sizeof(sem))
		return 0;
	return n < 0 ? (int)n : -ENOSPC;
}

int sem_file_create(int dir, const char *name, const struct ipc_cred *cred, mode_t mode, unsigned value)
{
	return ipc_shmdir_create(dir, name, cred, mode, file_outfit, &value);
}

/* Non-blocking: opening must not wait, whatever stands there. Returns the descriptor, or -errno. */
static int file_open(int dir, const char *name, int flags, struct stat *st)
{
	int fd = (int)IPC_RETRY(openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
	int r = 0;

	if (fd < 0)
		return ipc_shmdir_error(-fd);
	if (fstat(fd, st) < 0)
		r = -errno;
	else if (!S_ISREG(st->st_mode))
		r = -ENOENT;
	else if (st->st_size != (off_t)sizeof(sem_t))
		r = -EINVAL;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int sem_file_open_to_read(int dir, const char *name, struct stat *st)
{
	return file_open(dir, name, O_RDONLY, st);
}

int sem_file_read(int fd)
{
	sem_t sem;
	ssize_t n = IPC_RETRY(pread(fd, &sem, sizeof(sem), 0));

	return n == (ssize_t)sizeof(sem) && is_sound(&sem) ? (int)(uint32_t)load(&sem) : -EINVAL;
}

int sem_file_peek(int dir, const char *name, ino_t ino)
{
	struct stat st;
	int fd = sem_file_open_to_read(dir, name, &st);
	int r;

	if (fd < 0)
		return fd;
	r = ino && st.st_ino != ino ? -ESTALE : sem_file_read(fd);
	close(fd);
	return r;
}

int sem_file_open(int dir, const char *name, struct stat *st)
{
	return file_open(dir, name, O_RDWR, st);
}

static int file_map(int fd, int prot, sem_t **sem)
{
	void *map = mmap(NULL, sizeof(sem_t), prot, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	*sem = map;
	if (sem_file_value(*sem) >= 0)
		return 0;
	sem_file_unmap(*sem);
	return -EINVAL;
}

int sem_file_map(int fd, sem_t **sem)
{
	return file_map(fd, PROT_READ | PROT_WRITE, sem);
}

int sem_file_map_to_read(int fd, sem_t **sem)
{
	return file_map(fd, PROT_READ, sem);
}

void sem_file_unmap(sem_t *sem)
{
	munmap(sem, sizeof(*sem));
}

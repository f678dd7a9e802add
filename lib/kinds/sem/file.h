/*
 * A named semaphore as glibc has it: a file in /dev/shm that holds a sem_t, sem_overview(7). `dir` is a descriptor of
 * that directory (shmdir.h), `name` the file's name there, SEM_FILE_LEAD included.
 *
 * Other programs may truncate the file or fill it with anything. Whatever touches the mapping says -EFAULT if it is
 * gone and -EINVAL if it holds no semaphore.
 */
#ifndef IPC_SEM_FILE_H
#define IPC_SEM_FILE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ipc.h"

#define SEM_FILE_LEAD "sem."

/* Makes it, the caller's, whole from the moment that it has its name. -EEXIST. */
int sem_file_create(int dir, const char *name, const struct ipc_cred *, mode_t mode, unsigned value);
/* The value, without mapping the file. Or -errno, -EINVAL if its size is wrong, -ESTALE if it is not `ino` (0: any). */
int sem_file_peek(int dir, const char *name, ino_t ino);

/* The same in parts: a descriptor, or -errno; its value; its mapping. */
int sem_file_open_to_read(int dir, const char *name, struct stat *st);
int sem_file_read(int fd);
int sem_file_map_to_read(int fd, sem_t **);

/*
 * Opens it as sem_open(3) does, to read and to write. Returns a descriptor; -ENOENT; -EINVAL with st if its size is
 * wrong.
 */
int sem_file_open(int dir, const char *name, struct stat *st);
/* Maps it; -EINVAL if it holds no semaphore. Unmap it with sem_file_unmap(). */
int sem_file_map(int fd, sem_t **);
void sem_file_unmap(sem_t *);

int sem_file_value(sem_t *);
/*
 * sem_trywait(3). Returns the value left, or -EAGAIN. *mark (NULL: none) is set at once when a permit has been taken.
 */
int sem_file_take(sem_t *, atomic_uint *mark);
/* sem_post(3) n times, or not at all: -EOVERFLOW. */
int sem_file_post(sem_t *, unsigned n);

/*
 * For those who wait on their own: the word that is 0 as long as there is nothing to take; to be counted among those
 * whom a post must wake; and not to be counted any more, which hands a wake-up on that may have been meant for us.
 */
const uint32_t *sem_file_word(const sem_t *);
int sem_file_join(sem_t *);
void sem_file_leave(sem_t *);
/* If there are permits and others who wait for them, wakes one. */
void sem_file_pass_on(sem_t *);

#endif

/* The semaphore of a test, as files and native programs see it: what mount/sem.c and mount/sem_hold.c share. */
#ifndef TESTS_MOUNT_SEMAPHORE_H
#define TESTS_MOUNT_SEMAPHORE_H

#include <semaphore.h>

#include "harness.h"

/* Its path in M, with these facets. It need not exist. Scripts have the plain one as $S. */
char *sem_path(const char *facets);
/* Its file in /dev/shm. */
char *sem_file(void);
/* Makes it through the mount. */
void sem_make(const char *facets);
/* By sem_open(3), which makes it where there is none. */
sem_t *sem_native(void);
/* Its value by sem_getvalue(3). */
int sem_now(void);
/* The same as the mount has it, which answers behind what was closed before. */
int sem_seen(void);
/* Waits until so many opens and reads of it wait. */
void sem_await_waiters(long count);

#endif

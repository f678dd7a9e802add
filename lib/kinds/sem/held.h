/*
 * The permits that open files hold, written down where a crash leaves them to be found: a file of its own in the
 * instance's runtime directory (rundir.h), mapped, so that writing one down is one store.
 *
 * A permit is marked right after it was taken and unmarked right before it is given back. A daemon that is killed in
 * exactly these few instructions loses that permit; none is ever given back twice.
 */
#ifndef IPC_SEM_HELD_H
#define IPC_SEM_HELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct ipc_rundir;
struct ipc;
struct sem_held;

/*
 * In that directory, which stays the caller's. The file is made when it is first wanted. Returns NULL when out of
 * memory.
 */
struct sem_held *sem_held_new(struct ipc_rundir *);
/* Accepts NULL. */
void sem_held_free(struct sem_held *);

/*
 * A place for a permit of the semaphore whose file that is, or -errno with a line in why. Taken before the permit, so
 * that nothing can fail after. release: the place is unmarked.
 */
int sem_held_reserve(struct sem_held *, dev_t, ino_t, char *why, size_t why_size);
void sem_held_release(struct sem_held *, int place);
/* 1: held, 0: not. Valid until the next reserve. */
atomic_uint *sem_held_mark(struct sem_held *, int place);

/*
 * Gives back what a crash left marked in that runtime directory, which must be locked. False: there was too little
 * memory, or too few descriptors, and somebody must come again before the directory may go.
 */
bool sem_held_recover(struct ipc *, int rundir);

#endif

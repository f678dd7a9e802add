/* What a thread is doing just now, as /proc tells. */
#ifndef IPC_THREAD_H
#define IPC_THREAD_H

#include <stdbool.h>
#include <sys/types.h>

struct ipc_thread {
	char state;	  /* of proc_pid_stat(5): 'D' sleeps and cannot be woken, 'Z' is over */
	bool ending;	  /* a signal that ends a process by default is on its way to it */
	unsigned threads; /* of its process */
};

/* False: it cannot be seen. May wait while the process is in an execve(2) that closes files. */
bool ipc_thread_read(pid_t, struct ipc_thread *);
/*
 * The number of the system call in which it sleeps, and its first argument; -1: in none, or we may not see it. May wait
 * in the same way.
 */
long ipc_thread_call(pid_t, unsigned long *argument);
/* Whether it sleeps in a function of the kernel whose name has that in it. Never waits. */
bool ipc_thread_sleeps_in(pid_t, const char *function);
/* Whether it is certain that it has started no process that runs still. */
bool ipc_thread_is_childless(pid_t);

#endif

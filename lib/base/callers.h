/*
 * What /proc says of those who come again and again. It is read anew each time, as a thread can enter another namespace
 * or another group at any moment, but by a descriptor that stays open: to walk the path takes as long as to read.
 *
 * A descriptor means the thread, and not its number: when the thread has ended, reading fails, and who has its number
 * by then is looked for by the path. While it is open the PID namespace of the thread lives on: so all are closed after
 * a tenth of a second at the latest.
 */
#ifndef IPC_CALLERS_H
#define IPC_CALLERS_H

#include <sys/types.h>

struct ipc_loop;

/*
 * For the thread that calls start, the loop's, and for no other: helpers may have a descriptor table of their own.
 * Without it each file is read by its path. end closes what is open.
 */
void ipc_callers_start(struct ipc_loop *);
void ipc_callers_end(void);

/* readlink(2) of /proc/THREAD/ns/user: its length without a '\0', or -1 with errno. */
ssize_t ipc_caller_userns(pid_t thread, char *text, size_t size);
/* The beginning of /proc/THREAD/status, without a '\0': its length, or -1 with errno. */
ssize_t ipc_caller_status(pid_t thread, char *text, size_t size);

#endif

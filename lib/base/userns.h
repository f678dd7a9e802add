/*
 * The link /proc/THREAD/ns/user of those who come again and again. It is read anew each time, as a thread can enter
 * another namespace at any moment, but by a descriptor of the link: to walk its path takes as long as to read it.
 *
 * A descriptor means the thread, and not its number: when the thread has ended, reading fails, and who has its number
 * by then is looked for by the path. It keeps neither the thread nor its namespace.
 */
#ifndef IPC_USERNS_H
#define IPC_USERNS_H

#include <sys/types.h>

/*
 * For the thread that calls start, and for no other: helpers may have a descriptor table of their own. Without it each
 * link is read by its path. end closes what is open.
 */
void ipc_userns_start(void);
void ipc_userns_end(void);

/* As readlink(2) of the thread's link: its length without a '\0', or -1 with errno. */
ssize_t ipc_userns_read(pid_t thread, char *text, size_t size);

#endif

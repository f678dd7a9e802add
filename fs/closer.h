/*
 * Whose close ends an unfinished line. The kernel tells each close of a descriptor (FLUSH, which may wait and report an
 * error) but not which is the last; the last one of all (RELEASE) nobody waits for. A shell's children inherit and close
 * descriptors all the time, and their closing must not cut a line that the shell goes on with. So a line ends at the close by
 * the process that opened the file, when it has no other descriptor of it; or else at the very last close, in the background.
 */
#ifndef FS_CLOSER_H
#define FS_CLOSER_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether the thread `closer` is of the process of the thread `opener`, which has the file `path` open no more. */
bool fs_closer_is_last(pid_t opener, pid_t closer, const char *path);

/*
 * Whether the thread's process is on its way out, closing what it left open. Nothing can wake or kill it any more, so that
 * close must not wait.
 */
bool fs_closer_is_exiting(pid_t closer);

#endif

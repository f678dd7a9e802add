/* Reading a directory that is kept open. */
#ifndef IPC_DIRECTORY_H
#define IPC_DIRECTORY_H

#include <dirent.h>

/*
 * A stream of its own over the directory `fd`, from its beginning; the caller closes it with closedir(3). 0 or -errno.
 */
int ipc_directory_read(int fd, DIR **out);

#endif

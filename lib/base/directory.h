/* Reading a directory that is kept open. */
#ifndef IPC_DIRECTORY_H
#define IPC_DIRECTORY_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The directory `fd` once more, from its beginning, for the caller to close: as a descriptor, or -errno; or as a
 * stream, for closedir(3), and 0 or -errno.
 */
int ipc_directory_open(int fd);
int ipc_directory_read(int fd, DIR **out);

/* As getdents64(2) has it. */
struct ipc_directory_entry {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

/* The next entries of the open directory fd, a few; 1, 0 at its end, or -errno. entry: the one at that byte below len.
 */
struct ipc_directory {
	_Alignas(8) char buf[4096];
	size_t len;
};
int ipc_directory_next(struct ipc_directory *, int fd);
const struct ipc_directory_entry *ipc_directory_entry(const struct ipc_directory *, size_t at);

#endif

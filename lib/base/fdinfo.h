/* What a descriptor of some process is open on. */
#ifndef IPC_FDINFO_H
#define IPC_FDINFO_H

#include <sys/types.h>

/* As proc_pid_fdinfo(5) has it. */
struct ipc_fdinfo {
	ino_t ino;  /* 0: not known */
	int access; /* of O_ACCMODE */
};

/*
 * dir: the process's directory "fd" or "fdinfo" in /proc; fd: an entry of it. 0 or -errno. Does not ask the file's
 * server, which could be ourselves or one that hangs.
 */
int ipc_fdinfo_read(int dir, const char *fd, struct ipc_fdinfo *);

#endif

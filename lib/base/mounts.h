/* The table of mounts, as this process sees it. */
#ifndef IPC_MOUNTS_H
#define IPC_MOUNTS_H

/* A line of proc_pid_mountinfo(5). */
struct ipc_mount {
	char device[32]; /* "MAJOR:MINOR" */
	char at[4096];	 /* where it is */
	char type[64];	 /* "fuse.ipcfs" */
};

#define IPC_MOUNTS_FILE "/proc/self/mountinfo"

/*
 * Calls fn for each, the one on top behind those below it; ends, with what fn returned, where that is not 0. Else 0 or
 * -errno.
 */
int ipc_mounts_each(int (*fn)(void *arg, const struct ipc_mount *), void *arg);

#endif

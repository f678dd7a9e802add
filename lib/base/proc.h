/* What /proc says of a thread, and of this boot. */
#ifndef IPC_PROC_H
#define IPC_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of proc_pid_stat(5). */
struct ipc_proc {
	bool exiting;	   /* PF_EXITING: it is on its way out */
	int status;	   /* the process's, as of wait(2), while exiting */
	bool status_known; /* false: we may not see it, and status means nothing */
	int64_t started;   /* as of ipc_now(), to 10 ms */
};

/* 0 or -errno; -ESRCH for none, and for pid 0. */
int ipc_proc_look(pid_t thread, struct ipc_proc *);

/* The name of a thread, as it has it, whatever bytes; "?" where it cannot be seen. */
void ipc_proc_command(pid_t thread, char *out, size_t size);

/* The process that a thread belongs to; -1 where it cannot be seen. */
pid_t ipc_proc_process(pid_t thread);

enum { IPC_BOOT_SIZE = 40 };
/* A text that no two boots share, zeros behind it; all zeros where there is no /proc. 0 or -errno, for want of descriptors. */
int ipc_boot_id(char id[static IPC_BOOT_SIZE]);

#endif

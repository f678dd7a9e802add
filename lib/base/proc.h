/* What /proc says of a thread, and of this boot. */
#ifndef IPC_PROC_H
#define IPC_PROC_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of proc_pid_stat(5). */
struct ipc_proc {
	bool exiting;	   /* PF_EXITING: it is on its way out */
	int status;	   /* the process's, as of wait(2), while exiting */
	bool status_known; /* false: we may not see it, and status means nothing */
};

/* 0 or -errno; -ESRCH for none, and for pid 0. Never waits. */
int ipc_proc_status(pid_t thread, struct ipc_proc *);
/*
 * When it was started, as of ipc_now(), to 10 ms: 0 or -errno, -EBUSY where the kernel would let us wait for that
 * (started.c). A process from before the machine was suspended may have a negative time.
 */
int ipc_proc_started(pid_t thread, int64_t *started);
/* The same as the kernel has it: since the boot, in clock ticks. */
int ipc_proc_start_ticks(pid_t thread, uint64_t *ticks);
/* Whether it is certain that the number already meant this process then, a time of ipc_now(). */
bool ipc_proc_is_from(pid_t thread, int64_t since);

/* The text of a file of /proc or /sys, as far as there is room, and a '\0': its length, or -errno and "". */
ssize_t ipc_proc_read(const char *path, char *text, size_t size);
/* The same of /proc/THREAD/FILE. */
ssize_t ipc_proc_read_of(pid_t thread, const char *file, char *text, size_t size);

/* The number at the start of such a file; -1: not to be known. */
long ipc_proc_number(const char *path);
/* The directory /proc/THREAD/NAME, or NULL; the caller closes it with closedir(3). */
DIR *ipc_proc_dir(pid_t thread, const char *name);
/* How long a file may become that it writes (RLIMIT_FSIZE); UINT64_MAX: no limit, or not to be seen. */
uint64_t ipc_proc_file_limit(pid_t thread);
/* Bytes of memory that this process has in use. */
long ipc_proc_resident(void);

/* The name of a thread, as it has it, whatever bytes; "?" where it cannot be seen. */
void ipc_proc_command(pid_t thread, char *out, size_t size);

/* How many threads it has; 0 where that cannot be seen. */
unsigned ipc_proc_threads(pid_t process);

/* Of proc_pid_status(5) and proc_pid_stat(5). */
struct ipc_process {
	pid_t tgid;
	uid_t uid;
	gid_t gid;
	unsigned long long start; /* clock ticks since the system booted */
	char state[32];		  /* in a word: "sleeping" */
	bool nested;		  /* in a PID namespace below ours */
};

/*
 * 0; -ENOENT for none, and for a thread that is not its process's first; or -errno, for want of memory or descriptors.
 */
int ipc_process_read(pid_t, struct ipc_process *);
/* The same for any thread, without `start`. */
int ipc_process_read_thread(pid_t, struct ipc_process *);
/* Calls fn for each process; ends, with what fn returned, where that is not 0. Else 0 or -errno. */
int ipc_process_each(int (*fn)(void *arg, pid_t), void *arg);

/*
 * A thread's supplementary groups; none where it is not visible, or does not act as uid: its number is another's by
 * now. Returns how many, with *groups to be freed, or -ENOMEM.
 */
int ipc_proc_groups(pid_t thread, uid_t uid, gid_t **groups);

/* The process that a thread belongs to; -1 where it cannot be seen. */
pid_t ipc_proc_process(pid_t thread);

enum { IPC_BOOT_SIZE = 40 };
/*
 * A text that no two boots share, zeros behind it; all zeros where there is no /proc. 0 or -errno, for want of
 * descriptors.
 */
int ipc_boot_id(char id[static IPC_BOOT_SIZE]);

#endif

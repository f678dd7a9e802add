/*
 * Where a thread lives, compared with where we do: its namespaces, its root directory, and which of our capabilities it
 * has. A few links in /proc tell; nothing here blocks, and nothing keeps a namespace alive (for long: callers.h).
 */
#ifndef IPC_PLACE_H
#define IPC_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	IPC_PLACE_MNT = 1,
	IPC_PLACE_PID = 2,
	IPC_PLACE_NET = 4,
	IPC_PLACE_USER = 8,
	IPC_PLACE_IPC = 16,
	IPC_PLACE_ROOT = 32, /* the root directory; says something only where the mount namespace is ours */
	IPC_PLACE_PATHS = IPC_PLACE_MNT | IPC_PLACE_ROOT,
};

/* Remembers our own place. Before any other call here, and before there are threads. */
void ipc_place_learn(void);

/*
 * Which of the places in `which` are not ours. What cannot be told counts as different: for a thread that is not
 * visible to us (0) or that has ended, for one that we may not look at, and for all where /proc is not that of our own
 * PID namespace.
 */
unsigned ipc_place_differs(pid_t thread, unsigned which);

/*
 * A descriptor of the thread's root directory, open with O_PATH, or -errno. It is for a look along the thread's own
 * paths by openat2(2) with RESOLVE_IN_ROOT, and closed soon: it keeps the thread's mounts busy.
 */
int ipc_place_root(pid_t thread);

/* Whether setgroups(2) is forbidden in our user namespace: user_namespaces(7). */
bool ipc_place_groups_fixed(void);

/*
 * A thread's effective capabilities as bits, as far as they count for what is ours: none where it is in another user
 * namespace, or cannot be seen.
 */
uint64_t ipc_place_caps(pid_t thread);
/* Our own permitted ones. */
uint64_t ipc_own_caps(void);
/* Makes those of our permitted ones that are in `caps` the effective ones of this thread alone. 0 or -errno. */
int ipc_caps_take(uint64_t caps);
/* The same, and gives up all others for good. */
int ipc_caps_keep(uint64_t caps);

/*
 * A process in numbers of another PID namespace, that of `thread`. seen_by: how `thread` sees our process `pid`.
 * meant_by: which process of ours it means by `pid`. Each returns the number, 0 where there is no such process there,
 * or -errno: -EOPNOTSUPP before Linux 6.11, -ESRCH where the thread's own namespace cannot be told.
 */
pid_t ipc_pid_seen_by(pid_t thread, pid_t pid);
/*
 * seen_by() for later, when the thread may be in an execve(2) and hold up whoever looks: of: -1 in *pids where its
 * namespace is ours, or a descriptor for seen_in(); 0 or -errno.
 */
int ipc_pids_of(pid_t thread, int *pids);
pid_t ipc_pid_seen_in(int pids, pid_t pid);
pid_t ipc_pid_meant_by(pid_t thread, pid_t pid);

#endif

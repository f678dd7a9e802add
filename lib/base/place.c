#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "callers.h"
#include "proc.h"

/* Of <linux/nsfs.h>, since Linux 6.11. Both take a process's number as the argument and return one. */
#define NSFS_PID_FROM_PIDNS _IOR(0xb7, 0x6, int)
#define NSFS_PID_IN_PIDNS _IOR(0xb7, 0x8, int)

static const char *const links[] = {"ns/mnt", "ns/pid", "ns/net", "ns/user", "ns/ipc", "root"};

enum { LINKS = sizeof(links) / sizeof(links[0]), LINK_MAX = 256 };

/* Ours; empty: not known, and then nothing is like it. */
static char ours[LINKS][LINK_MAX];

/* False where it cannot be read, or is too long to be told apart from another. */
static bool link_read(pid_t thread, unsigned which, char text[static LINK_MAX])
{
	char path[48];
	ssize_t n;

	if (1u << which == IPC_PLACE_USER) {
		n = ipc_caller_userns(thread, text, LINK_MAX);
	} else {
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)thread, links[which]);
		n = readlink(path, text, LINK_MAX);
	}
	if (n <= 0 || n >= LINK_MAX)
		return false;
	text[n] = '\0';
	return true;
}

/* Whether the numbers in /proc are those of our own PID namespace; a new one without a new /proc sees its parent's. */
static bool proc_is_ours(void)
{
	char text[16] = "";

	return readlink("/proc/self", text, sizeof(text) - 1) > 0 && atoi(text) == (int)getpid();
}

static bool groups_fixed;

void ipc_place_learn(void)
{
	bool usable = proc_is_ours();
	char text[8];

	groups_fixed = ipc_proc_read("/proc/self/setgroups", text, sizeof(text)) > 0 && strncmp(text, "deny", 4) == 0;
	for (unsigned i = 0; i < LINKS; i++)
		if (!usable || !link_read(getpid(), i, ours[i]))
			ours[i][0] = '\0';
}

unsigned ipc_place_differs(pid_t thread, unsigned which)
{
	char text[LINK_MAX];
	unsigned differs = 0;

	for (unsigned i = 0; i < LINKS; i++)
		if ((which & 1u << i) &&
		    (thread <= 0 || !ours[i][0] || !link_read(thread, i, text) || strcmp(text, ours[i]) != 0))
			differs |= 1u << i;
	return differs;
}

int ipc_place_root(pid_t thread)
{
	char path[48];
	int fd;

	if (thread <= 0 || !ours[0][0])
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)thread);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool ipc_place_groups_fixed(void)
{
	return groups_fixed;
}

/* capget(2) of any thread; no capabilities where it fails. */
static void caps_read(pid_t thread, struct __user_cap_data_struct data[static 2])
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, thread};

	memset(data, 0, 2 * sizeof(*data));
	if (syscall(SYS_capget, &header, data) < 0)
		memset(data, 0, 2 * sizeof(*data));
}

uint64_t ipc_place_caps(pid_t thread)
{
	struct __user_cap_data_struct data[2];

	if (thread <= 0 || ipc_place_differs(thread, IPC_PLACE_USER))
		return 0;
	caps_read(thread, data);
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

uint64_t ipc_own_caps(void)
{
	struct __user_cap_data_struct data[2];

	caps_read(0, data);
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

static int caps_set(uint64_t caps, bool for_good)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	caps_read(0, data);
	for (unsigned i = 0; i < 2; i++) {
		data[i].effective = data[i].permitted & (uint32_t)(caps >> (32 * i));
		if (for_good)
			data[i].permitted = data[i].inheritable = data[i].effective;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int ipc_caps_take(uint64_t caps)
{
	return caps_set(caps, false);
}

int ipc_caps_keep(uint64_t caps)
{
	return caps_set(caps, true);
}

static int pids_open(pid_t thread)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)thread);
	fd = thread > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	return fd < 0 ? -ESRCH : fd;
}

int ipc_pids_of(pid_t thread, int *pids)
{
	*pids = -1;
	if (!ipc_place_differs(thread, IPC_PLACE_PID))
		return 0;
	*pids = pids_open(thread);
	return *pids < 0 ? *pids : 0;
}

static pid_t pid_ask(int pids, pid_t pid, unsigned long how)
{
	int r = ioctl(pids, how, (long)pid);

	return r >= 0 ? r : errno == ESRCH ? 0 : errno == ENOTTY ? -EOPNOTSUPP : -errno;
}

pid_t ipc_pid_seen_in(int pids, pid_t pid)
{
	return pid_ask(pids, pid, NSFS_PID_IN_PIDNS);
}

static pid_t pid_translate(pid_t thread, pid_t pid, unsigned long how)
{
	int fd, r;

	if (thread > 0 && pid <= 0)
		return 0;
	fd = pids_open(thread);
	if (fd < 0)
		return fd;
	r = pid_ask(fd, pid, how);
	close(fd);
	return r;
}

pid_t ipc_pid_seen_by(pid_t thread, pid_t pid)
{
	return pid_translate(thread, pid, NSFS_PID_IN_PIDNS);
}

pid_t ipc_pid_meant_by(pid_t thread, pid_t pid)
{
	return pid_translate(thread, pid, NSFS_PID_FROM_PIDNS);
}

#include "reader.h"

#include <string.h>

#include "base/escape.h"
#include "base/place.h"
#include "base/proc.h"
#include "instance.h"

void ipc_reader_enter(struct ipc *ipc, const struct ipc_cred *cred)
{
	ipc->reader = ipc_place_differs(cred->pid, IPC_PLACE_PID) ? cred : NULL;
}

void ipc_reader_leave(struct ipc *ipc)
{
	ipc->reader = NULL;
}

pid_t ipc_reader_pid(const struct ipc *ipc, pid_t pid)
{
	pid_t seen = ipc->reader ? ipc_pid_seen_by(ipc->reader->pid, pid) : pid;

	return seen < 0 ? 0 : seen;
}

void ipc_command(pid_t pid, char *out, size_t size)
{
	char name[32];

	ipc_proc_command(pid, name, sizeof(name));
	ipc_escape(out, size, name, strlen(name));
}

void ipc_reader_show(const struct ipc *ipc, const char *key, pid_t pid, FILE *out)
{
	pid_t shown = ipc_reader_pid(ipc, pid);
	char command[128];

	ipc_command(shown ? pid : 0, command, sizeof(command));
	fprintf(out, "%s=pid:%d command:%s", key, (int)shown, command);
}

/* Who is at a channel, and how: for MNT/status and its other forms. */
#ifndef IPC_PEOPLE_H
#define IPC_PEOPLE_H

#include "chan.h"

/* What a process does there. READS, WRITES: it has the channel open so, and waits for nothing. */
enum ipc_role { IPC_ROLE_READS, IPC_ROLE_WRITES, IPC_ROLE_WAITS, IPC_ROLE_HOLDS, IPC_ROLE_OWES };

struct ipc_person {
	enum ipc_role role;
	pid_t pid;	     /* of the thread, as we see it; who opened the file, or asked for the operation */
	int64_t since;	     /* ipc_now(); 0 for READS and WRITES */
	enum ipc_op_type op; /* WAITS: what for */
	unsigned deliveries; /* OWES: of the oldest message */
	unsigned count;	     /* OWES: messages; else 1 */
};

/* Calls fn for each; it returns false to end that. Whoever waits is not shown again as one who reads or writes. */
void ipc_people_each(const struct ipc_chan *, bool (*fn)(void *arg, const struct ipc_person *), void *arg);
/*
 * Whom the reader of the text (abroad.h) knows by what number, 0 if by none, and what it is called: "?" where it cannot
 * be seen or is another process by now.
 */
pid_t ipc_person_show(const struct ipc *, const struct ipc_person *, char *command, size_t size);

#endif

/* Processes in texts, by the numbers that the one knows them by who reads the text. */
#ifndef IPC_READER_H
#define IPC_READER_H

#include "ipc.h"

/*
 * Between enter and leave, ipc_reader_pid() gives processes the numbers that this caller knows them by, who reads a
 * text; 0: he does not see it. Without it they are ours.
 */
void ipc_reader_enter(struct ipc *, const struct ipc_cred *);
void ipc_reader_leave(struct ipc *);
pid_t ipc_reader_pid(const struct ipc *, pid_t);
/* "KEY=pid:N command:C" for NAME@ctl: a process that we know by that number. */
void ipc_reader_show(const struct ipc *, const char *key, pid_t, FILE *out);
/* The name of a process, escaped; "?" where there is none. */
void ipc_command(pid_t, char *out, size_t size);

#endif

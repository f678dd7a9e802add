/*
 * Access to memory that can go away: a mapping of a file that other programs may truncate at any time. What would be a
 * SIGBUS is an error here. May be called from any thread that does not block SIGBUS.
 */
#ifndef IPC_GUARD_H
#define IPC_GUARD_H

/*
 * Calls access(arg) and returns its result, or -EFAULT when it touched what is not there any more. access() is then
 * left where it stood, so it must hold nothing: no lock, no memory. Does not nest.
 */
long ipc_guard(long (*access)(void *arg), void *arg);

#endif

/* The memory behind MNT/errors; ipc_refuse() and ipc_text_errors() are in ipc.h. */
#ifndef IPC_REFUSAL_H
#define IPC_REFUSAL_H

struct ipc_refusals;

struct ipc_refusals *ipc_refusals_new(void);   /* NULL when out of memory */
void ipc_refusals_free(struct ipc_refusals *); /* accepts NULL */

#endif

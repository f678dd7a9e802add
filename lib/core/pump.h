/* What a kind tells the pump of NAME@fifo. The pump itself is in ipc.h. */
#ifndef IPC_PUMP_H
#define IPC_PUMP_H

#include <stddef.h>

#include "ipc.h"

/*
 * For a kind that has give_back(): read() adds a message to its answer, so long there, of that priority. Nothing
 * happens where h has no pump.
 */
void ipc_pump_note(struct ipc_handle *h, size_t len, unsigned prio);

#endif

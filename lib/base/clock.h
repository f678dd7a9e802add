#ifndef IPC_CLOCK_H
#define IPC_CLOCK_H

#include <stdint.h>

/* Monotonic time in nanoseconds. */
int64_t ipc_now(void);

#endif

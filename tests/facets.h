/* Sets of facets, as kinds have them: for the tests of the parser and for its fuzzer. */
#ifndef TESTS_FACETS_H
#define TESTS_FACETS_H

#include "core/facet.h"

#define MQ                                                                                                             \
	(IPC_F_CTL | IPC_F_LINES | IPC_F_NUL | IPC_F_PRIO | IPC_F_DRAIN | IPC_F_ONE | IPC_F_N | IPC_F_IDLE |           \
	 IPC_F_TIMEOUT | IPC_F_BATCH | IPC_F_META | IPC_F_MAXMSG | IPC_F_MSGSIZE)
#define SOCK                                                                                                           \
	(IPC_F_CTL | IPC_F_LISTEN | IPC_F_ADDR | IPC_F_IO | IPC_F_CONNECT | IPC_F_STREAM | IPC_F_DGRAM |               \
	 IPC_F_SEQPACKET)
#define ALL ((IPC_F_LAST << 1) - 1)

#endif

/* What message queues have in common, wherever they are: in the kernel or in a Redis. */
#ifndef IPC_QUEUE_H
#define IPC_QUEUE_H

#include "ipc.h"

/* Their mount options: what a new queue holds, its longest message (0: the kernel's own default), what a write is. */
extern const struct ipc_option ipc_queue_maxmsg, ipc_queue_msgsize, ipc_queue_framing;
extern const struct ipc_option *const ipc_queue_options[];

/* As a kind's framed(): whether mq_framing=lines was given. */
bool ipc_queue_framed(const struct ipc *);

/* For MNT/README. */
#define IPC_QUEUE_README_FACETS                                                                                        \
	"  mq    @lines a line is a message   @nul the same with \\0   @prio=9 send as urgent\n"                       \
	"        @drain end when empty   @one, @n=5 end after 1, 5 messages   @idle=2s end when idle\n"                \
	"        @ack what is not done goes back   @lease=5m also from who lives   @tries=3 then to NAME.dead\n"       \
	"        @batch many lines a read   @meta shows the priority   @maxmsg=10,msgsize=8192 a new one\n"

#endif

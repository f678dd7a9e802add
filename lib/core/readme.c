/* MNT/README: what a user needs who has nothing but the mount. One screenful. */
#include "instance.h"
#include "ipc.h"

static const char text[] =
	"ipcfs: every IPC channel is a file. M is this directory; > writes, < or cat reads.\n"
	"\n"
	"pipe   echo hi > M/pipe/p         cat M/pipe/p        a FIFO; each side waits for the other\n"
	"shm    echo hi > M/shm/s          cat M/shm/s         POSIX shared memory: shm_open(\"/s\"), mmap\n"
	"mq     echo hi > M/mq/m           head -n1 M/mq/m     a POSIX message queue: mq_open(\"/m\")\n"
	"sock   echo hi > M/sock/x         cat M/sock/x        a Unix socket; connect() to M/sock/x@addr\n"
	"       exec 3<>M/sock/x@listen    a server: each open accepts a client\n"
	"       bind(\"M/sock/srv\")         a native server; exec 3<>M/sock/srv@io connects to it\n"
	"sem    echo > M/sem/s: post       read n < M/sem/s: wait and take      sem_open(\"/s\")\n"
	"       exec 9<M/sem/s@hold        take one until 9<&- or the end, however it comes\n"
	"bcast  echo hi > M/bcast/b        cat M/bcast/b       every reader gets every message\n"
	"sig    echo TERM > M/sig/PID      cat M/sig/PID       send a signal; wait for the process's end\n"
	"net    exec 3<>M/net/tcp/HOST/PORT connects, 'M/net/tcp/*/PORT@listen' accepts a client; udp alike\n"
	"\n"
	"NAME@FACET[,FACET...] opens a channel in another way:\n"
	"  mq    @lines a line is a message   @nul the same with \\0   @prio=9 send as urgent\n"
	"        @drain end when empty   @one, @n=5 end after 1, 5 messages   @idle=2s end when idle\n"
	"        @batch many lines a read   @meta shows the priority   @maxmsg=10,msgsize=8192 a new one\n"
	"        @fifo a pipe of your own: read -t, node, asyncio, . script   (bcast, sock, net too)\n"
	"  bcast @last=5 start 5 messages back; also @lines to @batch of mq\n"
	"  sock  @listen accept   @addr its address   @io connect   @dgram, @seqpacket for a new one\n"
	"  sem   @value=4 for a new one      shm @size=4096 for a new one\n"
	"  all   @help the facets   @ctl state as key=value   all but pipe and shm: @timeout=5s give up\n"
	"        mq, bcast, sock: @tap,lines,meta what passes, and who wrote and read it, without taking it\n"
	"  net, sock  echo shutdown=write > NAME@ctl ends what your own connection sends; read on\n"
	"\n"
	"  seq 9 > M/mq/jobs@lines; while read -r job; do echo $job; done < M/mq/jobs@lines,idle=1s\n"
	"\n"
	"A read of an empty channel and a write to a full one wait; Ctrl-C ends them, O_NONBLOCK is EAGAIN.\n"
	"M/status  what is open (@json, @metrics, @dot)           M/errors  why something was refused\n"
	"M/events  what happens, as it happens (@json)            ipcfs-top  all of it, live\n";

/* Where the channels are in a Redis. */
static const char shared[] =
	"ipcfs: every channel is a file. M is this directory; > writes, < or cat reads.\n"
	"These channels are in the Redis at %s: every machine that mounts it has the same ones\n"
	"(its keys begin with %s).\n"
	"\n"
	"mq     echo hi > M/mq/m           head -n1 M/mq/m     a queue: each message goes to one reader, somewhere\n"
	"sem    echo > M/sem/s: post       read n < M/sem/s: wait and take\n"
	"       exec 9<M/sem/s@hold        take one until 9<&- or the end, however it comes; read n <&9 is a number that\n"
	"                                  only grows: who has a smaller one has lost the permit (its machine vanished for 30 s)\n"
	"bcast  echo hi > M/bcast/b        cat M/bcast/b       every reader on every machine gets every message\n"
	"\n"
	"NAME@FACET[,FACET...] opens a channel in another way:\n"
	"  mq    @lines a line is a message   @nul the same with \\0   @prio=9 send as urgent\n"
	"        @drain end when empty   @one, @n=5 end after 1, 5 messages   @idle=2s end when idle\n"
	"        @ack a job that is not done goes back: @lease=5m, too, from a living worker; @tries=3 then to NAME.dead\n"
	"        @batch many lines a read   @meta shows the priority   @maxmsg=10,msgsize=8192 a new one\n"
	"        @fifo a pipe of your own: read -t, node, asyncio, . script   (bcast too)\n"
	"  bcast @last=5 start 5 messages back; also @lines to @batch of mq\n"
	"  sem   @value=4 for a new one\n"
	"  all   @help the facets   @ctl state as key=value   @timeout=5s give up\n"
	"\n"
	"  seq 9 > M/mq/jobs@lines                                                           on one machine\n"
	"  while read -r job; do echo $job; done < M/mq/jobs@lines,ack,idle=1s                on the others\n"
	"\n"
	"A read of an empty channel and a write to a full one wait, and go on waiting while the Redis is away; Ctrl-C ends them.\n"
	"M/status  what is open here (M/status@json for programs)   M/errors  why something was refused, in the Redis's own words\n"
	"M/events  what happens here, as it happens (M/events@json)\n";

void ipc_text_readme(struct ipc *ipc, FILE *out)
{
	if (ipc->opt.redis)
		fprintf(out, shared, ipc->opt.redis, ipc->opt.redis_prefix ? ipc->opt.redis_prefix : "ipcfs:");
	else
		fputs(text, out);
}

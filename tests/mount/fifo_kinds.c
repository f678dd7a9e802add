/* NAME@fifo of each kind that has one, of those that have none, in containers, and over a Redis. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "queue.h"
#include "redis.h"

TestSuite(fifo_kinds, .timeout = 60);

/* --- sock --- */

static int native_server(const char *name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(sa.sun_path, t_path(M, "sock/%s", name));
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(fd, 4), 0);
	return fd;
}

t_test(fifo_kinds, native_server_is_heard)
{
	int server = native_server("srv"), client;
	pid_t reader = t_spawn(M, "bash", "exec cat $M/sock/srv@io,fifo");
	char *out;

	client = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_eq(write(client, "hello\n", 6), 6);
	close(client);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "hello\n");
	close(server);
}

t_test(fifo_kinds, native_server_hears)
{
	int server = native_server("srv"), client;
	pid_t writer = t_spawn(M, "bash", "echo hello >$M/sock/srv@io,fifo");
	char buf[64];

	client = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_eq(read(client, buf, sizeof(buf)), 6);
	cr_assert_eq(read(client, buf, sizeof(buf)), 0);
	cr_assert_eq(t_wait_exit(writer, T_PATIENCE, NULL), 0);
	close(client);
	close(server);
}

t_test(fifo_kinds, nobody_listens)
{
	close(native_server("srv"));
	t_check_errno(open(t_path(M, "sock/srv@io,fifo"), O_RDONLY), ECONNREFUSED);
}

t_test(fifo_kinds, listener_hears_and_answers)
{
	t_check("touch $M/sock/l; cat $M/sock/l@listen,fifo & echo question >$M/sock/l; wait\n"
		"echo answer >$M/sock/l@listen,fifo & exec 3<>$M/sock/l; cat <&3; wait",
		"question\nanswer\n");
}

t_test(fifo_kinds, datagrams_pass)
{
	t_check("touch $M/sock/d@dgram; head -n1 $M/sock/d@fifo & echo hi >$M/sock/d@fifo; wait", "hi\n");
}

/* --- bcast --- */

t_test(fifo_kinds, broadcast_reader_ends)
{
	t_check("touch $M/bcast/b; cat $M/bcast/b@fifo,idle=100ms; cat $M/bcast/b@fifo,timeout=100ms; grep -c 'nothing to read within' $M/errors",
		"1\n");
}

t_test(fifo_kinds, broadcast_has_the_facets_of_lines)
{
	t_check("seq 3 >$M/bcast/b@fifo; until [ $(cat $M/bcast/b@lines,last=3,drain | wc -l) = 3 ]; do sleep .02; done\n"
		"cat $M/bcast/b@fifo,last=2,one; cat $M/bcast/b@fifo,last=3,batch,drain; cat $M/bcast/b@fifo,last=2,nul,n=2 | tr '\\0' ';'",
		"2\n1\n2\n3\n2;3;");
}

/* --- those that have none --- */

t_test(fifo_kinds, others_refuse)
{
	t_check("for k in sem/x shm/x pipe/x sig/$$; do cat $M/$k@fifo 2>/dev/null || tail -n1 $M/errors | grep -o \"'fifo' is of another kind\"; done",
		"'fifo' is of another kind\n'fifo' is of another kind\n'fifo' is of another kind\n'fifo' is of another kind\n");
}

/* --- in containers --- */

t_test(fifo_kinds, containers_read_and_write)
{
	if (geteuid() != 0)
		cr_skip_test("only root makes these namespaces");
	t_check("mkdir in; Q=mq/${P}q; touch $M/$Q; echo hi | unshare -ipf sh -c \"cat >$M/$Q@fifo\"\n"
		"unshare -pf --mount-proc cat $M/$Q@fifo,one; echo again >$M/$Q@fifo\n"
		"unshare -m sh -c \"mount --bind $M in; cat in/$Q@fifo,one\"; rm $M/$Q",
		"hi\nagain\n");
}

/* It knows nobody by whom to recognise the second look. */
t_test_bare(fifo_kinds, whom_the_daemon_cannot_see_is_told)
{
	if (geteuid() != 0)
		cr_skip_test("only root makes these namespaces");
	t_check("mkdir m; unshare -pf --kill-child $IPCFS -f m & trap 'kill $! 2>/dev/null' EXIT; until mountpoint -q m; do sleep .02; done\n"
		"touch m/mq/${P}q; cat m/mq/${P}q@fifo 2>&1 | grep -o 'not supported'; grep -o 'use the name without fifo' m/errors; rm m/mq/${P}q; umount m",
		"not supported\nuse the name without fifo\n");
}

/* --- over a Redis --- */

t_test_bare(fifo_kinds, workers_of_two_machines_have_each_job_once)
{
	struct redis server = redis_start(NULL);

	redis_mount(&server, "A", NULL);
	redis_mount(&server, "B", NULL);
	t_check("touch $A/mq/q; for m in $A $B $A $B; do cat $m/mq/q@fifo,idle=2s & done | sort -n | cksum & seq 300 >$A/mq/q@fifo; wait",
		t_bash(0, "seq 300 | cksum"));
}

t_test_bare(fifo_kinds, job_of_a_killed_reader_goes_back_to_the_other_machine)
{
	struct redis server = redis_start(NULL);
	pid_t reader;

	M = redis_mount(&server, "A", NULL);
	redis_mount(&server, "B", NULL);
	t_check("echo one >$A/mq/q@lines; echo two >$A/mq/q@lines", "");
	reader = t_spawn(M, "bash", "exec sleep 100 <$M/mq/q@fifo");
	t_await(t_ctl(M, "mq/q", "messages") == 1);
	kill(reader, SIGKILL);
	t_wait_exit(reader, T_PATIENCE, &(char *){NULL});
	t_await(t_ctl(M, "mq/q", "messages") == 2);
	t_check("cat $B/mq/q@fifo,n=2", "one\ntwo\n");
}

/*
 * ipcfs(7), CONTAINERS: the table of what a container can do through a mount, tried from inside. The rows that are not
 * here are in the suites container, sandbox and boxes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container.h"

TestSuite(rows, .timeout = 60);

/* Root of the namespaces of an ordinary user. */
#define USERS_BOX "exec setpriv --reuid=54321 --regid=54321 --clear-groups unshare -Urmipfn --mount-proc --kill-child "

static const char make_all[] =
	"touch $M/mq/${P}q $M/bcast/b $M/sock/s $M/sock/d@dgram $M/sem/${P}s $M/shm/${P}x; mkfifo $M/pipe/p; "
	"echo 5 > $M/sem/${P}s; chmod %s $M/mq/${P}q $M/bcast/b $M/sock/s $M/sock/d $M/sem/${P}s $M/shm/${P}x "
	"$M/pipe/p";

static const char *const channels[] = {"mq/${P}q",  "bcast/b",	 "sock/s", "sock/d@addr",
				       "sem/${P}s", "shm/${P}x", "pipe/p"};

t_test_bare(rows, what_is_closed_to_a_user_is_closed_to_his_container)
{
	container_mount("-Urmipfn --mount-proc", "");
	t_need("python3");
	t_bash(0, t_format(make_all, "600"));
	for (unsigned i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
		bool address = strchr(channels[i], '@') != NULL;
		const char *open = "open(sys.argv[1], \"wb\", 0)";
		char *out;

		if (address)
			open = "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b\"x\", sys.argv[1])";
		t_sh(M, "bash", t_format(USERS_BOX "python3 -c 'import socket, sys; %s' $M/%s 2>&1", open, channels[i]),
		     &out);
		cr_expect(strstr(out, "PermissionError"), "%s: %s", channels[i], out);
	}
}

t_test_bare(rows, what_is_open_to_a_user_is_open_to_his_container)
{
	char *out;

	shm_mount();
	t_bash(0, t_format(make_all, "666"));
	pid_t host = t_spawn(M, "bash", "cat $M/pipe/p $M/sock/s; head -c4 $M/sock/d");
	cr_expect_eq(
		t_sh(M, "bash",
		     USERS_BOX
		     "bash -c 'set -e; echo q > $M/mq/${P}q; cat $M/mq/${P}q@one; echo b > $M/bcast/b; cat $M/sem/${P}s; echo x > $M/shm/${P}x; "
		     "cat $M/shm/${P}x; echo pipe > $M/pipe/p; echo sock > $M/sock/s; echo dgram > $M/sock/d'",
		     &out),
		0, "%s", out);
	cr_expect_str_eq(out, "q\n4\nx\n");
	cr_expect_eq(t_wait_exit(host, T_PATIENCE, &out), 0, "%s", out);
	cr_expect_str_eq(out, "pipe\nsock\ndgra");
	cr_expect_str_eq(t_read(t_format("/dev/shm/%s", t_name("x"))), "x\n");
}

t_test_bare(rows, errors_show_pids_as_their_reader_counts_them)
{
	char *out;

	container_mount("-mpf --mount-proc", "");
	inside("-mpf --mount-proc", "(echo $BASHPID; echo > $M/mq/x@nonsense; exec tail -n1 $M/errors)", &out);
	int pid = atoi(out);
	cr_expect(pid > 0 && pid < 100, "%s", out);
	cr_expect(strstr(out, t_format(" pid %d: mq/x@nonsense: EINVAL", pid)), "%s", out);
}

t_test_bare(rows, root_of_a_container_has_the_capabilities_that_it_was_left)
{
	char *out;

	container_mount("-mipf --mount-proc", "");
	t_bash(0, "echo job > $M/mq/${P}q; chown 54321 $M/mq/${P}q; chmod 600 $M/mq/${P}q");
	/* The box's own process of another user. */
	t_sh(M, "bash",
	     "exec unshare -mipf --mount-proc --kill-child bash -c 'setpriv --reuid=54321 --clear-groups sleep 60 & victim=$!\n"
	     "until [ \"$(stat -c %u /proc/$victim)\" = 54321 ]; do sleep .01; done\n"
	     "setpriv --bounding-set=-all --inh-caps=-all bash -c \"cat $M/mq/${P}q@one; echo TERM > $M/sig/$victim\"\n"
	     "kill -0 $victim && echo alive; cat $M/mq/${P}q@one; echo TERM > $M/sig/$victim; wait $victim; echo $?' 2>&1",
	     &out);
	cr_expect(strstr(out, "@one: Permission denied"), "%s", out);
	cr_expect(strstr(out, "write error: Operation not permitted"), "%s", out);
	cr_expect(strstr(out, "alive\njob\n143\n"), "%s", out);
}

t_test_bare(rows, a_mount_of_some_kinds_and_names_shows_no_others)
{
	char *out, *other = t_name("other");

	container_mount("-mipf --mount-proc", t_format(",kinds=mq,shm,prefix=%s-in-", t_name("k")));
	t_write(t_format("/dev/shm/%s", other), "secret");
	t_sh(M, "bash",
	     t_format(
		     "exec unshare -mipf --mount-proc bash -c 'ls $M/shm $M/mq; cat $M/shm/%s; cat $M/shm/../shm/%s; echo > $M/sem/s; "
		     "echo > $M/sig/1; echo mine > $M/mq/q; cat $M/mq/q@one; tail -n +2 $M/status' 2>&1",
		     other, other),
	     &out);
	cr_expect_null(strstr(out, "secret"), "%s", out);
	cr_expect(strstr(out, t_format("shm/%s: No such file or directory", other)), "%s", out);
	cr_expect(strstr(out, "sem/s: No such file or directory"), "%s", out);
	cr_expect(strstr(out, "sig/1: No such file or directory"), "%s", out);
	cr_expect(strstr(out, "mine\nmq "), "%s", out);
	t_check("rm $M/mq/q", "");
}

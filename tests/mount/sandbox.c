/*
 * The mount in bubblewrap's and runc's containers, with BusyBox inside, in user namespaces, and confined to some kinds.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container.h"

TestSuite(sandbox, .timeout = 60);

/* --- the real things --- */

/* As bubblewrap runs a command with nothing of the host but its programs, and the mount at /ipc. */
#define BWRAP                                                                                                           \
	"exec bwrap --unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib " \
	"--symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp --bind $M /ipc "

static void bwrap_mount(void)
{
	t_need("bwrap");
	shm_mount();
	if (t_sh(M, "sh", BWRAP "true 2>/dev/null", NULL) != 0)
		cr_skip_test("bwrap may not make its namespaces here");
}

t_test_bare(sandbox, bubblewrap_has_every_channel)
{
	char *out, *q = t_name("q"), *x = t_name("x");

	bwrap_mount();
	t_bash(0, "touch $M/mq/${P}q $M/sock/s $M/bcast/b; echo 2 > $M/sem/${P}l; mkfifo $M/pipe/p");
	t_write(t_format("/dev/shm/%s", x), "state\n");
	pid_t host = t_spawn(M, "bash", "cat $M/pipe/p; cat $M/sock/s; cat $M/sock/s");
	cr_assert_eq(
		t_sh(M, "sh",
		     t_format(
			     BWRAP
			     "bash -c 'cat /ipc/shm/%s; echo box >> /ipc/shm/%s; echo job > /ipc/mq/%s; cat /ipc/sem/%s; "
			     "echo piped > /ipc/pipe/p; echo sent > /ipc/sock/s; echo cast > /ipc/bcast/b; "
			     "exec 3<>/ipc/sock/s; echo again >&3'",
			     x, x, q, t_name("l")),
		     &out),
		0, "%s", out);
	cr_expect_str_eq(out, "state\n1\n");
	cr_assert_eq(t_wait_exit(host, T_PATIENCE, &out), 0);
	cr_expect_str_eq(out, "piped\nsent\nagain\n");
	cr_expect_str_eq(t_read(t_format("/dev/shm/%s", x)), "state\nbox\n");
	t_check("cat $M/mq/${P}q@one; cat $M/bcast/b@last=1,drain", "job\ncast\n");
}

t_test_bare(sandbox, bubblewrap_reaches_addresses_both_ways)
{
	char *out;

	t_need("socat");
	bwrap_mount();
	t_bash(0, "touch $M/sock/x");
	pid_t host = t_spawn(M, "bash", "cat $M/sock/x");
	cr_expect_eq(t_sh(M, "sh", BWRAP "sh -c 'echo in | socat -u - UNIX-CONNECT:/ipc/sock/x@addr'", &out), 0, "%s",
		     out);
	cr_assert_eq(t_wait_exit(host, T_PATIENCE, &out), 0);
	cr_expect_str_eq(out, "in\n");
	pid_t box = t_spawn(M, "sh", BWRAP "socat -u UNIX-LISTEN:/ipc/sock/srv -");
	t_bash(0,
	       "until [ -S $M/sock/srv ]; do sleep .01; done; until echo out | socat -u - UNIX-CONNECT:$M/sock/srv@addr 2>/dev/null; "
	       "do sleep .01; done");
	cr_assert_eq(t_wait_exit(box, T_PATIENCE, &out), 0);
	cr_expect_str_eq(out, "out\n");
}

t_test_bare(sandbox, bubblewrap_reaches_nothing_else)
{
	char *out;
	pid_t outside = t_spawn(NULL, "sh", "exec sleep 60");

	bwrap_mount();
	t_sh(M, "sh",
	     t_format(
		     BWRAP
		     "bash -c 'echo TERM > /ipc/sig/%d; touch /ipc/sock/r@connect=/run/x; exec 3<>/ipc/sock/n@connect=@x; "
		     "echo KILL > /ipc/sig/1; ls /ipc; echo alive'",
		     outside),
	     &out);
	cr_expect(strstr(out, "No such process"), "%s", out);
	cr_expect(strstr(out, "r@connect=/run/x': No such file or directory"), "%s", out);
	cr_expect(strstr(out, "alive"), "%s", out);
	cr_expect_null(strstr(out, ".addr"), "%s", out);
	cr_expect_eq(kill(outside, 0), 0);
	kill(outside, SIGKILL);
	t_wait_exit(outside, T_PATIENCE, NULL);
}

t_test_bare(sandbox, busybox_inside_works_on_queues_and_memory)
{
	char *out;

	t_need("busybox");
	bwrap_mount();
	t_bash(0, "printf 'a\\nb\\n' > $M/mq/${P}q@lines");
	t_write(t_format("/dev/shm/%s", t_name("x")), "state\n");
	cr_assert_eq(
		t_sh(M, "sh",
		     t_format(BWRAP "busybox sh -c 'busybox cat /ipc/shm/%s; while read -r j; do echo got $j; done < "
				    "/ipc/mq/%s@lines,drain; echo new > /ipc/shm/%s; busybox wc -c < /ipc/shm/%s'",
			      t_name("x"), t_name("q"), t_name("y"), t_name("y")),
		     &out),
		0, "%s", out);
	cr_expect_str_eq(out, "state\ngot a\ngot b\n4\n");
	cr_expect_str_eq(t_read(t_format("/dev/shm/%s", t_name("y"))), "new\n");
}

static const char runc_config[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"args\":[\"sh\",\"-c\","
	"\"cat /ipc/shm/%s; echo job > /ipc/mq/%s; echo /ipc/sig/*\"],\"env\":[\"PATH=/usr/bin:/bin\"]},"
	"\"root\":{\"path\":\"rootfs\"},\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/usr\",\"type\":\"bind\",\"source\":\"/usr\",\"options\":[\"rbind\",\"ro\"]},"
	"{\"destination\":\"/bin\",\"type\":\"bind\",\"source\":\"/bin\",\"options\":[\"rbind\",\"ro\"]},"
	"{\"destination\":\"/lib\",\"type\":\"bind\",\"source\":\"/lib\",\"options\":[\"rbind\",\"ro\"]},"
	"{\"destination\":\"/lib64\",\"type\":\"bind\",\"source\":\"/lib64\",\"options\":[\"rbind\",\"ro\"]},"
	"{\"destination\":\"/ipc\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"bind\",\"rw\"]}],"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"mount\"},{\"type\":\"network\"}]}}";

t_test_bare(sandbox, runc_has_the_hosts_channels)
{
	char *out, *run = t_format("cd %s && exec timeout 30 runc --root %s/runc run %s", t_scratch(), t_scratch(),
				   t_name("box"));

	t_need("runc");
	shm_mount();
	t_write(t_format("/dev/shm/%s", t_name("x")), "state\n");
	t_bash(0, "touch $M/mq/${P}q");
	cr_assert_eq(mkdir(t_format("%s/rootfs", t_scratch()), 0755), 0);
	t_write(t_format("%s/config.json", t_scratch()), t_format(runc_config, t_name("x"), t_name("q"), M->dir));
	if (t_sh(M, "sh", run, &out) != 0)
		cr_skip_test("runc runs no container here: %s", out);
	cr_expect(strncmp(out, "state\n/ipc/sig/1", 15) == 0, "%s", out);
	t_check("cat $M/mq/${P}q@one", "job\n");
}

/* --- user namespaces --- */

t_test_bare(sandbox, uids_are_mapped_as_the_kernel_maps_them)
{
	char *out;
	struct stat st;

	container_mount("-U", "");
	cr_assert_eq(
		t_sh(M, "sh",
		     "exec setpriv --reuid=54321 --regid=54321 --clear-groups unshare -Ur bash -c "
		     "'id -u; touch $M/bcast/mine; stat -c %u $M/bcast/mine; stat -c %u $M/bcast; rm $M/bcast/theirs'",
		     &out),
		1, "%s", out);
	cr_expect(strncmp(out, "0\n0\n65534\n", 10) == 0, "%s", out);
	cr_assert_eq(stat(t_path(M, "bcast/mine"), &st), 0);
	cr_expect_eq(st.st_uid, 54321u);
}

t_test_bare(sandbox, root_of_a_user_namespace_is_no_root_here)
{
	char *out;

	container_mount("-Ur", "");
	t_bash(0, "touch $M/bcast/roots $M/mq/${P}q; chmod 600 $M/bcast/roots $M/mq/${P}q");
	t_sh(M, "sh",
	     "exec setpriv --reuid=54321 --regid=54321 --clear-groups unshare -Ur bash -c "
	     "'echo >$M/bcast/roots; cat $M/mq/*@drain; rm $M/bcast/roots; echo TERM >$M/sig/1'",
	     &out);
	cr_expect(strstr(out, "roots: Permission denied"), "%s", out);
	cr_expect(strstr(out, "cannot remove"), "%s", out);
	cr_expect_eq(access(t_path(M, "bcast/roots"), F_OK), 0);
}

/* --- a mount for a container only --- */

t_test_bare(sandbox, kinds_are_those_that_were_asked_for)
{
	container_mount("-m", t_format(",kinds=mq,bcast,prefix=%s", t_name("k")));
	t_check("ls $M; tail -n +2 $M/status", "README\nbcast\nerrors\nevents\nmq\nstatus\n");
	check_inside("-m", "ls -d $M/shm $M/sig 2>/dev/null; echo x > $M/bcast/b; cat $M/bcast/b@last=1,drain", "x\n");
}

t_test_bare(sandbox, unknown_kinds_are_refused)
{
	char *out;

	cr_expect_eq(
		t_sh(NULL, "sh", t_format("mkdir %s/k; $IPCFS -o kinds=nope %s/k", t_scratch(), t_scratch()), &out), 1);
	cr_expect(strstr(out, "the kinds are pipe, shm"), "%s", out);
}

/* --- a mount without root --- */

t_test(sandbox, without_root_foreign_memory_is_refused_and_never_another)
{
	char *out;

	if (geteuid() == 0)
		cr_skip_test("root's ipcfs serves it");
	if (t_sh(NULL, "sh", "unshare -Urm true 2>/dev/null", NULL) != 0)
		cr_skip_test("the kernel forbids user namespaces");
	t_write(t_path(M, "shm/%s", t_name("x")), "mine");
	cr_expect_neq(
		t_sh(M, "sh",
		     "exec unshare -Urm sh -c 'mount -t tmpfs tmpfs /dev/shm; cat $M/shm/${P}x; echo > $M/shm/${P}x; echo > $M/shm/${P}y; ls -A /dev/shm; "
		     "tail -n1 $M/errors; false'",
		     &out),
		0);
	cr_expect(strstr(out, "shm/") && strstr(out, "EOPNOTSUPP: you are in another mount namespace"), "%s", out);
	cr_expect_str_eq(t_read(t_format("/dev/shm/%s", t_name("x"))), "mine");
	cr_expect_eq(access(t_format("/dev/shm/%s", t_name("y")), F_OK), -1, "what cannot be opened is not made");
}

/*
 * DESIGN.md, part 9: the mount in other namespaces. The channels are the same from everywhere, and nothing else of the daemon's own
 * place is lent out. What the kernel forbids here is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

TestSuite(container, .timeout = 60);

/* The mount, for all; skips where such namespaces cannot be had. */
static void container_mount(const char *flags, const char *options)
{
	if (geteuid() != 0)
		cr_skip_test("only root can share the mount with everybody");
	t_need("unshare");
	if (t_sh(NULL, "sh", t_format("unshare %s true 2>/dev/null", flags), NULL) != 0)
		cr_skip_test("the kernel forbids: unshare %s", flags);
	M = t_mount_start("-o", t_format("allow_other%s", options), NULL);
}

/* A script as in a container of those namespaces, with a /dev/shm of its own where it has mounts of its own. */
static int inside(const char *flags, const char *script, char **out)
{
	bool mounts = strchr(flags, 'm');
	char *path = t_format("%s/inside.sh", t_scratch());

	t_write(path, script);
	return t_sh(M, "sh",
		    t_format("exec unshare %s sh -c '%s exec bash %s' 2>&1", flags,
			     mounts ? "mount -t tmpfs tmpfs /dev/shm;" : "", path),
		    out);
}

static void check_inside(const char *flags, const char *script, const char *expected)
{
	char *out;
	int status = inside(flags, script, &out);

	cr_expect_str_eq(out, expected);
	cr_expect_eq(status, 0, "%d: %s", status, out);
}

/* --- shared memory --- */

#define NEEDS_PASSTHROUGH "-m"

/* Linux 6.9: skips without it. */
static void shm_mount(void)
{
	char *out;

	container_mount(NEEDS_PASSTHROUGH, "");
	t_write(t_format("/dev/shm/%s", t_name("probe")), "x");
	if (inside("-m", t_format("cat $M/shm/%s", t_name("probe")), &out) != 0 && strstr(out, "not supported"))
		cr_skip_test("this kernel has no FUSE passthrough (Linux 6.9)");
}

t_test_bare(container, shm_is_the_hosts_object)
{
	char *x = t_name("x"), *y = t_name("y");

	shm_mount();
	t_write(t_format("/dev/shm/%s", x), "host\n");
	check_inside(
		"-m",
		t_format(
			"cat $M/shm/%s; echo more >> $M/shm/%s; echo made > $M/shm/%s; ls -A /dev/shm; stat -c %%s $M/shm/%s",
			x, x, y, x),
		"host\n10\n");
	cr_expect_str_eq(t_read(t_format("/dev/shm/%s", x)), "host\nmore\n");
	cr_expect_str_eq(t_read(t_format("/dev/shm/%s", y)), "made\n");
	cr_expect_str_eq(t_read(t_path(M, "shm/%s", y)), "made\n");
}

t_test_bare(container, shm_is_truncated_removed_and_made_again)
{
	char *x = t_name("x");
	struct stat st;

	shm_mount();
	check_inside(
		"-m",
		t_format(
			"x=$M/shm/%s; echo long > $x; echo s > $x; cat $x; truncate -s 4096 $x; stat -c %%s $x\n"
			"exec 3<$x; rm $x; echo new > $x; cat $x; wc -c <&3; (set -C; echo again > $x) 2>/dev/null; cat $x",
			x),
		"s\n4096\nnew\n4096\nnew\n");
	cr_assert_eq(stat(t_format("/dev/shm/%s", x), &st), 0);
	cr_assert_eq(st.st_size, 4);
}

/* In another mount namespace, whose /dev/shm is empty. */
static int map_both_ways(void *arg)
{
	const char *path = arg;
	char *there;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL) < 0)
		return 1;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	there = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (there == MAP_FAILED || there[0] != 'h')
		return 3;
	there[1] = 'c';
	if (msync(there, 4096, MS_SYNC) < 0)
		return 4;
	while (*(volatile char *)&there[2] != 'e')
		t_nap();
	char *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (own == MAP_FAILED || own[2] != 'e')
		return 5;
	own[0] = 'X';
	return there[0] == 'h' ? 0 : 6;
}

t_test_bare(container, shm_mappings_are_coherent_with_native_ones)
{
	char *x = t_name("x");
	int fd;

	shm_mount();
	fd = shm_open(t_format("/%s", x), O_RDWR | O_CREAT | O_EXCL, 0600);
	cr_assert(fd >= 0 && ftruncate(fd, 4096) == 0);
	volatile char *here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	here[0] = 'h';
	pid_t child = t_fork(map_both_ways, t_path(M, "shm/%s", x));
	t_await(here[1] == 'c');
	here[2] = 'e';
	cr_assert_eq(t_wait_exit(child, T_PATIENCE, NULL), 0);
	cr_expect_eq(here[0], 'h', "a private mapping is private");
}

static int map_the_new_one(void *arg)
{
	int fd;
	char *at;

	if (unshare(CLONE_NEWNS) < 0)
		return 1;
	fd = open(arg, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return errno;
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return errno;
	strcpy(at, "mapped");
	return open(arg, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) < 0 && errno == EEXIST ? 0 : 2;
}

t_test_bare(container, shm_made_exclusively_can_be_mapped_at_once)
{
	shm_mount();
	cr_assert_eq(t_wait_exit(t_fork(map_the_new_one, t_path(M, "shm/%s", t_name("x"))), T_PATIENCE, NULL), 0);
	cr_expect_str_eq(t_read(t_format("/dev/shm/%s", t_name("x"))), "mapped");
}

t_test_bare(container, shm_modes_and_owners_hold)
{
	char *out, *x = t_name("x");

	shm_mount();
	t_write(t_format("/dev/shm/%s", x), "secret");
	cr_assert_eq(chmod(t_format("/dev/shm/%s", x), 0600), 0);
	cr_expect_neq(inside("-m", t_format("exec setpriv --reuid=54321 --regid=54321 --clear-groups cat $M/shm/%s", x),
			     &out),
		      0);
	cr_expect(strstr(out, "Permission denied"), "%s", out);
	check_inside(
		"-m",
		t_format("chmod 644 $M/shm/%s; exec setpriv --reuid=54321 --regid=54321 --clear-groups cat $M/shm/%s",
			 x, x),
		"secret");
	cr_expect_neq(
		inside("-m",
		       t_format("exec setpriv --reuid=54321 --regid=54321 --clear-groups sh -c 'echo >>$M/shm/%s'", x),
		       &out),
		0);
	cr_expect(strstr(out, "Permission denied"), "%s", out);
}

/* The same mount namespace, another root: the link would lead into that. A daemon of its own, as its mounts must go with it. */
t_test_bare(container, shm_in_a_chroot_is_the_hosts_object)
{
	char *x = t_name("x"), *out;

	shm_mount();
	t_write(t_format("/dev/shm/%s", x), "host\n");
	t_write(t_format("%s/chroot.sh", t_scratch()),
		t_format(
			"set -e; r=%s/root; d=%s/mnt; mkdir $r $d; $IPCFS -o allow_other $d; trap \"fusermount3 -u $d\" EXIT\n"
			"mount --bind / $r; mount -t tmpfs tmpfs $r/dev/shm; mount --bind $d $r$d\n"
			"chroot $r cat $d/shm/%s; umount -R $r",
			t_scratch(), t_scratch(), x));
	cr_assert_eq(t_sh(M, "sh", t_format("exec unshare -m sh %s/chroot.sh", t_scratch()), &out), 0, "%s", out);
	cr_expect_str_eq(out, "host\n");
}

/* --- processes --- */

t_test_bare(container, sig_means_the_processes_of_ones_own_pid_namespace)
{
	char *out;
	pid_t outside = t_spawn(NULL, "sh", "exec sleep 60");

	container_mount("-pf --mount-proc", "");
	inside("-pf --mount-proc",
	       t_format(
		       "sleep 60 & echo TERM > $M/sig/$!; wait $!; echo $?; echo TERM > $M/sig/%d; ls $M/sig | head -n1; "
		       "head -n2 $M/sig/$$@ctl",
		       outside),
	       &out);
	cr_expect(strncmp(out, "143\n", 4) == 0, "%s", out);
	cr_expect(strstr(out, "No such process"), "%s", out);
	cr_expect(strstr(out, "\n1\nkind=sig\npid=1\n"), "%s", out);
	cr_expect_eq(kill(outside, 0), 0);
	kill(outside, SIGKILL);
	t_wait_exit(outside, T_PATIENCE, NULL);
}

/* What the kernel has cached for the host's process of that number must not be taken for the container's. */
t_test_bare(container, sig_is_not_confused_by_the_hosts_look_ups)
{
	pid_t hosts;
	char *out;

	container_mount("-pf --mount-proc", "");
	hosts = t_spawn(NULL, "sh", "exec sleep 60");
	cr_assert_eq(access(t_path(M, "sig/%d", hosts), F_OK), 0);
	/* A process of the same number inside. */
	inside("-pf --mount-proc",
	       t_format("echo %d > /proc/sys/kernel/ns_last_pid; sleep 60 & echo $!; [ $! = %d ] || exit 77\n"
			"cat $M/sig/%d@ctl >/dev/null; echo TERM > $M/sig/$!; wait $!; echo $?",
			hosts - 1, hosts, hosts),
	       &out);
	cr_expect_eq(kill(hosts, 0), 0, "the host's process was hit: %s", out);
	cr_expect(strstr(out, "143"), "%s", out);
	kill(hosts, SIGKILL);
	t_wait_exit(hosts, T_PATIENCE, NULL);
}

t_test_bare(container, sig_spares_the_first_process_as_the_kernel_does)
{
	char *out;

	container_mount("-pf --mount-proc", "");
	inside("-pf --mount-proc", "echo KILL > $M/sig/1; echo alive; tail -n1 $M/errors", &out);
	cr_expect(strstr(out, "alive"), "%s", out);
	cr_expect(strstr(out, "sig/1: EPERM"), "%s", out);
}

t_test_bare(container, ctl_shows_pids_as_the_reader_counts_them)
{
	char *q = t_name("q"), *out, *ctl;

	container_mount("-pf --mount-proc", "");
	t_bash(0, "touch $M/mq/${P}q");
	pid_t outside = t_spawn(M, "bash", t_format("exec cat $M/mq/%s", q));
	t_await_waiters(M, t_format("mq/%s", q), 1);
	cr_assert_eq(
		inside("-pf --mount-proc",
		       t_format(
			       "cat $M/mq/%s > /dev/null & until [ $(grep -c waiter= $M/mq/%s@ctl) = 2 ]; do sleep .01; done\n"
			       "grep waiter= $M/mq/%s@ctl | sed s/:$!/:inner/; kill $!",
			       q, q, q),
		       &out),
		0, "%s", out);
	cr_expect(strstr(out, "waiter=pid:0 command:? "), "%s", out);
	cr_expect(strstr(out, "waiter=pid:inner command:cat "), "%s", out);
	ctl = t_read(t_path(M, "mq/%s@ctl", q));
	cr_expect(strstr(ctl, t_format("waiter=pid:%d command:cat ", outside)), "%s", ctl);
	kill(outside, SIGKILL);
	t_wait_exit(outside, T_PATIENCE, NULL);
}

/* --- what is not lent --- */

t_test_bare(container, connect_does_not_reach_the_daemons_sockets)
{
	char *out;

	container_mount("-m", "");
	t_need("socat");
	pid_t server = t_spawn(NULL, "sh", t_format("exec socat -u UNIX-LISTEN:%s/s,fork STDOUT", t_scratch()));
	t_await(access(t_format("%s/s", t_scratch()), F_OK) == 0);
	t_bash(0, t_format("touch $M/sock/r@connect=%s/s; echo hi > $M/sock/r", t_scratch()));
	cr_expect_neq(inside("-m", "echo hi > $M/sock/r", &out), 0);
	cr_expect(strstr(out, "Permission denied"), "%s", out);
	cr_expect_neq(inside("-m", t_format("touch $M/sock/r2@connect=%s/s", t_scratch()), &out), 0);
	cr_expect(t_refused("another mount namespace"));
	kill(server, SIGTERM);
	t_wait_exit(server, T_PATIENCE, &out);
}

t_test_bare(container, abstract_sockets_are_the_network_namespaces)
{
	char *name = t_format("%s-abstract", t_name("a")), *out;

	container_mount("-n", "");
	t_need("socat");
	pid_t server = t_spawn(NULL, "sh", t_format("exec socat -u ABSTRACT-LISTEN:%s,fork STDOUT", name));
	t_bash(0, t_format("until grep -q %s /proc/net/unix; do sleep .01; done\n"
			   "touch $M/sock/r@connect=@%s; echo hi > $M/sock/r",
			   name, name));
	cr_expect_neq(inside("-n", "echo hi > $M/sock/r", &out), 0);
	cr_expect(strstr(out, "Permission denied"), "%s", out);
	cr_expect(t_refused("another network namespace"));
	kill(server, SIGTERM);
	t_wait_exit(server, T_PATIENCE, &out);
}

t_test_bare(container, net_is_the_callers_network_or_lent_by_an_option)
{
	char *out;

	container_mount("-n", "");
	t_mount_stop(M);
	M = t_mount_start(NULL);
	cr_expect_neq(inside("-n", "echo hi > $M/net/udp/127.0.0.1/9", &out), 0);
	cr_expect(strstr(out, "Permission denied"), "%s", out);
	t_bash(0, "echo hi > $M/net/udp/127.0.0.1/9");
	t_mount_stop(M);
	M = t_mount_start("-o", "allow_other,net", NULL);
	check_inside("-n", "echo hi > $M/net/udp/127.0.0.1/9", "");
}

/* --- the channels are the same --- */

t_test_bare(container, every_channel_is_the_same_from_all_namespaces)
{
	char *out, *q = t_name("q"), *s = t_name("s");

	container_mount("-mipfn --mount-proc", "");
	t_bash(0,
	       "touch $M/mq/${P}q $M/bcast/b $M/sock/x; echo 2 > $M/sem/${P}s; echo job > $M/mq/${P}q; mkfifo $M/pipe/p");
	pid_t outside = t_spawn(M, "bash", "echo through > $M/pipe/p; cat $M/sock/x");
	cr_assert_eq(
		inside("-mipfn --mount-proc",
		       t_format(
			       "cat $M/mq/%s@one; cat $M/pipe/p; echo socket > $M/sock/x; cat $M/sem/%s; echo cast > $M/bcast/b; "
			       "grep -c . $M/status",
			       q, s),
		       &out),
		0, "%s", out);
	cr_expect(strstr(out, "job\nthrough\n1\n"), "%s", out);
	cr_assert_eq(t_wait_exit(outside, T_PATIENCE, &out), 0);
	cr_expect_str_eq(out, "socket\n");
	t_check("cat $M/bcast/b@last=1,drain", "cast\n");
}

t_test_bare(container, permits_come_back_when_a_container_is_killed)
{
	container_mount("-mpf --mount-proc --kill-child", "");
	t_bash(0, "echo > $M/sem/${P}s");
	pid_t box = t_spawn(
		M, "sh",
		t_format("exec unshare -mpf --mount-proc --kill-child bash -c 'exec 9<$M/sem/%s@hold; sleep 60'",
			 t_name("s")));
	t_await(strstr(t_read(t_path(M, "sem/%s@ctl", t_name("s"))), "holder="));
	kill(box, SIGKILL);
	t_wait_exit(box, T_PATIENCE, NULL);
	t_check("read -r left < $M/sem/${P}s@timeout=10s; echo $left", "0\n");
}

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

t_test_bare(container, bubblewrap_has_every_channel)
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

t_test_bare(container, bubblewrap_reaches_addresses_both_ways)
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

t_test_bare(container, bubblewrap_reaches_nothing_else)
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
	cr_expect(strstr(out, "r@connect=/run/x': Permission denied"), "%s", out);
	cr_expect(strstr(out, "alive"), "%s", out);
	cr_expect_null(strstr(out, ".addr"), "%s", out);
	cr_expect_eq(kill(outside, 0), 0);
	kill(outside, SIGKILL);
	t_wait_exit(outside, T_PATIENCE, NULL);
}

t_test_bare(container, busybox_inside_works_on_queues_and_memory)
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

t_test_bare(container, runc_has_the_hosts_channels)
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

t_test_bare(container, uids_are_mapped_as_the_kernel_maps_them)
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

t_test_bare(container, root_of_a_user_namespace_is_no_root_here)
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

t_test_bare(container, kinds_are_those_that_were_asked_for)
{
	container_mount("-m", ",kinds=mq,bcast");
	t_check("ls $M; tail -n +2 $M/status", "README\nbcast\nerrors\nmq\nstatus\n");
	check_inside("-m", "ls -d $M/shm $M/sig 2>/dev/null; echo x > $M/bcast/b; cat $M/bcast/b@last=1,drain", "x\n");
}

t_test_bare(container, unknown_kinds_are_refused)
{
	char *out;

	cr_expect_eq(
		t_sh(NULL, "sh", t_format("mkdir %s/k; $IPCFS -o kinds=nope %s/k", t_scratch(), t_scratch()), &out), 1);
	cr_expect(strstr(out, "the kinds are pipe, shm"), "%s", out);
}

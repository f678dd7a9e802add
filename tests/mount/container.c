/*
 * DESIGN.md, part 9: the mount in other namespaces. The channels are the same from everywhere, and nothing else of the
 * daemon's own place is lent out. What the kernel forbids here is skipped.
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

#include "container.h"

TestSuite(container, .timeout = 60);

/* --- shared memory --- */

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

/*
 * The same mount namespace, another root: the link would lead into that. A daemon of its own, as its mounts must go
 * with it.
 */
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

/* A daemon in a PID namespace of its own, and its callers outside: FUSE gives their pid as 0. */
t_test_bare(container, callers_that_the_daemon_cannot_see_are_served)
{
	char *out;

	container_mount("-pf", "");
	t_write(t_format("%s/unseen.sh", t_scratch()),
		t_format(
			"d=%s/mnt; mkdir $d; unshare -pf --kill-child $IPCFS -f -o allow_other $d & trap 'kill $!; umount -l $d' EXIT\n"
			"until mountpoint -q $d; do sleep .01; done; q=$d/mq/%s\n"
			"for i in 1 2 3 4; do cat $q@one,lines 2>&1 & p=\"$p $!\"; done > %s/got; touch $q\n"
			"for i in 1 2 3 4; do echo $i; done > $q@lines; wait $p; sort %s/got | tr -d '\\n'; echo\n"
			"mkfifo $d/pipe/p; cat $d/pipe/p & echo piped > $d/pipe/p; wait $!\n"
			"echo 2 > $d/sem/%s; cat $d/sem/%s; echo TERM > $d/sig/1; tail -n1 $d/errors",
			t_scratch(), t_name("q"), t_scratch(), t_scratch(), t_name("s"), t_name("s")));
	t_sh(M, "sh",
	     t_format("touch $M/mq/%s; exec timeout 30 unshare -m bash %s/unseen.sh", t_name("q"), t_scratch()), &out);
	cr_expect(strncmp(out, "1234\npiped\n1\n", 13) == 0, "%s", out);
	cr_expect(strstr(out, "sig/1: EOPNOTSUPP: your PID namespace is not to be seen"), "%s", out);
}

/* --- what is not lent --- */

/* A server at a path of the host, and what a container has mounted over the directory of it. */
static char *server_dir(pid_t *server)
{
	char *dir = t_format("%s/served", t_scratch());

	t_need("socat");
	cr_assert_eq(mkdir(dir, 0755), 0);
	t_write(t_format("%s.got", dir), "");
	*server =
		t_spawn(NULL, "sh", t_format("exec socat -u UNIX-LISTEN:%s/s,fork OPEN:%s.got,creat,append", dir, dir));
	/* Its socket is there before it listens: proc_net_unix(5) has that among the flags. */
	t_await(t_sh(NULL, "sh", t_format("grep -q ' 00010000 .* %s/s$' /proc/net/unix", dir), NULL) == 0);
	return dir;
}

static void server_got(pid_t server, const char *what)
{
	char *got = t_format("%s/served.got", t_scratch());

	/* It is a child of the server's that takes a connection. */
	if (what[0])
		t_await(t_read(got)[0]);
	kill(server, SIGTERM);
	t_wait_exit(server, T_PATIENCE, NULL);
	cr_expect_str_eq(t_read(got), what);
}

t_test_bare(container, connect_leads_where_the_callers_own_path_leads)
{
	pid_t server;

	container_mount("-m", "");
	char *dir = server_dir(&server);

	t_bash(0, t_format("touch $M/sock/r@connect=%s/s; echo host > $M/sock/r", dir));
	check_inside(
		"-m",
		t_format(
			"mount -t tmpfs tmpfs %s; cd %s; echo nobody 2>&- > $M/sock/r || echo none\n"
			"socat -u UNIX-LISTEN:s,fork CREATE:out & until grep -q ' 00010000 .* s$' /proc/net/unix; do sleep .01; done\n"
			"echo box > $M/sock/r; until [ -s out ]; do sleep .01; done; cat out\n"
			"rm out; touch $M/sock/r2@connect=%s/s; echo again > $M/sock/r2\n"
			"until [ -s out ]; do sleep .01; done; cat out; kill $!",
			dir, dir, dir),
		"none\nbox\nagain\n");
	server_got(server, "host\n");
}

/* Who opened it hangs in an execve(2), which closes a file whose last line waits for room in its queue. */
t_test_bare(container, connect_at_the_first_write_does_not_wait_for_the_openers_execve)
{
	pid_t server;

	container_mount("-m", "");
	t_need("python3");
	char *dir = server_dir(&server);

	t_write(t_format("%s/late.py", t_scratch()),
		"import os, sys, time\n"
		"late = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)\n"
		"line = os.open(sys.argv[2], os.O_WRONLY)\n"
		"os.write(line, b'part')\n"
		"if os.fork():\n"
		"    os.execv('/bin/true', ['true'])\n"
		"time.sleep(0.3)\n" /* nothing tells that it hangs, and can be looked at without hanging, too */
		"os.set_blocking(late, True)\n"
		"os.write(late, b'late\\n')\n");
	t_bash(0, t_format("touch $M/sock/r@connect=%s/s; echo full | head -c 4 >$M/mq/${P}q@maxmsg=1", dir));
	t_check(t_format("python3 %s/late.py $M/sock/r $M/mq/${P}q@lines & sleep 0.6; timeout 5 head -n 1 $M/status; "
			 "cat $M/mq/${P}q@n=2; wait",
			 t_scratch()),
		"KIND      DEPTH  OPENERS  WAITERS  NAME\nfullpart");
	server_got(server, "late\n");
}

t_test_bare(container, connect_stays_within_the_callers_root)
{
	pid_t server;
	char *out;

	container_mount("-m", "");
	char *dir = server_dir(&server), *root = t_format("%s/root", t_scratch());

	t_write(t_format("%s/chroot.sh", t_scratch()),
		t_format(
			"set -e; r=%s; d=%s; mkdir $r; mount --rbind / $r; mount -t tmpfs tmpfs $r$d\n"
			"ln -s ../../../../../../../../..$d $r$d/up; ln -s / $r$d/top; ln -s up/./../../../../../../../..$d $r$d/deep\n"
			"for way in $d/s $d/up/s $d/top$d/s $d/deep/s; do\n"
			"    chroot $r sh -c \"touch '$M/sock/l@connect=$way'; echo out >$M/sock/l\" 2>/dev/null || echo none\n"
			"    rm -f $M/sock/l; done",
			root, dir));
	cr_assert_eq(t_sh(M, "sh", t_format("exec unshare -m sh %s/chroot.sh", t_scratch()), &out), 0, "%s", out);
	cr_expect_str_eq(out, "none\nnone\nnone\nnone\n");
	server_got(server, "");
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

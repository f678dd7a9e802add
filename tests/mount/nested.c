/*
 * DESIGN.md, part 9, the other way round: ipcfs started in a user namespace or an unprivileged container, and used
 * there. What the kernel forbids here is skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container.h"

TestSuite(nested, .timeout = 60);

/* Mounts at $M, with a /dev/shm of its own, then does what is asked for, and ends with the daemon's status. */
static char *nested_script(const char *options, const char *script)
{
	char *path = t_format("%s/nested.sh", t_scratch());

	t_write(path,
		t_format(
			"exec 2>&1; d=$(mktemp -d); M=$d; mount -t tmpfs tmpfs /dev/shm || exit 77\n"
			"$IPCFS -f %s $M & daemon=$!; until [ -e $M/README ]; do kill -0 $daemon || exit 1; sleep .01; done\n"
			"%s\nkill $daemon; wait $daemon; status=$?; rmdir $d; exit $status",
			options, script));
	return path;
}

/* The same as root of an ordinary user's own namespaces. */
static const char *nested_command(const char *options, const char *script)
{
	const char *device = container_device(), *flags = "-Urmipf --mount-proc --kill-child";

	if (t_sh(NULL, "sh", t_format("exec 2>/dev/null; %s unshare %s true", container_user(), flags), NULL) != 0)
		cr_skip_test("the kernel forbids user namespaces");
	script = nested_script(options, script);
	if (geteuid() != 0)
		return t_format("exec unshare %s bash %s", flags, script);
	return t_format("exec unshare -m sh -c 'mount --bind %s /dev/fuse && exec " AS_USER "unshare %s bash %s'",
			device, flags, script);
}

static int nested(const char *options, const char *script, char **out)
{
	return t_sh(NULL, "sh", nested_command(options, script), out);
}

/* Every kind by its files, and where the shell can, natively. */
#define EVERY_KIND                                                                                                     \
	"echo job > $M/mq/q@lines; cat $M/mq/q@one,lines\n"                                                            \
	"echo mem > $M/shm/x; cat /dev/shm/x\n"                                                                        \
	"echo 2 > $M/sem/s; cat $M/sem/s\n"                                                                            \
	"echo cast > $M/bcast/b; cat $M/bcast/b@last=1,drain\n"                                                        \
	"cat $M/sock/s@listen & echo sock > $M/sock/s; wait $!\n"                                                      \
	"mkfifo $M/pipe/p; cat $M/pipe/p & echo pipe > $M/pipe/p; wait $!\n"                                           \
	"sleep 60 & echo TERM > $M/sig/$!; wait $!; echo $?\n"                                                         \
	"echo fifo > $M/mq/q@lines; cat $M/mq/q@fifo,one,lines\n"

#define EVERY_ANSWER "job\nmem\n1\ncast\nsock\npipe\n143\nfifo\n"

t_test_bare(nested, root_of_a_user_namespace_mounts_it_and_has_every_kind)
{
	char *out;

	cr_expect_eq(nested("", "touch $M/sock/s\n" EVERY_KIND, &out), 0, "%s", out);
	cr_expect_str_eq(out, EVERY_ANSWER);
}

t_test_bare(nested, an_unprivileged_container_mounts_it_and_has_every_kind)
{
	const char *device = container_device();
	char *out, *ipcfs = getenv("IPCFS");

	t_need("bwrap");
	if (t_sh(NULL, "sh", t_format("exec 2>/dev/null; %s bwrap --unshare-all --ro-bind / / true", container_user()),
		 NULL) != 0)
		cr_skip_test("bwrap may not make its namespaces here");
	cr_expect_eq(
		t_sh(NULL, "sh",
		     t_format(
			     "exec %s bwrap --unshare-all --uid 0 --gid 0 --cap-add ALL --ro-bind /usr /usr --symlink usr/bin "
			     "/bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp "
			     "--dev-bind %s /dev/fuse --ro-bind %s /ipcfs --ro-bind %s /nested.sh --setenv IPCFS /ipcfs "
			     "bash /nested.sh",
			     container_user(), device, ipcfs ? ipcfs : "build/ipcfs",
			     nested_script("", "touch $M/sock/s\n" EVERY_KIND)),
		     &out),
		0, "%s", out);
	cr_expect_str_eq(out, EVERY_ANSWER);
}

t_test_bare(nested, containers_within_have_its_channels_and_are_refused_its_memory)
{
	char *out;

	cr_expect_eq(nested("-o allow_other",
			    "touch $M/mq/q; echo own > $M/shm/x\n"
			    "unshare -Urmipfn --mount-proc sh -c \"mount -t tmpfs tmpfs /dev/shm; echo in > $M/mq/q\n"
			    "  cat $M/shm/x; tail -n1 $M/errors; ls -A /dev/shm; echo TERM > $M/sig/$daemon; true\"\n"
			    "cat $M/mq/q@one",
			    &out),
		     0, "%s", out);
	cr_expect(strstr(out, "shm/x: EOPNOTSUPP: you are in another mount namespace"), "%s", out);
	cr_expect(strstr(out, "No such process"), "%s", out);
	cr_expect(strstr(out, "\nin\n"), "%s", out);
}

/* As the kernel has it: allow_other admits the mounting user namespace and what is below it. */
t_test_bare(nested, the_host_is_not_admitted)
{
	char *out, *where = t_format("%s/where", t_scratch());

	if (geteuid() != 0)
		cr_skip_test("only root gets at another's mounts");
	const char *command = nested_command(
		"-o allow_other",
		t_format("cat $M/README > /dev/null && echo $M > %s; until [ -e %s.end ]; do sleep .01; done", where,
			 where));
	t_write(where, "");
	cr_assert_eq(chmod(where, 0666), 0);
	pid_t box = t_spawn(NULL, "sh", command);
	t_await(strchr(t_read(where), '\n'));
	t_sh(NULL, "bash",
	     t_format("read -r m < %s; p=$(grep -l \" $m \" /proc/[0-9]*/mountinfo | head -n1)\n"
		      "cat ${p%%/mountinfo}/root$m/README 2>&1; > %s.end",
		      where, where),
	     &out);
	cr_expect(strstr(out, "Permission denied"), "%s", out);
	cr_expect_eq(t_wait_exit(box, T_PATIENCE, &out), 0, "%s", out);
}

/* Users of a namespace with many: ids are shown, taken and checked as they are there. */
t_test_bare(nested, users_are_those_of_the_mounts_own_user_namespace)
{
	static const char script[] =
		"user() { setpriv --reuid=$1 --regid=$1 --clear-groups bash -c \"$2\"; }\n"
		"user 5 \"echo secret > $M/mq/q; chmod 600 $M/mq/q; echo mem > $M/shm/x; chmod 600 $M/shm/x\"\n"
		"stat -L -c %u:%g $M/mq/q $M/shm/x; user 6 \"cat $M/mq/q@one; cat $M/shm/x\"; user 5 \"cat $M/mq/q@one $M/shm/x\"\n"
		"user 5 \"unshare -Ur stat -L -c %u:%g $M/mq/q $M/mq\"\n";
	const char *device = container_device();
	char *out;

	if (geteuid() != 0)
		cr_skip_test("only root can map many users");
	t_write(t_format("%s/mapped.sh", t_scratch()),
		t_format(
			"mount --bind %s /dev/fuse; unshare -Umi sleep 60 & trap 'kill $!' EXIT\n"
			"until [ \"$(readlink /proc/$!/ns/user)\" != \"$(readlink /proc/$$/ns/user)\" ]; do sleep .01; done\n"
			"echo 0 100000 1000 > /proc/$!/uid_map; echo 0 100000 1000 > /proc/$!/gid_map\n"
			"nsenter -t $! -U -m -i -S 0 -G 0 bash %s",
			device, nested_script("-o allow_other", script)));
	cr_expect_eq(t_sh(NULL, "sh", t_format("exec unshare -m bash %s/mapped.sh", t_scratch()), &out), 0, "%s", out);
	cr_expect(strncmp(out, "5:5\n5:5\n", 8) == 0, "%s", out);
	cr_expect(strstr(out, "mq/q@one: Permission denied"), "%s", out);
	cr_expect(strstr(out, "shm/x: Permission denied"), "%s", out);
	cr_expect(strstr(out, "\nsecret\nmem\n0:0\n65534:65534\n"), "%s", out);
}

/* What the tests of containers share: mounts for all, and scripts in other namespaces. */
#ifndef TESTS_CONTAINER_H
#define TESTS_CONTAINER_H

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "harness.h"

/* The mount, for all; skips where such namespaces cannot be had. */
static inline void container_mount(const char *flags, const char *options)
{
	if (geteuid() != 0)
		cr_skip_test("only root can share the mount with everybody");
	t_need("unshare");
	if (t_sh(NULL, "sh", t_format("unshare %s true 2>/dev/null", flags), NULL) != 0)
		cr_skip_test("the kernel forbids: unshare %s", flags);
	M = t_mount_start("-o", t_format("allow_other%s", options), NULL);
}

/* A script as in a container of those namespaces, with a /dev/shm of its own where it has mounts of its own. */
static inline int inside(const char *flags, const char *script, char **out)
{
	bool mounts = strchr(flags, 'm');
	char *path = t_format("%s/inside.sh", t_scratch());

	t_write(path, script);
	return t_sh(M, "sh",
		    t_format("exec unshare %s sh -c '%s exec bash %s' 2>&1", flags,
			     mounts ? "mount -t tmpfs tmpfs /dev/shm;" : "", path),
		    out);
}

static inline void check_inside(const char *flags, const char *script, const char *expected)
{
	char *out;
	int status = inside(flags, script, &out);

	cr_expect_str_eq(out, expected);
	cr_expect_eq(status, 0, "%d: %s", status, out);
}

/* Linux 6.9: skips without it. */
static inline void shm_mount(void)
{
	char *out;

	container_mount("-m", "");
	t_write(t_format("/dev/shm/%s", t_name("probe")), "x");
	if (inside("-m", t_format("cat $M/shm/%s", t_name("probe")), &out) != 0 && strstr(out, "not supported"))
		cr_skip_test("no FUSE passthrough here (Linux 6.9, libfuse 3.13)");
}

enum { FUSE_MAJOR = 10, FUSE_MINOR = 229 };

/* An ordinary user, where we are root; he may use the node of /dev/fuse that container_device() makes. */
#define AS_USER "setpriv --reuid=54321 --regid=54321 --clear-groups "

static inline const char *container_user(void)
{
	return geteuid() == 0 ? AS_USER : "";
}

/* A node of /dev/fuse that everybody may open, as such containers are given one; the machine's stays as it is. */
static inline const char *container_device(void)
{
	char *node = t_format("%s/fuse", t_scratch());

	cr_assert_eq(chmod(t_scratch(), 0755), 0);
	if (access("/dev/fuse", R_OK | W_OK) == 0 && geteuid() != 0)
		return "/dev/fuse";
	if (geteuid() != 0 || (mknod(node, S_IFCHR | 0666, makedev(FUSE_MAJOR, FUSE_MINOR)) < 0 && errno != EEXIST) ||
	    chmod(node, 0666) < 0)
		cr_skip_test("no node of /dev/fuse can be made here");
	if (t_sh(NULL, "sh", t_format("%s test -x $IPCFS", container_user()), NULL) != 0)
		cr_skip_test("an ordinary user cannot get at the program");
	if (t_sh(NULL, "sh", t_format("exec 2>/dev/null; %s sh -c ': <>%s'", container_user(), node), NULL) != 0)
		cr_skip_test("no node of /dev/fuse can be used here");
	return node;
}

#endif

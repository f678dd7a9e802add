/* What the tests of containers share: mounts for all, and scripts in other namespaces. */
#ifndef TESTS_CONTAINER_H
#define TESTS_CONTAINER_H

#include <string.h>
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

#endif

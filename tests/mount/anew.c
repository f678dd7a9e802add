/* A name that the kernel still knows is removed, and an open makes it again at once: whatever the kind and the facets.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

TestSuite(anew, .timeout = 60);

/* A way to open a channel so that it is made. `outcome` is the open's errno; what would wait has a timeout. */
static const struct way {
	const char *kind, *facets;
	int outcome;
} ways[] = {
	{"pipe", "", 0},
	{"shm", "", 0},
	{"shm", "@size=4096", 0},
	{"mq", "", 0},
	{"mq", "@lines", 0},
	{"mq", "@nul,prio=3", 0},
	{"mq", "@ack,lines,idle=1s", 0},
	{"mq", "@maxmsg=3,msgsize=64", 0},
	{"sock", "", 0},
	{"sock", "@dgram", 0},
	{"sock", "@seqpacket", 0},
	{"sock", "@timeout=1s", 0},
	{"sock", "@listen,timeout=20ms", ETIMEDOUT},
	{"sem", "", 0},
	{"sem", "@timeout=1s", 0},
	{"sem", "@value=1,hold", 0},
	{"sem", "@hold,timeout=20ms", ETIMEDOUT},
	{"bcast", "", 0},
	{"bcast", "@lines", 0},
	{"bcast", "@last=2", 0},
};

static void remove_here(const struct way *way, const char *base, const char *path)
{
	(void)way;
	(void)base;
	cr_assert_eq(unlink(path), 0, "%s: %s", path, strerror(errno));
}

/* The kernel is not told of that one. */
static void remove_natively(const struct way *way, const char *base, const char *path)
{
	const char *name = t_format("/%s", base);

	if (strcmp(way->kind, "mq") == 0)
		cr_assert_eq(mq_unlink(name), 0);
	else if (strcmp(way->kind, "shm") == 0)
		cr_assert_eq(shm_unlink(name), 0);
	else if (strcmp(way->kind, "sem") == 0)
		cr_assert_eq(sem_unlink(name), 0);
	else
		remove_here(way, base, path);
}

static void make_again(const struct way *way, void (*removal)(const struct way *, const char *, const char *),
		       int flags)
{
	const char *base = t_name("n"), *path = t_path(M, "%s/%s", way->kind, base);
	const char *facet = t_format("%s%s", path, way->facets);
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);
	int outcome;

	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	close(fd);
	/* It may ask for another size than that of the present one. */
	cr_assert(stat(facet, &st) == 0 || errno == EEXIST, "%s: %s", facet, strerror(errno));
	removal(way, base, path);
	fd = open(facet, flags | O_CREAT | O_CLOEXEC, 0600);
	outcome = fd < 0 ? errno : 0;
	cr_expect_eq(outcome, way->outcome, "%s%s: %s", way->kind, way->facets, strerror(outcome));
	if (fd >= 0)
		close(fd);
	unlink(path);
}

static void each_way_makes_again(void (*removal)(const struct way *, const char *, const char *))
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		make_again(&ways[i], removal, O_RDWR);
		/* A FIFO that is opened for one direction waits for the other. */
		if (strcmp(ways[i].kind, "pipe") != 0)
			make_again(&ways[i], removal, O_WRONLY | O_TRUNC);
	}
}

t_test(anew, each_kind_and_facet_behind_a_removal)
{
	each_way_makes_again(remove_here);
}

t_test(anew, each_kind_and_facet_behind_a_native_removal)
{
	each_way_makes_again(remove_natively);
}

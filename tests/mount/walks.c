/* Opens that a helper's walk along a path is needed for: NAME@connect=PATH. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "harness.h"

TestSuite(walks, .timeout = 60);

/* More than one user may have helpers for: lib/core/instance.h has 16. */
enum { MANY = 40 };

static pthread_barrier_t together;

struct opener {
	pthread_t thread;
	char *path;
	int err;
};

static void *open_one(void *arg)
{
	struct opener *o = arg;

	pthread_barrier_wait(&together);
	o->err = open(o->path, O_RDWR | O_CLOEXEC) < 0 ? errno : 0;
	return NULL;
}

/*
 * Each one's helper comes by a link to a name of this mount that takes one more helper to be looked up, and waits for
 * that one. There is nothing where the way ends, and all are told so.
 */
t_test(walks, walks_that_lead_to_other_names_of_the_mount_do_not_wait_for_each_other)
{
	static struct opener opener[MANY];
	char *link = t_format("%s/link", t_scratch());

	cr_assert_eq(symlink(t_path(M, "sock/b@connect=%s/none/x", t_scratch()), link), 0);
	for (int i = 0; i < MANY; i++) {
		opener[i].path = t_path(M, "sock/a%d", i);
		close(t_open(t_format("%s@connect=%s", opener[i].path, link), O_WRONLY | O_CREAT | O_NONBLOCK));
	}
	pthread_barrier_init(&together, NULL, MANY);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(pthread_create(&opener[i].thread, NULL, open_one, &opener[i]), 0);
	for (int i = 0; i < MANY; i++) {
		pthread_join(opener[i].thread, NULL);
		cr_expect_eq(opener[i].err, ENOENT, "a%d: %d", i, opener[i].err);
	}
}

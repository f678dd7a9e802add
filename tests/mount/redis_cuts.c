/* The connection to a Redis, cut at bytes all over each operation: tests/redis_cuts.py. */
#include "redis.h"

#include <string.h>
#include <unistd.h>

TestSuite(redis_cuts, .timeout = 110);

t_test_bare(redis_cuts, nothing_is_lost_or_doubled_wherever_the_connection_is_cut)
{
	char where[PATH_MAX];
	char *said;

	redis_need();
	t_need("python3");
	cr_assert(getcwd(where, sizeof(where)));
	if (access(t_format("%s/tests/redis_cuts.py", where), R_OK) < 0)
		cr_skip_test("not in the source's directory");
	/* Its mounts are below the scratch directory, where they do not outlive the test, should it be killed. */
	pid_t cuts = t_spawn(NULL, "bash", t_format("TMPDIR=$PWD exec python3 -B %s/tests/redis_cuts.py 12", where));
	cr_assert_eq(t_wait_exit(cuts, 100000, &said), 0, "%s", said);
	cr_assert(strstr(said, "all right"), "%s", said);
}

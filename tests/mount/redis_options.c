/* The options of a mount over a Redis, and what such a mount says of itself. */
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(redis_options, .timeout = 60);

/* What ipcfs says to -o OPTION, by which it must not mount anything. */
static const char *complaint(const char *option)
{
	char *said;

	if (t_sh(NULL, "bash", t_format("mkdir -p m; exec timeout 10 \"$IPCFS\" -f -o '%s' m", option), &said) != 1)
		t_fail("-o %s: it was taken, or something else: %s", option, said);
	return said;
}

static bool says(const char *option, const char *part)
{
	const char *said = complaint(option);

	if (strstr(said, "without hiredis"))
		cr_skip_test("the build is without hiredis");
	if (!strstr(said, part))
		fprintf(stderr, "-o %s: %s", option, said);
	return strstr(said, part);
}

t_test_bare(redis_options, a_bad_address_is_named_with_what_would_be_one)
{
	cr_assert(says("redis=", "an address is needed"));
	cr_assert(says("redis=host:0", "a port is a number from 1 to 65535"));
	cr_assert(says("redis=redis://host", "it is HOST, HOST:PORT, or the path of a Unix socket"));
	cr_assert(says("redis=me@host", "redis_password_file"));
	cr_assert(says("redis=run/redis.sock", "begins with '/'"));
}

t_test_bare(redis_options, what_only_a_redis_has_is_refused_without_one)
{
	cr_assert(says("redis_prefix=p", "redis=ADDR"));
	cr_assert(says("redis_replicas=1", "redis=ADDR"));
}

t_test_bare(redis_options, a_prefix_with_braces_is_refused)
{
	cr_assert(says("redis=host,redis_prefix=a{b", "no '{' or '}'"));
}

t_test_bare(redis_options, a_password_file_that_cannot_be_read_or_is_empty_is_refused)
{
	cr_assert(says("redis=host,redis_password_file=/nowhere/at/all", "No such file"));
	cr_assert(says("redis=host,redis_password_file=/dev/null", "its first line is empty"));
	cr_assert(says("redis=host,redis_user=me", "redis_password_file=FILE"));
}

t_test_bare(redis_options, a_kind_that_no_redis_has_is_refused_with_those_it_has)
{
	cr_assert(says("redis=host,kinds=pipe", "in a Redis there are mq"));
}

t_test_bare(redis_options, replicas_are_a_number)
{
	cr_assert(says("redis=host,redis_replicas=many", "a whole number from 0 to 100"));
}

t_test_bare(redis_options, a_lease_is_a_number_of_seconds)
{
	cr_assert(says("redis_lease=10", "redis=ADDR"));
	cr_assert(says("redis=host,redis_lease=2", "a whole number from 3 to 3600"));
	cr_assert(says("redis=host,redis_lease=1h", "a whole number from 3 to 3600"));
}

t_test_bare(redis_options, the_mounts_readme_says_where_the_channels_are)
{
	struct redis server = redis_start(NULL);
	struct t_mount *m = redis_mount(&server, "A", "redis_prefix=some:");
	const char *text = t_read(t_path(m, "README"));

	cr_assert(strstr(text, server.socket));
	cr_assert(strstr(text, "some:"));
	cr_assert_not(strstr(text, "sig/"));
}

t_test_bare(redis_options, a_mount_of_some_kinds_has_only_those)
{
	struct redis server = redis_start(NULL);

	redis_mount(&server, "A", "kinds=mq");
	t_check("cd $A; echo *", "README errors events mq status\n");
}

t_test_bare(redis_options, mounts_with_different_prefixes_have_different_channels)
{
	struct redis server = redis_start(NULL);

	redis_mount(&server, "A", "redis_prefix=a*:");
	redis_mount(&server, "B", "redis_prefix=b:");
	t_check("echo of a > $A/mq/q; echo of b > $B/mq/q; cat $A/mq/q@one $B/mq/q@one; ls $A/mq", "of a\nof b\nq\n");
}

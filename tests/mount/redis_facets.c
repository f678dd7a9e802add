/* /mq over a Redis: the facets that say what a message is. */
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(redis_facets, .timeout = 60);

static struct redis server;

static void make(void)
{
	server = redis_start(NULL);
	M = redis_mount(&server, "A", NULL);
	redis_mount(&server, "B", NULL);
}

t_test_bare(redis_facets, nul_cuts_at_nul)
{
	make();
	t_check("printf 'a\\nb\\0c\\0d' >$A/mq/q@nul; cat $B/mq/q@nul,drain | tr '\\0' ,", "a\nb,c,d,");
}

t_test_bare(redis_facets, msgsize_bounds_a_message_on_every_machine)
{
	make();
	t_check("touch $A/mq/q@msgsize=8; printf 12345678 >$B/mq/q; printf 123456789 2>&1 >$B/mq/q | grep -o 'Message too long'\n"
		"printf '12345678\\n' >$B/mq/q@lines; printf 'no\\n123456789\\n' 2>&1 >$B/mq/q@lines | grep -o 'Message too long'\n"
		"cat $A/mq/q@lines,drain",
		"Message too long\nMessage too long\n12345678\n12345678\nno\n");
	cr_assert_eq(t_ctl(M, "mq/q", "msgsize"), 8);
}

t_test_bare(redis_facets, limits_of_a_queue_that_exists_are_not_changed_by_opening_it)
{
	make();
	t_check("touch $A/mq/q@maxmsg=5,msgsize=8", "");
	t_check_errno(open(t_path(M, "mq/q@maxmsg=6"), O_WRONLY | O_CREAT, 0600), EEXIST);
	cr_assert(t_refused("maxmsg=5"));
	t_check_errno(open(t_path(M, "mq/q@msgsize=9"), O_WRONLY | O_CREAT, 0600), EEXIST);
	cr_assert(t_refused("msgsize=8"));
}

t_test_bare(redis_facets, idle_ends_a_reader_and_timeout_fails_it)
{
	make();
	t_check("seq 2 >$A/mq/q@lines; cat $B/mq/q@lines,idle=0.2s; echo $?; cat $B/mq/q@timeout=0.2s 2>&1 | grep -o 'timed out'",
		"1\n2\n0\ntimed out\n");
}

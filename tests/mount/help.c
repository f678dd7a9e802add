/* NAME@help: what a kind takes, for those who have nothing but the mount. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"

TestSuite(help, .timeout = 60);

t_test(help, lists_the_facets_of_the_kind)
{
	char *mq = t_read(t_path(M, "mq/nothing@help")), *sem = t_read(t_path(M, "sem/nothing@help"));

	cr_assert(strstr(mq, "prio=0..32767") && strstr(mq, "M/mq/NAME@lines,prio=9"), "%s", mq);
	cr_assert_not(strstr(mq, "NAME@hold"));
	cr_assert(strstr(sem, "hold") && strstr(sem, "help"), "%s", sem);
}

t_test(help, is_there_for_every_kind)
{
	t_check("for k in pipe shm mq sock sem bcast; do grep -q \"^/$k takes\" $M/$k/x@help || echo $k; done; "
		"grep -q '^/sig takes' $M/sig/$$@help || echo sig; grep -q '^/net takes' $M/net/tcp/h/80@help || echo net",
		"");
}

t_test(help, makes_no_channel)
{
	t_check("cat $M/mq/${P}n@help >/dev/null; touch $M/mq/${P}n@help; ls $M/mq | grep -c ${P}n; :", "0\n");
}

t_test(help, takes_no_writes)
{
	t_check_errno(open(t_path(M, "bcast/x@help"), O_WRONLY), EACCES);
	t_check_errno(chmod(t_path(M, "bcast/x@help"), 0600), EINVAL);
}

t_test(help, is_named_where_a_facet_is_refused)
{
	t_check_errno(open(t_path(M, "mq/x@linse"), O_RDONLY), EINVAL);
	cr_assert(t_refused("mq/NAME@help"));
	t_check_errno(open(t_path(M, "net/tcp/h/80@linse"), O_RDONLY), EINVAL);
	cr_assert(t_refused("net/tcp/HOST/PORT@help"));
}

t_test(help, is_named_where_an_object_contradicts_a_facet)
{
	t_check("touch $M/sock/${P}s $M/shm/${P}s; for f in mq/${P}q@fifo sock/${P}s@dgram shm/${P}s@size=9; do "
		"touch $M/mq/${P}q; : 2>/dev/null <>$M/$f; tail -n1 $M/errors | grep -o '([a-z]*/.*)'; done",
		"(mq/NAME@help explains it)\n(sock/NAME@help explains it)\n(shm/NAME@help explains it)\n");
}

t_test(help, has_examples_with_names_as_the_kind_has_them)
{
	t_check("grep -o 'M/sig/PID@timeout=5s' $M/sig/$$@help; grep -o 'M/net/tcp/HOST/PORT@listen' $M/net/tcp/h/80@help",
		"M/sig/PID@timeout=5s\nM/net/tcp/HOST/PORT@listen\n");
}

/* What whoever starts ipcfs leaves to it, and it does not keep. */
#include <unistd.h>

#include "harness.h"

TestSuite(inherit, .timeout = 60);

/* Starts $IPCFS in the foreground on d, by what stands in front of it; the script's own end unmounts. */
#define START(how)                                                                                                     \
	"mkdir d; trap 'kill $D 2>/dev/null; wait $D 2>/dev/null' EXIT; (" how "exec $IPCFS -f $O d) & D=$!; "         \
	"while ! [ -e d/README ]; do sleep 0.01; done; "

t_test(inherit, a_permit_that_its_starter_held_comes_back)
{
	t_check("touch $M/sem/${P}x@value=1; exec 7<$M/sem/${P}x@hold; mkdir d; $IPCFS d; exec 7<&-; "
		"timeout 10 cat $M/sem/${P}x; " T_UNMOUNT("d"),
		"0\n");
}

t_test(inherit, closed_standard_descriptors_are_nobody_elses)
{
	t_check(START("exec <&- >&- 2>&-; ") "readlink /proc/$D/fd/0 /proc/$D/fd/1 /proc/$D/fd/2",
		"/dev/null\n/dev/null\n/dev/null\n");
}

t_test(inherit, a_limit_on_files_does_not_end_it)
{
	t_check(START("ulimit -S -f 1; ") "set -C; head -c 100000 /dev/zero >d/shm/${P}big; wc -c </dev/shm/${P}big; "
					  "rm d/shm/${P}big; kill -0 $D && echo lives",
		"100000\nlives\n");
}

t_test(inherit, a_starter_that_ignores_its_children_does_no_harm)
{
	if (geteuid() != 0)
		cr_skip_test("only root's mount acts for others");
	t_need("setpriv");
	t_need("python3");
	t_check("mkdir d; python3 -c 'import os, signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
		"os.execv(os.environ[\"IPCFS\"], [\"ipcfs\", \"-o\", \"allow_other\", \"d\"])'; "
		"setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'trap \"\" USR1; echo USR1 >d/sig/$$ && echo sent'; " T_UNMOUNT(
			"d"),
		"sent\n");
}

t_test(inherit, a_blocked_SIGBUS_does_not_end_it)
{
	t_need("python3");
	t_check("mkdir d; python3 -c 'import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGBUS]); "
		"os.execv(os.environ[\"IPCFS\"], [\"ipcfs\", \"d\"])'; "
		"touch d/sem/${P}x@value=1; exec 8<d/sem/${P}x; truncate -s 0 /dev/shm/sem.${P}x; "
		"read -r v <&8 2>/dev/null; head -c 2 d/README | wc -c; exec 8<&-; " T_UNMOUNT("d"),
		"2\n");
}

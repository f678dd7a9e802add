/* What walks through the mount takes nothing; and where the mount is, out of the way of most that walk. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(walker, .timeout = 60);

/* A queue with a message, a semaphore with two permits, and what else would make a reader wait for ever. */
static void furnish(void)
{
	t_name("");
	t_bash(0,
	       "cd $M; touch mq/$P@maxmsg=4,msgsize=64 sem/$P@value=2 bcast/$P sock/$P; mkfifo pipe/$P; echo job > mq/$P\n"
	       "echo object > shm/$P");
}

static void expect_all_there(void)
{
	t_check("cd $M; grep ^messages= mq/$P@ctl; grep ^value= sem/$P@ctl; cat shm/$P\n"
		"for k in mq sem bcast sock pipe shm; do [ -e $k/$P ] || echo no $k; done",
		"messages=1\nvalue=2\nobject\n");
}

static void clear_up(void)
{
	t_bash(0, "cd $M; rm mq/$P sem/$P bcast/$P sock/$P pipe/$P shm/$P");
}

t_test(walker, grep_and_find_and_tar_take_nothing)
{
	furnish();
	t_bash(0, "timeout 20 grep -rs needle $M; [ $? != 124 ]");
	expect_all_there();
	t_bash(0, "timeout 20 tar cf copy.tar -C $M mq sem bcast sock pipe 2>/dev/null; [ $? != 124 ]");
	expect_all_there();
	t_bash(0, "timeout 20 cp -r $M/mq $M/sem copy 2>/dev/null; [ $? != 124 ]");
	expect_all_there();
	clear_up();
}

t_test(walker, a_recursive_removal_removes_no_channel)
{
	furnish();
	t_bash(1, "exec rm -rf $M/* 2>/dev/null");
	expect_all_there();
	t_bash(1, "exec find $M/mq $M/sem $M/pipe -name \"$P\" -delete 2>/dev/null");
	expect_all_there();
	cr_assert(t_refused("EPERM") && t_refused("walkers=allow"));
	clear_up();
}

t_test(walker, shells_that_list_and_name_are_none)
{
	furnish();
	t_check("cd $M/mq; for q in $P*; do read -r x < $q; echo $x; done; ls | grep -c ^$P; echo more > $P; cat < $P@drain\n"
		"cd ..; rm -f mq/$P* sem/$P* bcast/$P* sock/$P* pipe/$P*; rm -f shm/$P*; ls */$P* 2>/dev/null; true",
		"job\n1\nmore\n");
}

t_test(walker, a_facet_says_that_it_is_meant)
{
	struct queue q = queue_make("q", 4, 64);

	t_need("python3");
	setenv("Q", q.name, 1);
	queue_send(&q, "job", 0);
	t_check("python3 - <<'E'\nimport os\nM, Q = os.environ['M'], os.environ['Q']\n"
		"with os.scandir(M + '/mq') as entries:\n"
		"    try: open(M + '/mq/' + Q)\n"
		"    except PermissionError: print('refused')\n"
		"    print(open(M + '/mq/' + Q + '@drain').read())\n"
		"    open(M + '/mq/' + Q, 'w').write('written')\nE\n",
		"refused\njob\n");
	cr_assert_eq(queue_depth(&q), 1);
}

t_test_bare(walker, policies_differ_in_who_is_one)
{
	static const char *const options[] = {"-owalkers=allow", "-owalkers=refuse", "-owalkers=strict"};
	/* While the directory is open, and behind. */
	static const char *const expected[] = {"read\nread\n", "refused\nread\n", "refused\nrefused\n"};

	t_need("python3");
	for (int i = 0; i < 3; i++) {
		struct t_mount *m = t_mount_start(options[i], NULL);
		char *out;

		cr_assert_eq(t_sh(m, "bash",
				  "touch $M/bcast/b; exec python3 - <<'E'\nimport os\nb = os.environ['M'] + '/bcast'\n"
				  "def take():\n"
				  "    try: os.close(os.open(b + '/b', os.O_RDONLY)); print('read')\n"
				  "    except PermissionError: print('refused')\n"
				  "with os.scandir(b): take()\n"
				  "take()\nE",
				  &out),
			     0);
		cr_expect_str_eq(out, expected[i], "%s: %s", options[i], out);
		t_mount_stop(m);
	}
}

t_test_bare(walker, a_policy_must_be_known)
{
	char *out;

	cr_assert_neq(t_sh(NULL, "bash", "exec $IPCFS -o walkers=all .", &out), 0);
	cr_assert(strstr(out, "refuse, strict or allow"), "%s", out);
}

/* --- where it is mounted --- */

t_test_bare(walker, root_mounts_below_run_and_says_where)
{
	char *out;

	if (geteuid() != 0 || access("/run/ipc", F_OK) == 0)
		cr_skip_test("for root, where /run/ipc is not in use");
	t_need_fuse();
	cr_assert_eq(t_sh(NULL, "bash",
			  "m=$($IPCFS) && echo $m && echo hi > $m/bcast/b && cat $m/bcast/b@last=1,n=1; " T_UNMOUNT(
				  "$m") "; rmdir $m",
			  &out),
		     0, "%s", out);
	cr_assert_str_eq(out, "/run/ipc\nhi\n");
}

t_test_bare(walker, a_user_mounts_in_his_runtime_directory)
{
	char *out;

	t_need("setpriv");
	if (geteuid() != 0)
		cr_skip_test("for root, to become a user");
	t_need_fuse();
	setenv("D", t_scratch(), 1);
	if (t_sh(NULL, "bash", "setpriv --reuid 65534 --regid 65534 --clear-groups test -w /dev/fuse", NULL) != 0)
		cr_skip_test("/dev/fuse is closed to users here");
	cr_assert_eq(
		t_sh(NULL, "bash",
		     "mkdir $D/run && chown 65534:65534 $D/run && cp $IPCFS $D/run/ipcfs\n"
		     "exec setpriv --reuid 65534 --regid 65534 --clear-groups env XDG_RUNTIME_DIR=$D/run bash -c '\n"
		     "m=$($D/run/ipcfs) && echo ${m#$D} && ls $m | grep -c mq; fusermount3 -u $m'",
		     &out),
		0, "%s", out);
	cr_assert_str_eq(out, "/run/ipc\n1\n");
}

t_test_bare(walker, without_any_place_it_says_so)
{
	char *out;

	t_need("setpriv");
	if (geteuid() != 0)
		cr_skip_test("for root, to become a user");
	cr_assert_neq(
		t_sh(NULL, "bash", "cp $IPCFS ipcfs; exec setpriv --reuid 65534 --clear-groups env -i ./ipcfs", &out),
		0);
	cr_assert(strstr(out, "neither XDG_RUNTIME_DIR nor HOME"), "%s", out);
}

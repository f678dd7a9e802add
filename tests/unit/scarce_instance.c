/* Memory or descriptors run out: the texts, other users, and the instance itself. */
#include "scarcity.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/*
 * --- texts ----------------------------------------------------------------------------------------------------------
 */

static int text_of(int (*write)(FILE *), char **text)
{
	struct ipc_text t;
	FILE *out = ipc_text_open(&t);
	int r, whole;

	if (!out)
		return -ENOMEM;
	r = write(out);
	whole = ipc_text_close(&t);
	if (r == 0 && whole == 0)
		*text = t.data;
	else
		free(t.data);
	return r < 0 ? r : whole;
}

static int write_status(FILE *out)
{
	return u_text_status(ipc, &me, IPC_STATUS_LINES, out);
}

static int write_json(FILE *out)
{
	return u_text_status(ipc, &me, IPC_STATUS_JSON, out);
}

static int write_metrics(FILE *out)
{
	return u_text_status(ipc, &me, IPC_STATUS_METRICS, out);
}

static int write_dot(FILE *out)
{
	return u_text_status(ipc, &me, IPC_STATUS_DOT, out);
}

static int write_errors(FILE *out)
{
	ipc_text_errors(ipc, &me, out);
	return 0;
}

static int write_readme(FILE *out)
{
	ipc_text_readme(ipc, out);
	return 0;
}

/* Whole or not at all. */
static void text_has(int (*write)(FILE *), const char *word)
{
	char *text = NULL;

	lean_ok(text_of(write, &text));
	cr_assert(text && strstr(text, word), "no %s in '%s'; %s", word, text, scarce_where());
	free(text);
}

static void read_texts(void)
{
	struct ipc_ref ref;

	scarce_create(&ipc_mq, "q@maxmsg=1,msgsize=16");
	scarce_create(&ipc_shm, "s");
	scarce_create(&ipc_sem, "t");
	text_has(write_status, " q\n");
	text_has(write_status, " s\n");
	text_has(write_json, "\"name\": \"t\"");
	text_has(write_metrics, "ipcfs_limit{kind=\"mq\",name=\"q\"} 1\n");
	text_has(write_dot, "digraph");
	text_has(write_readme, "M/status");
	cr_assert_eq(lean(ipc_resolve(ipc, &me, &ipc_mq, "q@nonsense", &ref)), -EINVAL);
	text_has(write_errors, "EINVAL");
	scarce_unlink(&ipc_mq, "q");
	scarce_unlink(&ipc_shm, "s");
	scarce_unlink(&ipc_sem, "t");
}

Test(scarce, texts)
{
	scarce_run(read_texts, NULL);
}

/*
 * --- looking beyond the mount, other users, the instance ------------------------------------------------------------
 */

static bool looked;

static void look_done(struct ipc_look *look)
{
	(void)look;
	looked = true;
}

static void look_far(void)
{
	struct ipc_look look = {.cred = me, .done = look_done};
	int64_t end = ipc_now() + INT64_C(10000000000);

	look.ref = scarce_ref(&ipc_sock, "f@connect=/usr");
	cr_assert_eq(lean(ipc_stat(ipc, &me, &look.ref, &look.st)), -EINPROGRESS);
	looked = false;
	lean_ok(ipc_look(ipc, &look));
	while (!looked && ipc_now() < end)
		lean_ok(ipc_loop_turn(loop, 1));
	cr_assert(looked);
	/* What lies on the mount's own device is not looked at, and a directory plays the mount here. */
	cr_assert(look.result == -ENOENT || scarce_is_to_blame(look.result), "%d", look.result);
}

Test(scarce, look)
{
	scarce_run(look_far, NULL);
}

static void act_for_another(void)
{
	struct ipc_cred own = me;
	struct file f;

	me.uid = me.gid = 54321;
	scarce_create(&ipc_mq, "q@maxmsg=1,msgsize=16");
	f = scarce_open(&ipc_mq, "q", O_RDWR);
	put_all(&f, "x");
	get(&f, "x", 64);
	scarce_close(&f);
	listed(&ipc_sig, "1");
	scarce_unlink(&ipc_mq, "q");
	me = own;
}

Test(scarce, another_user)
{
	struct ipc_options options = {.shared = true, .quota = {100, 100, 100, 1 << 20}};

	if (geteuid() != 0)
		cr_skip_test("only root acts for others");
	scarce_run(act_for_another, &options);
}

static void start_and_stop(void)
{
	scarce_start();
	scarce_create(&ipc_sock, "s");
	scarce_stop();
}

Test(scarce, instance)
{
	scarce_run_bare(start_and_stop, NULL);
}

static void hold_and_die(void)
{
	alarm(10); /* an assertion that fails here would hang */
	scarce_start();
	scarce_open(&ipc_sem, "s@hold", O_RDONLY);
	kill(getpid(), SIGKILL);
}

static bool has_permit(void)
{
	struct ipc_ref ref = scarce_ref(&ipc_sem, "s");
	struct ipc_depth depth = {.value = -1};

	ipc_sem.names->depth(ipc, &ref, &depth);
	return depth.value == 1;
}

/* What a crash held must not be lost by a start that has not the means to give it back. */
static void recover(void)
{
	int64_t end = ipc_now() + INT64_C(10000000000);
	int status;
	pid_t pid;

	scarce_start();
	scarce_create(&ipc_sem, "s@value=1");
	pid = fork();
	if (pid == 0)
		hold_and_die();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x; %s", (unsigned)status, scarce_where());
	scarce_stop();
	scarce_start();
	scarce_stop();
	/* Any start on this machine finds what a crash left, so another test may be just at it. */
	scarce_spare(true);
	scarce_start();
	while (!has_permit() && ipc_now() < end) {
		scarce_stop();
		scarce_start();
	}
	cr_assert(has_permit(), "the permit was lost %s", scarce_where());
	scarce_unlink(&ipc_sem, "s");
	scarce_stop();
	scarce_spare(false);
}

Test(scarce, recovery)
{
	scarce_run_bare(recover, NULL);
}

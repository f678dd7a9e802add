/* Work that is owed, over a Redis: mq with ack and lease. */
#include "redis.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(redis_ack, .timeout = 90);

static struct redis server;
static struct t_mount *a, *b;

static void make_with(int jobs)
{
	server = redis_start(NULL);
	a = redis_mount(&server, "A", NULL);
	b = redis_mount(&server, "B", NULL);
	M = a;
	t_check(t_format("touch $A/mq/q; seq -f job%%g %d >$A/mq/q@lines", jobs), "");
	/* Its daemon's last call, which comes behind the close. */
	t_await(strcmp(redis_say(&server, "EXISTS 'ipcfs:{mq/q}:r'"), "0\n") == 0);
}

static long scripts_called(void)
{
	const char *said = redis_say(&server, "INFO commandstats | grep -o 'evalsha:calls=[0-9]*' | cut -d= -f2");

	return strtol(said, NULL, 10);
}

/* Whoever has the next job has settled the one before, even if his daemon dies at once. */
t_test_bare(redis_ack, asking_for_more_settles_and_takes_in_one_call)
{
	char job[16];
	int fd;

	make_with(3);
	fd = t_open(t_path(b, "mq/q@lines,ack"), O_RDONLY);
	cr_assert_eq(read(fd, job, sizeof(job)), 5);
	long before = scripts_called();
	cr_assert_eq(read(fd, job, sizeof(job)), 5);
	cr_assert_eq(strncmp(job, "job2\n", 5), 0);
	cr_assert_eq(scripts_called(), before + 1);
	cr_assert_str_eq(redis_say(&server, "HLEN 'ipcfs:{mq/q}:o'"), "1\n");
	close(fd);
}

/* It waits for more, and is killed while it does: what it had done is done. */
t_test_bare(redis_ack, waiting_for_more_settles)
{
	make_with(1);
	pid_t worker = t_spawn(b, "bash", "exec cat $M/mq/q@lines,ack");

	t_await_waiters(b, "mq/q", 1);
	t_await(t_ctl(a, "mq/q", "owed") == 0);
	kill(worker, SIGKILL);
	t_wait_exit(worker, T_PATIENCE, &(char *){NULL});
	t_check("cat $A/mq/q@drain; grep -E '^(messages|owed|given_back)=' $A/mq/q@ctl",
		"messages=0\nowed=0\ngiven_back=0\n");
}

t_test_bare(redis_ack, a_batch_is_settled_by_the_next)
{
	make_with(3000);
	t_check("cat $B/mq/q@lines,ack,batch,idle=0.3s | wc -l; grep -E '^(messages|owed)=' $A/mq/q@ctl",
		"3000\nmessages=0\nowed=0\n");
}

/* A call brings no more than one read hands over, so that the next read settles it by its own. */
t_test_bare(redis_ack, a_batch_is_settled_by_the_call_that_takes_the_next)
{
	char jobs[8192];
	long calls, begin, most = 0;
	int fd;

	make_with(3000);
	fd = t_open(t_path(b, "mq/q@lines,ack,batch,drain"), O_RDONLY);
	begin = t_deadline(0);
	calls = scripts_called();
	for (int i = 1; read(fd, jobs, sizeof(jobs)) > 0; i++) {
		long owed = strtol(redis_say(&server, "HLEN 'ipcfs:{mq/q}:o'"), NULL, 10);

		most = owed > most ? owed : most;
		/* A daemon that was quiet for a second makes a call to say what need not be kept for it. */
		cr_assert_leq(scripts_called(), calls + i + (t_deadline(0) - begin) / 1000);
	}
	cr_assert(most > 500 && most < 2000, "%ld", most);
	cr_assert_str_eq(redis_say(&server, "HLEN 'ipcfs:{mq/q}:o'"), "0\n");
	close(fd);
}

t_test_bare(redis_ack, a_lease_takes_the_job_from_a_reader_that_hangs)
{
	char *out;

	make_with(1);
	pid_t pid = t_spawn(b, "bash", "exec 3<$M/mq/q@lines,ack,lease=200ms; read -r -u3 job; kill -STOP $$; exit 0");
	t_await(t_ctl(a, "mq/q", "owed") == 1);
	pid_t other = t_spawn(a, "bash", "exec cat $M/mq/q@lines,ack,meta,one");
	cr_assert_eq(t_wait_exit(other, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "0\t2\tjob1\n");
	kill(pid, SIGCONT);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
	t_await(t_ctl(a, "mq/q", "owed") == 0);
	t_check("grep -E '^(messages|given_back)=' $A/mq/q@ctl; grep -c lease $B/errors",
		"messages=0\ngiven_back=0\n1\n");
}

/* /mq over a Redis that fails: cut connections, refusals, and what is not as it should be. */
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(redis_faults, .timeout = 110);

static struct redis server;

static void make(const char *options)
{
	server = redis_start(options);
	M = redis_mount(&server, "A", NULL);
}

t_test_bare(redis_faults, a_cut_connection_loses_and_doubles_nothing)
{
	char *got;

	t_need("socat");
	make(NULL);
	const char *proxy = t_format("exec socat UNIX-LISTEN:%s/proxy,fork,unlink-early UNIX-CONNECT:%s", t_scratch(),
				     server.socket);
	struct redis through = {.pid = t_spawn(NULL, "bash", proxy)};

	snprintf(through.socket, sizeof(through.socket), "%s/proxy", t_scratch());
	t_await(access(through.socket, F_OK) == 0);
	struct t_mount *b = redis_mount(&through, "B", NULL);
	t_check("touch $A/mq/q@maxmsg=300", "");
	pid_t writer = t_spawn(b, "bash",
			       "for i in {1..30}; do seq $((i*300-299)) $((i*300)); sleep 0.02; done >$M/mq/q@lines");
	pid_t reader = t_spawn(b, "bash", "cat $M/mq/q@lines,n=9000 | cmp - <(seq 9000) && echo same");
	for (int i = 0; i < 6; i++) {
		usleep(150000); /* some of the lines pass between two cuts */
		kill(-through.pid, SIGKILL);
		t_wait_exit(through.pid, T_PATIENCE, &got);
		through.pid = t_spawn(NULL, "bash", proxy);
	}
	cr_assert_eq(t_wait_exit(writer, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &got), 0);
	cr_assert_str_eq(got, "same\n");
	t_check("grep -E '^(messages|owed)=' $A/mq/q@ctl", "messages=0\nowed=0\n");
}

t_test_bare(redis_faults, a_server_without_memory_is_enospc)
{
	make("--maxmemory 2mb --maxmemory-policy noeviction");
	t_check("touch $A/mq/q; for i in {1..200}; do printf '%08000d\\n' $i >$A/mq/q@lines || exit; done 2>&1 | grep -o 'No space.*'\n"
		"cat $A/mq/q@lines,one | wc -c",
		"No space left on device\n8001\n");
	cr_assert(t_refused("maxmemory"));
}

t_test_bare(redis_faults, without_memory_readers_wait_and_get_what_is_there)
{
	make("--maxmemory-policy noeviction");
	t_check("echo x >$A/mq/q; echo 1 >$A/sem/s; redis-cli -s $S CONFIG SET maxmemory 1\n"
		"cat $A/mq/q@one; timeout 1 cat $A/mq/q; echo $?; cat $A/mq/q@timeout=0.2s 2>&1 | grep -o 'timed out'\n"
		"cat $A/sem/s; timeout 1 cat $A/sem/s; echo $?",
		"OK\nx\n124\ntimed out\n0\n124\n");
}

t_test_bare(redis_faults, a_key_of_another_type_is_eio_and_says_so)
{
	make(NULL);
	redis_say(&server, "SET 'ipcfs:{mq/q}:m' hello");
	t_check_errno(open(t_path(M, "mq/q"), O_RDONLY), EIO);
	cr_assert(t_refused("WRONGTYPE"));
}

t_test_bare(redis_faults, a_replica_is_read_only)
{
	make(NULL);
	t_check("echo x >$A/mq/q", "");
	redis_say(&server, "REPLICAOF 127.0.0.1 1");
	t_check("cat $A/mq/q@timeout=5s 2>&1 | grep -o 'Read-only.*'; ls $A/mq", "Read-only file system\nq\n");
	cr_assert(t_refused("READONLY"));
}

t_test_bare(redis_faults, a_server_that_is_away_when_a_mount_begins_is_waited_for)
{
	make(NULL);
	redis_kill(&server);
	struct t_mount *b = redis_mount(&server, "B", NULL);
	pid_t writer = t_spawn(b, "bash", "echo x >$M/mq/q");

	t_await(t_in_request(writer));
	redis_again(&server);
	cr_assert_eq(t_wait_exit(writer, T_PATIENCE, NULL), 0);
	t_check("cat $A/mq/q@one", "x\n");
}

t_test_bare(redis_faults, a_call_on_a_name_gives_up_when_the_server_stays_away)
{
	make(NULL);
	kill(server.pid, SIGSTOP);
	t_check_errno(open(t_path(M, "mq/q"), O_RDONLY), EHOSTDOWN);
	cr_assert(t_refused("does not answer"));
	kill(server.pid, SIGCONT);
}

/* Nobody is told: whoever has it open hears that it is gone, and the next makes it anew. */
t_test_bare(redis_faults, a_server_that_was_emptied_begins_anew)
{
	make(NULL);
	t_check("touch $A/mq/q $A/sem/s; exec 3>$A/mq/q; redis-cli -s $S FLUSHALL\n"
		"echo x 2>&1 >&3 | grep -o 'Identifier removed'; echo y >$A/mq/q && cat $A/mq/q@one\n"
		"cat $A/sem/s@ctl >/dev/null 2>&1; echo 1 >$A/sem/s; cat $A/sem/s",
		"OK\nIdentifier removed\ny\n0\n");
	cr_assert(t_refused("it was removed, or the Redis was emptied (FLUSHALL)"));
}

t_test_bare(redis_faults, answers_that_came_are_not_kept_in_the_server)
{
	make(NULL);
	t_check("seq 100 >$A/mq/q@lines; cat $A/mq/q@lines,n=100 >/dev/null", "");
	t_await(strcmp(redis_say(&server, "KEYS '*'"), "ipcfs:{mq/q}:m\n") == 0);
}

t_test_bare(redis_faults, jobs_survive_their_workers_their_daemons_and_the_redis)
{
	char where[PATH_MAX];
	char *said;

	t_need("redis-server");
	t_need("python3");
	t_need("dash");
	cr_assert(getcwd(where, sizeof(where)));
	if (access(t_format("%s/tests/soak_redis.py", where), R_OK) < 0)
		cr_skip_test("not in the source's directory");
	pid_t soak = t_spawn(NULL, "bash", t_format("exec python3 -B %s/tests/soak_redis.py 400 6", where));
	cr_assert_eq(t_wait_exit(soak, 100000, &said), 0, "%s", said);
	cr_assert(strstr(said, "done at least once 400 of 400, lost 0, invented 0"), "%s", said);
}

/* A Redis of several servers, on ports of the loopback: what is lost when one of them is. */
#include "redis.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(redis_failover, .timeout = 100);

enum { JOBS = 400, PATIENCE = 60000, NODES = 6 };

static struct t_mount *a, *b;

/* Each in a write of its own, which is noted when it has returned. */
static const char *const writes = "for i in {1..%d}; do echo $i >$M/mq/%s@lines && echo $i >>acked-%s; done";
static const char *const reads =
	"while read -r x; do echo $x >>got-%s; [ $x != end ] || exit 0; done <$M/mq/%s@lines,ack,timeout=50s";

/* What was acknowledged has come, and nothing else: the end comes last, by its priority. */
static void check_got(const char *name)
{
	t_check(t_format("sort -nu acked-%s | wc -l; comm -3 <(sort -u acked-%s) <(grep -v end got-%s | sort -u)", name,
			 name, name),
		t_format("%d\n", JOBS));
}

static long lines_in(const char *file)
{
	char *said;

	t_sh(NULL, "bash", t_format("cat %s 2>/dev/null | wc -l", file), &said);
	return strtol(said, NULL, 10);
}

static bool is_primary(const struct redis *r)
{
	return strstr(redis_say(r, "ROLE"), "master") != NULL;
}

static long replicas_of(const struct redis *r)
{
	return strtol(redis_say(r, "INFO replication | sed -n 's/^connected_slaves://p'"), NULL, 10);
}

/* --- Sentinel --- */

static struct redis servers[3];

/* The first is the primary of the others. Returns the sentinel's address. */
static char *sentinel_start(void)
{
	struct redis sentinel;

	servers[0] = redis_start_on_port("primary", NULL);
	for (int i = 1; i < 3; i++)
		servers[i] = redis_start_on_port(t_format("replica%d", i),
						 t_format("--replicaof 127.0.0.1 %d", servers[0].port));
	t_await(replicas_of(&servers[0]) == 2);
	sentinel = redis_sentinel_start(&servers[0]);
	t_await(strtol(redis_say(&sentinel, "SENTINEL REPLICAS main | grep -cx name"), NULL, 10) == 2);
	return t_format("127.0.0.1:%d", sentinel.port);
}

static void sentinel_mounts(const char *address)
{
	const char *options = "redis_sentinel=main,redis_replicas=1";

	a = redis_mount_at(address, "A", options);
	b = redis_mount_at(address, "B", options);
	M = a;
}

t_test_bare(redis_failover, sentinels_next_primary_has_all_that_was_acknowledged)
{
	sentinel_mounts(sentinel_start());
	t_check("touch $A/mq/q", "");
	pid_t writer = t_spawn(a, "bash", t_format(writes, JOBS, "q", "q"));
	pid_t reader = t_spawn(b, "bash", t_format(reads, "q", "q"));

	t_await(lines_in("acked-q") > JOBS / 4);
	redis_kill(&servers[0]);
	cr_assert_eq(t_wait_exit(writer, PATIENCE, NULL), 0);
	cr_assert(is_primary(&servers[1]) || is_primary(&servers[2]));
	t_check("echo end >$A/mq/q@lines", "");
	cr_assert_eq(t_wait_exit(reader, PATIENCE, NULL), 0);
	check_got("q");
}

/* Or the next primary would give its number again. */
t_test_bare(redis_failover, who_holds_is_known_to_the_replicas)
{
	pid_t holder;
	char *said;

	servers[0] = redis_start_on_port("primary", NULL);
	servers[1] = redis_start_on_port("replica", t_format("--replicaof 127.0.0.1 %d", servers[0].port));
	t_await(replicas_of(&servers[0]) == 1);
	t_await(strstr(redis_say(&servers[1], "INFO replication"), "master_link_status:up"));
	M = a = redis_mount(&servers[0], "A", "redis_replicas=1");
	t_check("touch $A/sem/s@value=1; timeout 10 cat $A/sem/s@hold", "1\n");
	kill(servers[1].pid, SIGSTOP);
	holder = t_spawn(a, "bash", "exec cat $M/sem/s@hold");
	t_await(strcmp(redis_say(&servers[0], "HGET 'ipcfs:{sem/s}:m' token"), "2\n") == 0);
	t_wait_blocked(holder);
	cr_assert(t_in_request(holder));
	kill(servers[1].pid, SIGCONT);
	cr_assert_eq(t_wait_exit(holder, T_PATIENCE, &said), 0);
	cr_assert_str_eq(said, "2\n");
	cr_assert_str_eq(redis_say(&servers[1], "HGET 'ipcfs:{sem/s}:m' token"), "2\n");
}

/* --- Cluster --- */

static struct redis nodes[NODES];

/* Three primaries, and a replica of each. */
static void cluster_start(void)
{
	char *said, addresses[NODES * 24] = "";

	for (int i = 0; i < NODES; i++) {
		nodes[i] =
			redis_start_on_port(t_format("node%d", i), "--cluster-enabled yes --cluster-node-timeout 1000");
		snprintf(addresses + strlen(addresses), sizeof(addresses) - strlen(addresses), " 127.0.0.1:%d",
			 nodes[i].port);
	}
	cr_assert_eq(t_sh(NULL, "bash",
			  t_format("redis-cli --cluster create%s --cluster-replicas 1 --cluster-yes", addresses),
			  &said),
		     0, "%s", said);
	for (int i = 0; i < NODES; i++)
		t_await(strstr(redis_say(&nodes[i], "CLUSTER INFO"), "cluster_state:ok"));
	for (int i = 0; i < NODES; i++)
		t_await(!is_primary(&nodes[i]) || replicas_of(&nodes[i]) == 1);
}

static struct redis *primary_of(const char *key)
{
	for (int i = 0; i < NODES; i++)
		if (is_primary(&nodes[i]) && strcmp(redis_say(&nodes[i], t_format("EXISTS '%s'", key)), "1\n") == 0)
			return &nodes[i];
	return NULL;
}

static int primaries_with_keys(void)
{
	int count = 0;

	for (int i = 0; i < NODES; i++)
		count += is_primary(&nodes[i]) && strtol(redis_say(&nodes[i], "DBSIZE"), NULL, 10) > 0;
	return count;
}

t_test_bare(redis_failover, a_cluster_spreads_channels_and_loses_none_with_a_primary)
{
	enum { CHANNELS = 4 };
	static const char *const names[CHANNELS] = {"one", "two", "three", "four"};
	pid_t writers[CHANNELS], readers[CHANNELS];

	cluster_start();
	a = redis_mount_at(t_format("127.0.0.1:%d", nodes[0].port), "A", "redis_replicas=1");
	b = redis_mount_at(t_format("127.0.0.1:%d", nodes[1].port), "B",
			   t_format("redis=127.0.0.1:%d,redis_replicas=1", nodes[2].port));
	M = a;
	t_check("for n in one two three four {1..30}; do touch $A/mq/$n; done; ls $B/mq | wc -l", "34\n");
	cr_assert_eq(primaries_with_keys(), 3);
	for (int i = 0; i < CHANNELS; i++) {
		writers[i] = t_spawn(a, "bash", t_format(writes, JOBS, names[i], names[i]));
		readers[i] = t_spawn(b, "bash", t_format(reads, names[i], names[i]));
	}
	t_await(lines_in("acked-one") > JOBS / 4);
	struct redis *lost = primary_of("ipcfs:{mq/one}:m");
	cr_assert(lost);
	redis_kill(lost);
	/* Its replica takes over, and has a replica again when the lost one comes back. */
	t_await(primary_of("ipcfs:{mq/one}:m"));
	redis_again(lost);
	for (int i = 0; i < CHANNELS; i++) {
		cr_assert_eq(t_wait_exit(writers[i], PATIENCE, NULL), 0);
		t_check(t_format("echo end >$A/mq/%s@lines", names[i]), "");
		cr_assert_eq(t_wait_exit(readers[i], PATIENCE, NULL), 0);
		check_got(names[i]);
	}
}

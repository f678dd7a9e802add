/* Many channels in a Redis, of every name, and what is left of them there. */
#include "redis.h"

#include <stdlib.h>
#include <string.h>

TestSuite(redis_many, .timeout = 110);

static struct redis server;

static void make(const char *options)
{
	server = redis_start(options);
	M = redis_mount(&server, "A", NULL);
	redis_mount(&server, "B", NULL);
}

static const char *const names =
	"for n in 'a b' '{}' 'x}y{z' $'new\\nline' '*[?]' '-n' '\\' \"$(printf %0255d 0)\"; do ";

t_test_bare(redis_many, semaphores_have_names_of_every_sort)
{
	make(NULL);
	t_check(t_format("%s echo 1 >\"$A/sem/$n\" && cat \"$B/sem/$n\" && rm \"$B/sem/$n\"; done; ls $A/sem", names),
		"0\n0\n0\n0\n0\n0\n0\n0\n");
	redis_await_empty(&server);
}

t_test_bare(redis_many, broadcasts_have_names_of_every_sort)
{
	make(NULL);
	t_check(t_format(
			"%s echo 1 >\"$A/bcast/$n\" && cat \"$B/bcast/$n@last=1,drain\" 2>&1 | grep -o -e '^1$' -e 'name too long'; done | sort | uniq -c | tr -s ' '\n"
			"ls -1 --quoting-style=c $B/bcast | wc -l; rm $B/bcast/*; ls $A/bcast",
			names),
		/* A name of 255 bytes leaves no room for a facet. */
		" 7 1\n 1 name too long\n8\n");
	redis_await_empty(&server);
}

/* Files are told apart by what they are called alone: so many, and not one process each. */
static const char *const thousands =
	"import os\n"
	"a, b, n = os.environ['A'] + '/mq', os.environ['B'] + '/mq', 10000\n"
	"def use(path, flags, what):\n"
	"    f = os.open(path, flags, 0o600)\n"
	"    try: return what(f)\n"
	"    finally: os.close(f)\n"
	"for i in range(n): use(f'{a}/{i}', os.O_WRONLY | os.O_CREAT, lambda f: os.write(f, b'%d' % i))\n"
	"print(len(os.listdir(b)), len(set(os.listdir(b))))\n"
	"for i in range(0, n, 2): assert use(f'{b}/{i}', os.O_RDONLY, lambda f: os.read(f, 99)) == b'%d' % i\n"
	"for i in range(n): os.unlink(f'{b}/{i}')\n"
	"print(len(os.listdir(a)))\n";

t_test_bare(redis_many, ten_thousand_are_made_listed_used_and_removed)
{
	char *said;

	t_need("python3");
	make("--appendfsync no");
	pid_t pid = t_spawn(NULL, "python3", thousands);
	cr_assert_eq(t_wait_exit(pid, 100000, &said), 0, "%s", said);
	cr_assert_str_eq(said, "10000 10000\n0\n");
	redis_await_empty(&server);
}

static long memory(const char *keys)
{
	char *said;

	t_sh(NULL, "bash",
	     t_format("redis-cli -s $S --raw KEYS '%s' | while read -r k; do redis-cli -s $S MEMORY USAGE \"$k\" "
		      "SAMPLES 0; done | awk '{s += $1} END {print s + 0}'",
		      keys),
	     &said);
	return strtol(said, NULL, 10);
}

/* 16 bytes of the buffer allow for one message, be it empty. */
t_test_bare(redis_many, small_messages_of_a_broadcast_are_bounded_too)
{
	make(NULL);
	t_check("touch $A/bcast/c; echo buffer=64K >$A/bcast/c@ctl; yes '' | head -n200000 >$A/bcast/c@lines\n"
		"grep -E '^messages=' $B/bcast/c@ctl",
		"messages=4096\n");
	cr_assert_lt(memory("ipcfs:*"), 200000);
}

t_test_bare(redis_many, a_queue_holds_no_more_than_its_limits_allow_whoever_writes)
{
	make(NULL);
	t_check("touch $A/mq/q@maxmsg=100,msgsize=1000; head -c 900 /dev/zero | tr '\\0' x >line\n"
		"for i in {1..9}; do for m in $A $B; do (for j in {1..40}; do cat line; echo; done >$m/mq/q@lines,timeout=2s) & done; done 2>/dev/null\n"
		"wait; grep -E '^messages=' $B/mq/q@ctl; exec 3<$A/mq/q@lines,ack,batch; dd bs=64k count=1 <&3 2>/dev/null | grep -c x\n"
		"(timeout 1 cat line >$B/mq/q@timeout=300ms) 2>/dev/null; grep -E '^(messages|owed)=' $B/mq/q@ctl | tr '\\n' ' '",
		"messages=100\n72\nmessages=28 owed=72 ");
	cr_assert_lt(memory("ipcfs:*"), 200000);
}

/*
 * 1,000 readers who wait on four daemons, and as many messages: each has one. Threads of a few processes: a process a
 * reader would be more than a small machine takes.
 */
static const char *const crowd = "import os, sys, threading\n"
				 "mine, lock = [], threading.Lock()\n"
				 "def wait():\n"
				 "    f = os.open(sys.argv[1] + '/mq/crowd', os.O_RDONLY)\n"
				 "    got = os.read(f, 99)\n"
				 "    with lock: mine.append(int(got))\n"
				 "threading.stack_size(65536)\n"
				 "all = [threading.Thread(target=wait) for _ in range(250)]\n"
				 "for t in all: t.start()\n"
				 "for t in all: t.join()\n"
				 "print(*mine, sep='\\n')\n";

t_test_bare(redis_many, a_thousand_readers_on_four_daemons_have_a_message_each)
{
	t_need("python3");
	make("--appendfsync no");
	redis_mount(&server, "C", NULL);
	redis_mount(&server, "D", NULL);
	t_write(t_format("%s/crowd.py", t_scratch()), crowd);
	t_check(t_format(
			"touch $A/mq/crowd; cd %s\n"
			"for m in $A $B $C $D; do python3 crowd.py $m >got.${m##*/} & done\n"
			"waiting() { redis-cli -s $S LLEN 'ipcfs:{mq/crowd}:t'; }\n"
			"until [ \"$(waiting)\" = 1000 ]; do sleep 0.1; done\n"
			"seq 1000 >$A/mq/crowd@lines; wait; cat got.* | sort -n | cmp - <(seq 1000) && cat got.* | wc -l",
			t_scratch()),
		"1000\n");
}

/* NAME@fifo as it is typed in each shell; and how far programs read ahead, as ipcfs(7) has it in a table. */
#include <stdlib.h>

#include "queue.h"

TestSuite(fifo_shells, .timeout = 60);

static struct queue q;

static void make(void)
{
	q = queue_make("q", 10, 64);
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
}

static void send_five(void)
{
	for (int i = 0; i < 5; i++)
		queue_send(&q, t_format("%d", i), 0);
}

static void check_in(const char *shell, const char *script, const char *expected)
{
	char *out;

	t_need(shell);
	cr_assert_eq(t_sh(M, shell, script, &out), 0, "%s", out);
	cr_assert_str_eq(out, expected);
}

#define IN_EACH_SHELL(name)                                                                                            \
	t_test(fifo_shells, bash_##name)                                                                               \
	{                                                                                                              \
		name("bash");                                                                                          \
	}                                                                                                              \
	t_test(fifo_shells, dash_##name)                                                                               \
	{                                                                                                              \
		name("dash");                                                                                          \
	}                                                                                                              \
	t_test(fifo_shells, zsh_##name)                                                                                \
	{                                                                                                              \
		name("zsh");                                                                                           \
	}

static void sources_commands(const char *shell)
{
	make();
	queue_send(&q, "echo one", 0);
	queue_send(&q, "echo two", 0);
	check_in(shell, ". $Q@fifo,drain", "one\ntwo\n");
}
IN_EACH_SHELL(sources_commands)

/* `>|` and `>>` say that it is meant: the first three look at the name, which is a regular file's. */
static void writes_under_noclobber(const char *shell)
{
	make();
	check_in(shell, "set -C; echo one >|$Q@fifo; echo two >>$Q@fifo", "");
	t_await(queue_depth(&q) == 2);
}
IN_EACH_SHELL(writes_under_noclobber)

t_test(fifo_shells, zsh_needs_nothing_else_under_noclobber)
{
	make();
	check_in("zsh", "set -C; echo one >$Q@fifo", "");
	t_await(queue_depth(&q) == 1);
}

/* Beyond a limit that a single write would break on the other face. */
static void writes_beyond_its_limit(const char *shell)
{
	make();
	check_in(shell,
		 "exec 3>$Q@fifo; ulimit -f 1; (yes 2>/dev/null >&3 & echo $! >&4) 4>pid; "
		 "cat $Q@lines,n=2000 | wc -l | tr -d ' '; kill $(cat pid)",
		 "2000\n");
}

t_test(fifo_shells, bash_writes_beyond_its_limit)
{
	writes_beyond_its_limit("bash");
}

t_test(fifo_shells, zsh_writes_beyond_its_limit)
{
	writes_beyond_its_limit("zsh");
}

static void reads_with_a_timeout(const char *shell)
{
	make();
	check_in(shell, "read -t 1 x <$Q@fifo || echo over; echo hi >$Q@lines; read -t 15 x <$Q@fifo; echo $x",
		 "over\nhi\n");
}

t_test(fifo_shells, bash_reads_with_a_timeout)
{
	reads_with_a_timeout("bash");
}

t_test(fifo_shells, zsh_reads_with_a_timeout)
{
	reads_with_a_timeout("zsh");
}

t_test(fifo_shells, busybox_reads_with_a_timeout)
{
	t_need("busybox");
	make();
	t_check("busybox sh -c 'read -t 1 x <$Q@fifo || echo over; echo hi >$Q@lines; read -t 15 x <$Q@fifo; echo $x'",
		"over\nhi\n");
}

t_test(fifo_shells, four_at_once_by_xargs)
{
	make();
	t_check("printf '#!/bin/sh\\nsleep .1; echo $1\\n' >work; chmod +x work; seq 40 >$Q@fifo &"
		"xargs -P4 -n1 ./work <$Q@fifo,idle=2s | sort -n | cksum; wait",
		t_bash(0, "seq 40 | cksum"));
}

/* As with every pipe: the last lines are known at its end. */
t_test(fifo_shells, tail_follows_from_the_first_line)
{
	t_need("script");
	t_check("touch $M/bcast/b; (until [ $(grep -c ^reader= $M/bcast/b@ctl) = 1 ]; do sleep .02; done; echo one >$M/bcast/b@lines;"
		"until grep -q one out; do sleep .02; done; echo two >$M/bcast/b@lines; until grep -q two out; do sleep .02; done;"
		"kill $(sed -n 's/^reader=pid:\\([0-9]*\\).*/\\1/p' $M/bcast/b@ctl)) & :>out;"
		"script -qc \"tail -n +1 -f $M/bcast/b@fifo\" /dev/null </dev/null >out; wait; grep -c -e one -e two out",
		"2\n");
}

/* --- how far they read ahead --- */

static void takes_one(const char *program, const char *command)
{
	t_need(program);
	make();
	send_five();
	t_check(t_format("%s $Q@fifo", command), "0\n");
	t_await(queue_depth(&q) == 4);
}

#define TAKES_ONE(name, program, command)                                                                              \
	t_test(fifo_shells, name##_takes_one)                                                                          \
	{                                                                                                              \
		takes_one(program, command);                                                                           \
	}

TAKES_ONE(head, "head", "head -n1")
TAKES_ONE(sed, "sed", "sed 1q")
TAKES_ONE(grep, "grep", "grep -m1 .")
TAKES_ONE(mawk, "mawk", "mawk -W interactive '{ print; exit }'")
TAKES_ONE(gawk, "gawk", "gawk '{ print; exit }'")
TAKES_ONE(busybox_awk, "busybox", "busybox awk '{ print; exit }'")
TAKES_ONE(perl, "perl", "perl -e 'open F, q(<), shift; print scalar <F>'")
TAKES_ONE(python, "python3", "python3 -c 'import sys; print(open(sys.argv[1]).readline(), end=\"\")'")
TAKES_ONE(tclsh, "tclsh", "echo 'puts [gets [open [lindex $argv 0]]]' >t; tclsh t")
TAKES_ONE(bash, "bash", "r() { read -r x <$1; echo $x; }; r")
TAKES_ONE(
	node, "node",
	"r() { node -e 'require(\"readline\").createInterface({input: require(\"fs\").createReadStream(process.argv[1])})"
	".on(\"line\", l => { console.log(l); process.exit(0); })' $1; }; r")

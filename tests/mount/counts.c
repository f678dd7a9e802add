/* Counters of what lives on outlive the daemon, its crash, and another name; those of what is new begin at 0. */
#include <stdlib.h>

#include "redis.h"

TestSuite(counts, .timeout = 100);

/*
 * `up OPTION...` mounts at $D, `down SIGNAL` ends that daemon; `in_of CHANNEL`, `out_of CHANNEL`: what was counted,
 * from NAME@ctl, and twice more: from status@json and status@metrics, if they say the same.
 */
static const char functions[] =
	"D=$PWD/mnt; mkdir -p $D\n"
	"up() { \"$IPCFS\" -f \"$@\" $D & daemon=$!; until mountpoint -q $D; do kill -0 $daemon || exit 7; sleep .02; "
	"done; }\n"
	"down() { kill -$1 $daemon; wait $daemon 2>/dev/null; umount -l $D 2>/dev/null; :; }\n"
	"trap 'down KILL' EXIT\n"
	"count() { n=$(sed -n \"s/^$2_messages=//p\" \"$D/$1@ctl\"); c=$1 way=$2 D=$D python3 -c '\n"
	"import json, os, re, sys\n"
	"D, way = os.environ[\"D\"], os.environ[\"way\"]\n"
	"kind, name = os.environ[\"c\"].split(\"/\")\n"
	"row = [c for c in json.load(open(D + \"/status@json\"))[\"channels\"] if c[\"kind\"] == kind and c[\"name\"] == name]\n"
	"m = re.search(r\"ipcfs_messages_%s_total.kind=.%s.,name=.%s.} (\\d+)\" % (way, kind, name), open(D + "
	"\"/status@metrics\").read())\n"
	"n = int(sys.argv[1])\n"
	"print(n if row[0][way + \"_messages\"] == int(m[1]) == n else (n, row, m))' \"$n\"; }\n"
	"in_of() { count $1 in; }; out_of() { count $1 out; }\n";

static void check(const char *script, const char *expected)
{
	t_need("python3");
	t_need_fuse();
	t_check(t_format("%s%s", functions, script), expected);
}

t_test_bare(counts, of_a_queue_and_a_semaphore_outlive_the_daemon)
{
	M = NULL;
	t_name("q");
	t_name("s");
	check("up; seq 5 >$D/mq/${P}q@lines; cat $D/mq/${P}q@lines,n=3 | wc -l; echo 4 >$D/sem/${P}s; cat $D/sem/${P}s\n"
	      "down TERM; up; in_of mq/${P}q; out_of mq/${P}q; in_of sem/${P}s; out_of sem/${P}s\n"
	      "echo more >$D/mq/${P}q; cat $D/sem/${P}s; in_of mq/${P}q; out_of sem/${P}s\n"
	      "down TERM; up; in_of mq/${P}q; out_of sem/${P}s",
	      "3\n3\n5\n3\n4\n1\n2\n6\n2\n6\n2\n");
}

t_test_bare(counts, survive_a_crash)
{
	M = NULL;
	t_name("q");
	t_name("s");
	check("up; seq 5 >$D/mq/${P}q@lines; echo 4 >$D/sem/${P}s; exec 8>$D/mq/${P}q@lines; echo six >&8; sync\n"
	      "down KILL; exec 8>&-; up; in_of mq/${P}q; in_of sem/${P}s; echo >$D/sem/${P}s\n"
	      "down KILL; up; in_of mq/${P}q; in_of sem/${P}s",
	      "6\n4\n6\n5\n");
}

t_test_bare(counts, of_a_semaphore_renamed_by_others_go_with_it)
{
	M = NULL;
	t_name("s");
	t_name("t");
	check("up; echo 4 >$D/sem/${P}s; mv /dev/shm/sem.${P}s /dev/shm/sem.${P}t; in_of sem/${P}t; echo >$D/sem/${P}t\n"
	      "in_of sem/${P}t; down TERM; mv /dev/shm/sem.${P}t /dev/shm/sem.${P}s; up; in_of sem/${P}s\n"
	      "mv $D/sem/${P}s $D/sem/${P}t; in_of sem/${P}t",
	      "4\n5\n5\n5\n");
}

t_test_bare(counts, of_what_was_removed_and_made_again_begin_at_0)
{
	M = NULL;
	t_name("q");
	t_name("s");
	check("up; seq 5 >$D/mq/${P}q@lines; echo 4 >$D/sem/${P}s; rm /dev/shm/sem.${P}s $D/mq/${P}q\n"
	      "touch $D/sem/${P}s $D/mq/${P}q; in_of sem/${P}s; in_of mq/${P}q; echo 2 >$D/sem/${P}s; echo x "
	      ">$D/mq/${P}q; in_of sem/${P}s; in_of mq/${P}q\n"
	      "down TERM; rm /dev/shm/sem.${P}s; up; touch $D/sem/${P}s; in_of sem/${P}s; in_of mq/${P}q",
	      "0\n0\n2\n1\n0\n1\n");
}

/* Each of them is opened last by root, and made by somebody who may have two channels. */
t_test_bare(counts, of_more_than_their_maker_may_have_channels_stay)
{
	M = NULL;
	check("up -o max_channels=2,kinds=sem; for i in $(seq 1500); do echo 3 >$D/sem/${P}$i; done\n"
	      "in_of sem/${P}1; in_of sem/${P}1500; cat $D/status@metrics | grep -c 'ipcfs_messages_in_total.*} 3$'\n"
	      "down TERM; up -o kinds=sem; cat $D/status@metrics | grep -c 'ipcfs_messages_in_total.*} 3$'\n"
	      "rm /dev/shm/sem.${P}*",
	      "3\n3\n1500\n1500\n");
}

t_test_bare(counts, say_when_they_began)
{
	M = NULL;
	t_name("s");
	check("up; date +%s.%N >before; echo 4 >$D/sem/${P}s; date +%s.%N >after; down KILL; up\n"
	      "sed -n \"s/^ipcfs_messages_in_created{kind=\\\"sem\\\",name=\\\"${P}s\\\"} //p\" $D/status@metrics "
	      "| awk '{ getline a <\"before\"; getline b <\"after\"; print ($1 > a - 1 && $1 < b + 1) }'",
	      "1\n");
}

t_test_bare(counts, of_what_is_in_a_redis_outlive_the_daemon)
{
	struct redis server = redis_start(NULL);

	M = NULL;
	setenv("ADDR", server.socket, 1);
	check("up -o redis=$ADDR; seq 5 >$D/mq/q@lines; cat $D/mq/q@lines,n=3 | wc -l; echo 4 >$D/sem/s; echo a "
	      ">$D/bcast/b\n"
	      "down TERM; up -o redis=$ADDR; in_of mq/q; out_of mq/q; in_of sem/s; in_of bcast/b\n"
	      "echo x >$D/mq/q; sync; down KILL; up -o redis=$ADDR; in_of mq/q; rm $D/mq/q; touch $D/mq/q; in_of mq/q",
	      "3\n5\n3\n4\n1\n6\n0\n");
}

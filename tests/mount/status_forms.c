/* status@metrics and status@dot, read by strict readers, and the numbers and names of status@json. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "queue.h"

TestSuite(forms, .timeout = 60);

static const char *const odd_names[] = {
	"new\nline",	     "esc\033[31m", "quote\"back\\slash", "back\\", "a\xff\xfe", "cut-\xe2\x82",
	"utf8-\xe2\x82\xac", "{x=\"1\"} 2", "<b>&amp;",		  "\\n\\l", "%s%n"};

enum { ODD_NAMES = sizeof(odd_names) / sizeof(odd_names[0]) };

/* Where the reader of a form is: beside this file. */
static void need_readers(void)
{
	char dir[PATH_MAX];

	t_need("python3");
	if (!realpath("tests/mount", dir))
		t_fail("the tests are run from the top directory");
	setenv("READERS", dir, 1);
}

static char *metric(const char *name, const char *channel)
{
	char *value = t_bash(
		0, t_format("python3 -B $READERS/openmetrics.py $M/status@metrics '%s{kind=\"mq\",name=\"'$P'%s\"}'",
			    name, channel));

	value[strcspn(value, "\n")] = '\0';
	return value;
}

t_test(forms, metrics_agree_with_what_was_counted)
{
	need_readers();
	t_bash(0, "touch $M/mq/${P}q@maxmsg=10; seq 10000 20000 | head -n 1000 >$M/mq/${P}q@lines & "
		  "cat $M/mq/${P}q@lines,n=997 | wc; wait");
	cr_expect_str_eq(metric("ipcfs_messages_in_total", "q"), "1000");
	cr_expect_str_eq(metric("ipcfs_bytes_in_total", "q"), "5000");
	cr_expect_str_eq(metric("ipcfs_messages_out_total", "q"), "997");
	cr_expect_str_eq(metric("ipcfs_bytes_out_total", "q"), "4985");
	cr_expect_str_eq(metric("ipcfs_messages_returned_total", "q"), "0");
	cr_expect_str_eq(metric("ipcfs_depth", "q"), "3");
	cr_expect_str_eq(metric("ipcfs_limit", "q"), "10");
}

t_test(forms, metrics_count_who_is_there)
{
	need_readers();
	t_spawn(M, "bash", "exec cat $M/mq/${P}q");
	t_write(t_path(M, "mq/%s@maxmsg=4", t_name("q")), "");
	t_bash(0, "echo 1 >$M/mq/${P}r@lines");
	t_spawn(M, "bash", "exec 9<$M/mq/${P}r@lines,ack; read -r -u 9 x; exec sleep 100 9<&9");
	t_await(strcmp(metric("ipcfs_owed", "r"), "1") == 0);
	cr_expect_str_eq(metric("ipcfs_readers", "r"), "1");
	cr_expect_str_eq(metric("ipcfs_writers", "r"), "0");
	cr_expect_str_eq(metric("ipcfs_waiters", "r"), "0");
}

t_test(forms, a_holder_and_who_waits_for_him_are_named_everywhere)
{
	pid_t holder, waiter;
	char *graph;

	need_readers();
	t_bash(0, "echo >$M/sem/${P}s");
	holder = t_spawn(M, "bash", "exec sleep 100 <$M/sem/${P}s@hold");
	t_await(t_ctl(M, t_format("sem/%s", t_name("s")), "out_messages") == 1);
	waiter = t_spawn(M, "bash", "exec head -n1 $M/sem/${P}s@hold");
	t_await_waiters(M, t_format("sem/%s", t_name("s")), 1);
	t_check(t_format(
			"python3 -c 'import json, sys\n"
			"c = [c for c in json.load(open(sys.argv[1]))[\"channels\"] if c[\"name\"] == \"%s\"][0]\n"
			"h, w = c[\"holding\"][0], c[\"waiting\"][0]\n"
			"print(h[\"pid\"] == %d, h[\"command\"], w[\"pid\"] == %d, w[\"command\"], w[\"operation\"], c[\"holders\"], "
			"c[\"waiters\"], h[\"since\"] >= w[\"since\"] >= 0)' $M/status@json",
			t_name("s"), holder, waiter),
		"True sleep True head open 1 1 True\n");
	graph = t_bash(0, "python3 -B $READERS/graph.py $M/status@dot");
	cr_expect(strstr(graph, t_format("sem/%s -> %d holds, ", t_name("s"), holder)), "%s", graph);
	cr_expect(strstr(graph, t_format("sem/%s -> %d waits: open, ", t_name("s"), waiter)), "%s", graph);
	cr_expect(strstr(graph, t_format("%d is 'sleep\\n%d'", holder, holder)), "%s", graph);
	t_check(t_format(
			"python3 -B $READERS/openmetrics.py $M/status@metrics 'ipcfs_holders{kind=\"sem\",name=\"%s\"}' "
			"'ipcfs_waiters{kind=\"sem\",name=\"%s\"}'",
			t_name("s"), t_name("s")),
		"1\n1\n");
}

t_test(forms, the_graph_shows_who_reads_writes_and_owes)
{
	pid_t reader, writer, worker;
	char *graph;

	need_readers();
	t_bash(0, "echo 1 >$M/mq/${P}q@lines; touch $M/bcast/b");
	reader = t_spawn(M, "bash", "exec 9<$M/bcast/b; exec sleep 100");
	writer = t_spawn(M, "bash", "exec 9>$M/bcast/b; exec sleep 100");
	worker = t_spawn(M, "bash", "exec 9<$M/mq/${P}q@lines,ack; read -r -u 9 x; exec sleep 100");
	t_await((graph = t_bash(0, "python3 -B $READERS/graph.py $M/status@dot"), strstr(graph, "owes 1, ")) &&
		strstr(graph, " reads\n") && strstr(graph, " writes\n") && strstr(graph, "'sleep\\n"));
	cr_expect(strstr(graph, t_format("bcast/b -> %d reads\n", reader)), "%s", graph);
	cr_expect(strstr(graph, t_format("%d -> bcast/b writes\n", writer)), "%s", graph);
	cr_expect(strstr(graph, t_format("mq/%s -> %d owes 1, ", t_name("q"), worker)), "%s", graph);
}

static void open_odd_names(void)
{
	for (int i = 0; i < ODD_NAMES; i++)
		t_open(t_path(M, "bcast/%s", odd_names[i]), O_RDWR | O_CREAT);
	/* A process may call itself what it likes as well. */
	t_spawn(M, "bash",
		"exec -a x bash -c 'printf \"a\\\"b\\\\\\\\\\t&#\" >/proc/self/comm; exec 9<$M/bcast/back\\\\; read x <&9'");
	t_await_waiters(M, "bcast/back\\", 1);
}

t_test(forms, no_name_harms_a_reader)
{
	char *graph;

	need_readers();
	open_odd_names();
	graph = t_bash(
		0,
		"python3 -B $READERS/openmetrics.py $M/status@metrics && python3 -B $READERS/graph.py $M/status@dot");
	cr_expect(strstr(graph, "'bcast/<b>&amp;\\n0 of "), "%s", graph);
	cr_expect(strstr(graph, "'a\"b\\\\x5c\\\\x09&#\\n"), "%s", graph);
	t_check("python3 -m json.tool $M/status@json >/dev/null && echo yes", "yes\n");
	t_check(t_format(
			"python3 -B $READERS/openmetrics.py $M/status@metrics | wc -l; python3 -c 'import sys; "
			"sys.path.append(sys.argv[2]); import openmetrics as o; s = o.parse(open(sys.argv[1]).read()); "
			"print(len([k for k in s if k[0] == \"ipcfs_readers\" and (\"kind\", \"bcast\") in k[1]]))' $M/status@metrics $READERS"),
		t_format("0\n%d\n", ODD_NAMES));
}

/* For whoever the command is run as. */
static void check_brief(const char *as)
{
	t_bash(0, t_format("%s cat $M/status@json >whole; %s cat $M/status@json,brief >brief", as, as));
	/* Queues and semaphores of other tests come and go meanwhile. */
	t_bash(0,
	       "python3 -c 'import json, os\n"
	       "ours = lambda c: os.environ[\"P\"] in c[\"name\"] or c[\"kind\"] in (\"pipe\", \"bcast\")\n"
	       "whole, brief = [list(filter(ours, json.load(open(f))[\"channels\"])) for f in (\"whole\", \"brief\")]\n"
	       "assert len(whole) == len(brief) > 3\n"
	       "for w, b in zip(whole, brief):\n"
	       "  assert (b.get(\"openers\") is None) == (w[\"openers\"] is None), (w, b)\n"
	       "  for l in (\"waiting\", \"holding\", \"owing\"):\n"
	       "    assert [p[\"pid\"] for p in w.pop(l, [])] == [p[\"pid\"] for p in b.pop(l, [])], (w, b)\n"
	       "  w.pop(\"unit\")\n"
	       "  assert b.items() <= w.items() and not any(w[k] for k in w.keys() - b.keys()), (w, b)'");
}

t_test_bare(forms, the_brief_one_leaves_out_only_what_is_not_known_or_nothing)
{
	t_need("python3");
	M = t_mount_start("-o", geteuid() == 0 ? "allow_other" : "rw", NULL);
	t_bash(0,
	       "cd $M; umask 077; seq 3 >mq/${P}q@lines,maxmsg=9; head -n1 mq/${P}q@lines; echo >sem/${P}s; mkfifo pipe/p; "
	       "touch bcast/b");
	t_spawn(M, "bash", "exec sleep 100 <$M/sem/${P}s@hold");
	t_await(t_ctl(M, t_format("sem/%s", t_name("s")), "out_messages") == 1);
	t_spawn(M, "bash", "exec head -n1 $M/sem/${P}s@hold");
	t_await_waiters(M, t_format("sem/%s", t_name("s")), 1);
	check_brief("");
	if (geteuid() == 0)
		check_brief("setpriv --reuid 54321 --regid 54321 --clear-groups");
}

t_test(forms, graphviz_draws_it_whatever_the_names)
{
	char *plain;

	t_need("dot");
	open_odd_names();
	plain = t_bash(0, "dot -Tplain $M/status@dot");
	for (int i = 0; i < ODD_NAMES; i++)
		plain = strstr(plain, "node ") ? strstr(plain, "node ") + 1 : "";
	cr_expect(*plain);
	t_bash(0,
	       "dot -Tsvg $M/status@dot >g.svg; python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse(\"g.svg\")'");
}

/* As two users, of whom the second may not read what the first one has. */
t_test_bare(forms, others_see_of_it_what_status_shows_them)
{
	static const char *const as_ann = "setpriv --reuid 54321 --regid 54321 --clear-groups";
	static const char *const as_bob = "setpriv --reuid 54322 --regid 54322 --clear-groups";
	char *all;

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	t_need("setpriv");
	need_readers();
	M = t_mount_start("-o", "allow_other", NULL);
	t_bash(0, t_format("umask 077; %s touch $M/bcast/own", as_ann));
	t_spawn(M, "bash", t_format("exec %s cat $M/bcast/own", as_ann));
	t_await_waiters(M, "bcast/own", 1);
	all = t_bash(0, t_format("cp $READERS/*.py .; chmod a+rX . *; %s bash -c 'cat $M/status $M/status@json; "
				 "python3 -B graph.py $M/status@dot; grep own $M/status@metrics'",
				 as_bob));
	cr_expect(strstr(all, "bcast         -        1        1  own\n"), "%s", all);
	cr_expect(strstr(all, "\"depth\": null") && strstr(all, "\"waiters\": 1"), "%s", all);
	cr_expect(strstr(all, "bcast/own is 'bcast/own\\n1 open, 1 waiting'\n"), "%s", all);
	cr_expect(!strstr(all, "waiting\":") && !strstr(all, "cat") && !strstr(all, "->") &&
			  !strstr(all, "ipcfs_depth"),
		  "%s", all);
	all = t_bash(0, t_format("%s bash -c 'cat $M/status@json $M/status@dot; grep own $M/status@metrics'", as_ann));
	cr_expect(strstr(all, "\"waiting\": [{\"pid\": ") && strstr(all, "\"cat\"") && strstr(all, "ipcfs_depth") &&
			  strstr(all, "waits: read"),
		  "%s", all);
}

t_test(forms, nothing_is_there_and_all_can_be_read)
{
	need_readers();
	t_bash(0, "python3 -B $READERS/openmetrics.py $M/status@metrics; python3 -B $READERS/graph.py $M/status@dot");
	t_bash(0, "cat $M/status@metrics | tail -n 1 | grep -qx '# EOF'; test -f $M/status@dot; ! ls $M | grep @");
}

/* --- the machine's processors --- */

/* Requests that come as fast as they can. */
#define BUSY                                                                                                             \
	"python3 -c 'import os, sys\nf = os.open(sys.argv[1], os.O_WRONLY)\nfor i in range(5000): os.write(f, b\"x\")' " \
	"$M/bcast/b\n"

t_test_bare(forms, status_tells_when_processors_were_kept_awake)
{
	if (geteuid() != 0 || access("/dev/cpu_dma_latency", W_OK) < 0)
		cr_skip_test("/dev/cpu_dma_latency is missing, or not for us");
	M = t_mount_start("-o", "cpu_latency=100us", NULL);
	t_check("touch $M/bcast/b; grep -c cpu_latency $M/status\n" BUSY
		"until grep -Eq '^cpu_latency: processors kept awake until [0-9:]{8}; [1-9][0-9]* times, [0-9.]+s in all$' "
		"$M/status; do sleep 0.02; done; grep -c cpu_latency $M/status\n"
		"python3 -c 'import json, sys; c = json.load(open(sys.argv[1]))[\"cpu_latency\"]; "
		"print(c[\"now\"], c[\"times\"] > 0, c[\"seconds\"] > 0)' $M/status@json",
		"0\n1\nFalse True True\n");
}

/* A battery that nothing charges, as /sys shows it. */
t_test_bare(forms, processors_sleep_on_a_battery)
{
	char *out;

	if (geteuid() != 0 || access("/dev/cpu_dma_latency", W_OK) < 0)
		cr_skip_test("/dev/cpu_dma_latency is missing, or not for us");
	if (t_sh(NULL, "sh", "unshare -m mount -t tmpfs tmpfs /sys/class/power_supply 2>/dev/null", NULL) != 0)
		cr_skip_test("the kernel forbids to mount over /sys");
	t_write(t_format("%s/battery.sh", t_scratch()),
		"mount -t tmpfs tmpfs /sys/class/power_supply; cd /sys/class/power_supply; mkdir BAT0 AC m\n"
		"echo Battery >BAT0/type; echo Mains >AC/type; echo $1 >AC/online; M=$PWD/m; $IPCFS $M; touch $M/bcast/b\n" BUSY
		"python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[\"cpu_latency\"][\"times\"] > 0)' $M/status@json\n" T_UNMOUNT(
			"$M"));
	cr_assert_eq(t_sh(NULL, "sh", t_format("exec unshare -m bash %s/battery.sh 0", t_scratch()), &out), 0, "%s",
		     out);
	cr_expect_str_eq(out, "False\n");
	t_sh(NULL, "sh",
	     "grep -q haltpoll /sys/devices/system/cpu/cpuidle/current_driver && [ $(nproc) -le 4 ] && echo guest",
	     &out);
	if (strcmp(out, "guest\n") != 0)
		return; /* where it is not used unasked at all, the mains change nothing */
	cr_assert_eq(t_sh(NULL, "sh", t_format("exec unshare -m bash %s/battery.sh 1", t_scratch()), &out), 0, "%s",
		     out);
	cr_expect_str_eq(out, "True\n");
}

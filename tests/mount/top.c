/* ipcfs-top: its one table by -b, and the live one on a terminal that tmux plays. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(top, .timeout = 90);

#define TOP "$(dirname $IPCFS)/ipcfs-top"
#define TMUX "tmux -L top -f /dev/null"

/* --- printed once --- */

/* A queue with 3 of 10 messages, of which one is owed, and a semaphore that somebody holds and somebody waits for. */
static void make_work(void)
{
	t_bash(0, "seq 4 >$M/mq/${P}jobs@lines,maxmsg=10; echo >$M/sem/${P}lock");
	t_spawn(M, "bash", "exec 9<$M/mq/${P}jobs@lines,ack; read -r -u 9 x; exec sleep 100");
	t_spawn(M, "bash", "exec sleep 100 <$M/sem/${P}lock@hold");
	t_await(t_ctl(M, t_format("sem/%s", t_name("lock")), "out_messages") == 1);
	t_spawn(M, "bash", "exec head -n1 $M/sem/${P}lock@hold");
	t_await_waiters(M, t_format("sem/%s", t_name("lock")), 1);
	t_await(t_ctl(M, t_format("mq/%s", t_name("jobs")), "owed") == 1);
}

t_test(top, batch_prints_the_table_once)
{
	char *out;

	make_work();
	out = t_bash(0, TOP " -b $M | sed 's/  */ /g; s/([0-9]*) [0-9.]*s/(PID)/g; s/ [0-9.]*s / SINCE /g; s/ $//'");
	cr_expect(strstr(out, "KIND DEPTH/LIMIT RD WR IN/s OUT/s INB/s OUTB/s IN OUT WAIT SINCE HELD OWED NAME\n"),
		  "%s", out);
	cr_expect(strstr(out, t_format("mq 3/10 1 0 - - - - 4 1 0 - 0 1 %s owed by sleep(PID)\n", t_name("jobs"))),
		  "%s", out);
	cr_expect(
		strstr(out, t_format("sem 0 2 0 - - - - 1 1 1 SINCE 1 0 %s waits: open head(PID); held by sleep(PID)\n",
				     t_name("lock"))),
		"%s", out);
	cr_expect(strstr(out, " 1 waiting, 1 held, 1 owed, in -/s, out -/s\n"), "%s", out);
}

t_test(top, rates_are_those_between_two_looks)
{
	t_write(t_path(M, "bcast/b"), "x");
	t_spawn(M, "bash", "while echo $((++i)); do sleep 0.02; done >$M/bcast/b@lines");
	t_check(TOP
		" -b -n 2 -d 1 $M | awk '/ b$/ { print ($5 == \"-\" ? \"unknown\" : ($5 > 0)), $6 + 0, ($9 > last); last = $9 }'",
		"unknown 0 1\n1 0 1\n");
}

t_test(top, help_and_version)
{
	cr_expect(strstr(t_bash(0, TOP " --help"), "usage: ipcfs-top [options] [DIR]\n"));
	cr_expect(strstr(t_bash(0, TOP " -V"), "ipcfs-top "));
	t_check("LC_ALL=C.UTF-8 " TOP " --help | awk 'length > 120'", "");
}

static void check_refusal(const char *script, const char *words)
{
	char *out = t_bash(1, script);

	cr_expect(strncmp(out, "ipcfs-top: ", 11) == 0 && strstr(out, words) && strcspn(out, "\n") + 1 == strlen(out),
		  "%s: %s", script, out);
}

t_test(top, refusals_name_the_cause)
{
	check_refusal(TOP " -b nowhere 2>&1", "there is no such directory");
	check_refusal(TOP " -b . 2>&1", "no ipcfs is mounted there");
	check_refusal("mkdir d; echo x >d/status@json; " TOP " -b d 2>&1", "not what ipcfs writes");
	check_refusal(TOP " $M 2>&1", "-b prints");
	check_refusal(TOP " -b -d x $M 2>&1", "-d x: a number from 0.1");
	check_refusal(TOP " -b -n 0 $M 2>&1", "-n 0: a number from 1");
	check_refusal(TOP " $M $M 2>&1", "one directory is enough");
	t_bash(1, TOP " -x $M 2>&1 | grep -q -- --help && exit 1");
	if (geteuid() == 0)
		check_refusal("cp " TOP " top; setpriv --reuid 54321 --regid 54321 --clear-groups ./top -b $M 2>&1",
			      "permission denied");
}

/* The counts that status shows to all, and nobody's name. */
t_test_bare(top, others_see_what_status_shows_them)
{
	char *out;

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	t_need("setpriv");
	M = t_mount_start("-o", "allow_other", NULL);
	t_bash(0, "umask 077; touch $M/bcast/own; cp " TOP " top");
	t_spawn(M, "bash", "exec cat $M/bcast/own");
	t_await_waiters(M, "bcast/own", 1);
	out = t_bash(
		0,
		"./top -b $M | grep own; echo; setpriv --reuid 54321 --regid 54321 --clear-groups ./top -b $M | grep own");
	cr_expect(strstr(out, "bcast     0/65.5k   1   0") == out && strstr(out, "waits: read cat("), "%s", out);
	out = strstr(out, "\n\n") + 2;
	cr_expect_eq(strncmp(out, "bcast           -   1   0 ", 26), 0, "%s", out);
	cr_expect(strstr(out, "    1     -    0    0 own\n") && !strstr(out, "cat"), "%s", out);
}

t_test(top, a_terminal_that_cannot_draw_is_refused)
{
	t_need("script");
	for (size_t i = 0; i < 2; i++)
		t_bash(0, t_format("TERM=%s script -qc '" TOP " '$M </dev/null | grep -q 'TERM=%s: not known .*; -b "
				   "prints the table'",
				   i ? "dumb" : "nosuch", i ? "dumb" : "nosuch"));
}

t_test(top, a_dead_mount_is_called_so)
{
	t_mount_crash(M);
	check_refusal(TOP " -b $M 2>&1", "has died");
}

t_test_bare(top, without_a_directory_it_finds_the_mount)
{
	t_need_fuse();
	t_bash(0, "mkdir -p 'h o/ipcfs'; export HOME=$PWD/h\\ o; unset XDG_RUNTIME_DIR; mountpoint -q /run/ipc && exit;"
		  "$IPCFS \"$HOME/ipcfs\" && touch h\\ o/ipcfs/bcast/found; " TOP " -b | grep -q ' found$'; r=$?;"
		  "fusermount3 -u h\\ o/ipcfs; exit $r");
}

/* --- on a terminal --- */

static void terminal_start(int columns, int lines, const char *options)
{
	t_need("tmux");
	if (strstr(t_bash(0, "ldd " TOP), "ncurses") == NULL)
		cr_skip_test("ipcfs-top was built without ncurses");
	setenv("TMUX_TMPDIR", t_scratch(), 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	t_bash(0, t_format(TMUX " new-session -d -x %d -y %d \"" TOP " %s $M; echo status=\\$?; sleep 100\"", columns,
			   lines, options));
}

static char *terminal(void)
{
	return t_bash(0, TMUX " capture-pane -p");
}

static bool terminal_has(const char *words)
{
	return strstr(terminal(), words);
}

static void keys(const char *names)
{
	t_bash(0, t_format(TMUX " send-keys %s", names));
}

static void terminal_end(void)
{
	t_bash(0, TMUX " kill-server");
}

t_test_bare(top, fits_into_80_columns_and_24_lines)
{
	M = t_mount_alone();
	make_work();
	terminal_start(80, 24, "");
	t_await(terminal_has("KIND  DEPTH/LIMIT  RD  WR  IN/s OUT/s WAIT SINCE HELD OWED NAME"));
	t_await(terminal_has(t_format("        3/10   1   0     0     0    0     -    0    1 %s", t_name("jobs"))));
	t_bash(0, "for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3; do touch $M/bcast/$i$j; done; done");
	t_await(terminal_has("bcast     0/65.5k   0   0     0     0    0     -    0    0 61"));
	t_check(TMUX " capture-pane -p | wc -l", "24\n");
	keys("q");
	t_await(terminal_has("status=0"));
	terminal_end();
}

t_test_bare(top, shows_more_in_200_columns_and_when_it_grows)
{
	M = t_mount_alone();
	make_work();
	terminal_start(200, 50, "");
	t_await(terminal_has("INB/s OUTB/s    IN   OUT WAIT SINCE HELD OWED NAME") && terminal_has("WHO") &&
		terminal_has("waits: open head(") && terminal_has("held by sleep("));
	t_bash(0, TMUX " resize-window -x 80 -y 24");
	t_await(!terminal_has("INB/s") && terminal_has("KIND"));
	t_bash(0, TMUX " resize-window -x 30 -y 4");
	t_await(terminal_has("KIND"));
	t_bash(0, TMUX " resize-window -x 200 -y 50");
	t_await(terminal_has("INB/s") && terminal_has("held by sleep("));
	terminal_end();
}

t_test_bare(top, keys_filter_sort_open_and_help)
{
	M = t_mount_alone();
	make_work();
	t_bash(0, "touch $M/bcast/other; cat $M/mq/${P}jobs@nonsense 2>/dev/null; true");
	terminal_start(80, 24, "");
	t_await(terminal_has("other"));
	keys("/ J O B");
	t_await(!terminal_has(" other") && terminal_has("filter: JOB") && terminal_has(t_name("jobs")));
	keys("Enter Enter");
	t_await(terminal_has("kind=mq\n") && terminal_has("owed_by=pid:"));
	keys("Escape");
	t_await(terminal_has("owed by sleep(") && terminal_has("KIND"));
	keys("/ Escape s s s s");
	t_await(terminal_has("by held") && terminal_has(" other"));
	t_await(terminal_has(t_format("HELD OWED NAME\nsem             0   2   0")));
	keys("r");
	t_await(terminal_has("by held (reversed)") && !terminal_has("OWED NAME\nsem "));
	keys("'?'");
	t_await(terminal_has("Keys\n"));
	keys("q e");
	t_await(terminal_has("errors: your last refusals") && terminal_has("nonsense"));
	keys("q q");
	t_await(terminal_has("status=0"));
	terminal_end();
}

t_test(top, no_name_harms_the_terminal)
{
	static const char *const odd[] = {
		"new\nline", "esc\033]0;owned\007", "clear\033[2J\033[H", "latin1-\xe9",
		"\xff\xfe",  "nel-\xc2\x85",	    "rtl-\xe2\x80\xae",	  "wide-\xe6\xbc\xa2\xe5\xad\x97",
		"at@sign"};
	const int count = sizeof(odd) / sizeof(odd[0]);
	char *text;

	for (int i = 0; i < count; i++)
		t_write(t_path(M, "bcast/%s", strcmp(odd[i], "at@sign") == 0 ? "at@@sign" : odd[i]), "");
	terminal_start(80, 24, "");
	t_await(terminal_has("new\\x0aline") && terminal_has("wide-\xe6\xbc\xa2\xe5\xad\x97"));
	text = terminal();
	cr_expect(strstr(text, "esc\\x1b]0;owned\\x07\n") && strstr(text, "clear\\x1b[2J") &&
			  strstr(text, "latin1-\\xe9") && strstr(text, "nel-\\xc2\\x85") &&
			  strstr(text, "rtl-\\xe2\\x80\\xae"),
		  "%s", text);
	cr_expect(!strstr(t_bash(0, TMUX " display-message -p '#{pane_title}'"), "owned"));
	/* And each can be opened. */
	for (int i = 0; i < count; i++) {
		keys("Enter");
		t_await(terminal_has("kind=bcast\n"));
		keys("Escape Down");
		t_await(terminal_has("KIND"));
	}
	t_check("LC_ALL=C " TOP " -b $M | LC_ALL=C grep -c '[^ -~]'; true", "0\n");
	terminal_end();
}

t_test(top, goes_on_when_the_mount_dies_and_ends_by_a_key)
{
	terminal_start(80, 24, "-d 0.2");
	t_await(terminal_has("there are no channels") || terminal_has("OWED NAME\n"));
	t_mount_crash(M);
	t_await(terminal_has("has died"));
	keys("q");
	t_await(terminal_has("status=0"));
	terminal_end();
}

t_test(top, keys_live_when_the_daemon_does_not_answer)
{
	terminal_start(80, 24, "-d 0.2");
	t_await(terminal_has("OWED NAME\n"));
	kill(M->daemon, SIGSTOP);
	t_await(terminal_has("no answer from the mount for 3 s"));
	keys("'?'");
	t_await(terminal_has("Keys\n"));
	keys("q q");
	t_await(terminal_has("status=0"));
	kill(M->daemon, SIGCONT);
	terminal_end();
}

/* Nobody waits for who looks, though he is stopped in the middle of a look. */
t_test(top, that_is_stopped_delays_nobody)
{
	t_bash(0, "touch $M/bcast/b");
	terminal_start(80, 24, "-d 0.1");
	t_await(terminal_has("OWED NAME\nbcast"));
	t_bash(0, "kill -STOP $(" TMUX
		  " list-panes -F '#{pane_pid}'); timeout 15 seq 20000 >$M/bcast/b@lines; cat $M/status@json "
		  ">/dev/null; : >$M/bcast/new; kill -CONT $(" TMUX " list-panes -F '#{pane_pid}')");
	t_await(terminal_has(" new\n"));
	terminal_end();
}

/* --- many --- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

static long ticks_of(long pid)
{
	return atol(t_bash(0, t_format("awk '{ print $14 + $15 }' /proc/%ld/stat", pid)));
}

static long terminal_pid(void)
{
	return atol(t_bash(0, TMUX " list-panes -F '#{pane_pid}'"));
}

/* Processor time of both, in milliseconds: how long it takes where nobody else wants the processors. */
static long first_screen(void)
{
	long before = ticks_of(M->daemon);

	t_bash(0, TMUX " respawn-window -k \"exec " TOP " $M\"");
	t_await(terminal_has("5000 channels"));
	return (ticks_of(M->daemon) - before + ticks_of(terminal_pid())) * 1000 / sysconf(_SC_CLK_TCK);
}

/* With that many of the kind, named 0 and on. */
static void many_start(const char *kind)
{
	M = t_mount_start("-o", t_format("kinds=%s,prefix=%s", kind, t_name("")), NULL);
	t_bash(0, t_format("cd $M/%s; seq 0 4999 | xargs %s", kind, strcmp(kind, "pipe") ? "touch" : "mkfifo"));
	terminal_start(80, 24, "");
}

/* Processor time of both in 5 seconds, in ticks. */
static void many_cost_little(const char *kind)
{
	long pid = terminal_pid(), before = ticks_of(pid), daemon = ticks_of(M->daemon), used;

	sleep(5);
	used = ticks_of(pid) - before;
	daemon = ticks_of(M->daemon) - daemon;
	if (SANITIZED)
		return;
	/* On a quiet machine it is less than 2 % together; the bound is for one that does much else. */
	cr_expect_leq(used + daemon, 5 * sysconf(_SC_CLK_TCK) / 10, "%s: %ld and %ld ticks", kind, used, daemon);
}

t_test_bare(top, five_thousand_channels_are_there_soon_and_cost_little)
{
	long took;

	many_start("bcast");
	took = first_screen();
	if (!SANITIZED)
		cr_expect_lt(took, 200, "first screen after %ld ms", took);
	many_cost_little("bcast");
	keys("G");
	t_await(terminal_has(" 999\n"));
	t_bash(0, TMUX " resize-window -x 200 -y 50");
	keys("g '/' 4 9 9 9 Enter");
	t_await(terminal_has(" 4999 ") && terminal_has("INB/s"));
	terminal_end();
}

static void objects_cost_little(const char *kind)
{
	many_start(kind);
	t_await(terminal_has("5000 channels"));
	/* What does not change for some looks is looked at more seldom. */
	sleep(5);
	many_cost_little(kind);
	terminal_end();
	t_bash(0, t_format("cd $M/%s; ls | xargs rm", kind));
}

t_test_bare(top, five_thousand_semaphores_cost_little)
{
	objects_cost_little("sem");
}

t_test_bare(top, five_thousand_objects_of_shared_memory_cost_little)
{
	objects_cost_little("shm");
}

t_test_bare(top, five_thousand_pipes_cost_little)
{
	objects_cost_little("pipe");
}

/* M/events: what happens, as it happens, to everybody who may know. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queue.h"

TestSuite(events, .timeout = 60);

enum { ANN = 54321, BOB = 54322 };

/* A mount of kinds whose names only it makes: other tests' queues and semaphores are not told of there. */
static void mount_alone(void)
{
	M = t_mount_start("-o", "kinds=bcast", NULL);
}

/* Reads on until that stands in what has come; returns all of it. */
static char *events_until(int fd, const char *part)
{
	static char text[1 << 20];
	size_t len = 0;
	long end = t_deadline(T_PATIENCE);

	text[0] = '\0';
	while (!strstr(text, part)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, t_left(end)) <= 0)
			t_fail("no '%s' in: %s", part, text);
		n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			t_fail("read: %s", strerror(errno));
		len += (size_t)n;
		text[len] = '\0';
	}
	return text;
}

static int events_open(void)
{
	return t_open(t_path(M, "events"), O_RDONLY);
}

t_test(events, a_life_of_a_channel_in_lines)
{
	int fd = events_open();
	char *name = t_name("b");
	char *text;

	t_bash(0, "echo hi > $M/bcast/${P}b; rm $M/bcast/${P}b");
	text = events_until(fd, "removed");
	cr_assert(strstr(text, t_format("bcast/%s made pid=", name)), "%s", text);
	cr_assert(strstr(text, t_format("bcast/%s opened pid=", name)), "%s", text);
	cr_assert(strstr(text, "command=bash for=write\n"), "%s", text);
	cr_assert(strstr(text, t_format("bcast/%s closed pid=", name)), "%s", text);
	cr_assert(strstr(text, "command=rm\n"), "%s", text);
	close(fd);
}

t_test(events, kernel_objects_are_told_of_too)
{
	int fd = events_open();
	char *text;

	t_bash(0, "cd $M; echo > sem/${P}s; echo x > shm/${P}h; mkfifo pipe/${P}p; touch mq/${P}q sock/${P}k; "
		  "rm sem/${P}s shm/${P}h pipe/${P}p mq/${P}q sock/${P}k");
	text = events_until(fd, t_format("sock/%s removed", t_name("k")));
	cr_assert(strstr(text, t_format("sem/%s made", t_name("s"))), "%s", text);
	cr_assert(strstr(text, t_format("shm/%s made", t_name("h"))), "%s", text);
	cr_assert(strstr(text, t_format("pipe/%s made", t_name("p"))), "%s", text);
	cr_assert(strstr(text, t_format("mq/%s made", t_name("q"))), "%s", text);
	cr_assert(strstr(text, t_format("mq/%s removed", t_name("q"))), "%s", text);
	close(fd);
}

static unsigned events_count(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

/* By their own calls; who it was the kernel does not say. */
t_test(events, what_others_make_and_remove_is_told)
{
	struct queue q = queue_make("q", 1, 16);
	char *sem = t_format("/%s", t_name("s")), *shm = t_format("/%s", t_name("h")), *text;
	int fd = events_open();

	queue_unlink(&q);
	queue_make("q", 1, 16);
	text = events_until(fd, t_format("mq/%s made\n", q.name));
	cr_assert(strstr(text, t_format("mq/%s removed\n", q.name)), "%s", text);
	cr_assert_neq(sem_open(sem, O_CREAT, 0600, 0), SEM_FAILED);
	close(shm_open(shm, O_CREAT | O_RDWR, 0600));
	text = events_until(fd, t_format("shm/%s made\n", t_name("h")));
	/* It is made under another name first; those of the tests begin alike. */
	cr_assert_eq(events_count(text, " sem/"), events_count(text, " sem/ipct-"), "%s", text);
	cr_assert(strstr(text, t_format("sem/%s made\n", t_name("s"))), "%s", text);
	sem_unlink(sem);
	shm_unlink(shm);
	text = events_until(fd, t_format("shm/%s removed\n", t_name("h")));
	cr_assert(strstr(text, t_format("sem/%s removed\n", t_name("s"))), "%s", text);
	close(fd);
}

t_test(events, what_is_made_through_the_mount_is_told_once)
{
	int fd = events_open();
	char *text;

	/* Of what others make is told last, behind what might be told a second time. */
	t_bash(0,
	       "cd $M; for i in {1..300}; do touch sem/${P}x; mv sem/${P}x sem/${P}y; rm sem/${P}y; done; touch mq/${P}q; rm "
	       "mq/${P}q; : >/dev/shm/${P}end");
	text = events_until(fd, t_format("shm/%s made", t_name("end")));
	cr_assert_eq(events_count(text, t_format("sem/%s made", t_name("x"))), 300, "%s", text);
	cr_assert_eq(events_count(text, t_format("sem/%s made", t_name("y"))), 300, "%s", text);
	cr_assert_eq(events_count(text, t_format("sem/%s removed", t_name("x"))), 300, "%s", text);
	cr_assert_eq(events_count(text, t_format("mq/%s made", t_name("q"))), 1, "%s", text);
	cr_assert_eq(events_count(text, t_format("mq/%s removed", t_name("q"))), 1, "%s", text);
	t_bash(0, "rm /dev/shm/${P}end");
	close(fd);
}

t_test(events, a_second_name_comes_and_goes)
{
	int fd = events_open();
	char *text;

	t_bash(0, "cd $M/pipe; mkfifo ${P}a; ln ${P}a ${P}b; rm ${P}a; rm ${P}b");
	text = events_until(fd, t_format("pipe/%s removed", t_name("b")));
	cr_assert(strstr(text, t_format("pipe/%s made pid=", t_name("b"))), "%s", text);
	cr_assert(strstr(text, t_format("command=ln from=%s\n", t_name("a"))), "%s", text);
	cr_assert(strstr(text, t_format("pipe/%s removed pid=", t_name("a"))), "%s", text);
	close(fd);
}

static void check_replaced(const char *kind)
{
	int fd = events_open();
	char *text;

	t_bash(0, t_format("cd $M/%s; %s ${P}a ${P}b; mv -f ${P}a ${P}b; rm ${P}b; : >/dev/shm/${P}end", kind,
			   strcmp(kind, "pipe") ? "touch" : "mkfifo"));
	text = events_until(fd, t_format("shm/%s made", t_name("end")));
	cr_expect_eq(events_count(text, t_format("%s/%s made", kind, t_name("a"))), 1, "%s", text);
	cr_expect_eq(events_count(text, t_format("%s/%s removed", kind, t_name("a"))), 1, "%s", text);
	cr_expect_eq(events_count(text, t_format("%s/%s made", kind, t_name("b"))), 2, "%s", text);
	cr_expect_eq(events_count(text, t_format("%s/%s removed", kind, t_name("b"))), 2, "%s", text);
	t_bash(0, "rm /dev/shm/${P}end");
	close(fd);
}

t_test(events, what_a_rename_replaces_is_removed)
{
	t_name("a");
	t_name("b");
	check_replaced("sem");
	check_replaced("pipe");
	check_replaced("bcast");
}

/* Who keeps a list by what he hears has both in the end. */
t_test(events, names_that_are_exchanged_go_and_come_back)
{
	const char *a = t_path(M, "shm/%s", t_name("a")), *b = t_path(M, "shm/%s", t_name("b"));
	int fd = events_open();
	char *text;

	t_bash(0, "cd $M/shm; touch ${P}a ${P}b");
	cr_assert_eq(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), 0);
	t_bash(0, ": >/dev/shm/${P}end");
	text = events_until(fd, t_format("shm/%s made", t_name("end")));
	for (int i = 0; i < 2; i++) {
		const char *name = t_name(i ? "b" : "a"), *gone = strstr(text, t_format("shm/%s removed", name));

		cr_expect_eq(events_count(text, t_format("shm/%s made", name)), 2, "%s", text);
		cr_expect_eq(events_count(text, t_format("shm/%s removed", name)), 1, "%s", text);
		cr_expect(gone && strstr(gone, t_format("shm/%s made", name)), "%s", text);
	}
	t_bash(0, "cd $M/shm; rm ${P}a ${P}b");
	close(fd);
}

t_test(events, who_finds_no_room_and_who_waits_are_told)
{
	struct queue q = queue_make("q", 1, 16);
	int fd = events_open();
	char *text;

	queue_send(&q, "one", 0);
	t_spawn(M, "bash", "echo two >$M/mq/${P}q");
	text = events_until(fd, " waiting pid=");
	cr_expect(strstr(text, t_format("mq/%s full pid=", q.name)), "%s", text);
	cr_expect(strstr(text, " operation=write"), "%s", text);
	t_bash(0, "cat $M/mq/${P}q@lines,n=2 >/dev/null");
	close(fd);
}

/* The other face, and many lines in a read. */
t_test(events, each_way_to_read_opens_and_closes)
{
	struct queue q = queue_make("q", 10, 16);
	int fd = events_open();
	char *text;

	for (int i = 0; i < 6; i++)
		queue_send(&q, "line", 0);
	t_bash(0,
	       "cat $M/mq/${P}q@fifo,n=3 >/dev/null; cat $M/mq/${P}q@lines,batch,n=3 >/dev/null; touch $M/bcast/${P}end");
	text = events_until(fd, t_format("bcast/%s made", t_name("end")));
	cr_expect_eq(events_count(text, t_format("mq/%s opened pid=", q.name)), 2, "%s", text);
	if (events_count(text, t_format("mq/%s closed pid=", q.name)) < 2)
		events_until(fd, t_format("mq/%s closed pid=", q.name));
	close(fd);
}

/* A script that reads events, and has begun to. */
static pid_t events_script(const char *script)
{
	pid_t pid = t_spawn(M, "bash", script);

	t_await(t_in_request(pid));
	return pid;
}

t_test_bare(events, head_takes_a_line)
{
	pid_t pid;
	char *out;

	mount_alone();
	pid = events_script("exec head -n1 $M/events");
	t_bash(0, "touch $M/bcast/${P}a");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0, "%s", out);
	cr_assert_not_null(strstr(out, t_format("bcast/%s made pid=", t_name("a"))), "%s", out);
	cr_assert_eq(strchr(out, '\n') + 1 - out, (ptrdiff_t)strlen(out), "%s", out);
}

t_test_bare(events, a_shell_loop_reads_line_by_line)
{
	pid_t pid;
	char *out;

	mount_alone();
	pid = events_script("while read -r time name event rest; do echo $name $event; "
			    "[ $event = closed ] && break; done < $M/events");
	t_bash(0, "touch $M/bcast/${P}a");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0, "%s", out);
	cr_assert_str_eq(out, t_format("bcast/%s made\nbcast/%s opened\nbcast/%s closed\n", t_name("a"), t_name("a"),
				       t_name("a")));
}

t_test(events, a_reader_can_be_interrupted)
{
	pid_t pid = events_script("exec cat $M/events");

	kill(pid, SIGTERM);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGTERM);
}

t_test_bare(events, without_waiting_there_is_nothing)
{
	char buf[64];
	int fd;

	mount_alone();
	fd = t_open(t_path(M, "events"), O_RDONLY | O_NONBLOCK);
	t_check_errno(read(fd, buf, sizeof(buf)), EAGAIN);
	close(fd);
	t_check_errno(open(t_path(M, "events"), O_RDWR | O_CLOEXEC), EACCES);
}

/* Checked by another parser than ours. */
t_test_bare(events, json_is_json_whatever_the_names)
{
	pid_t pid;
	char *out;

	t_need("python3");
	mount_alone();
	pid = events_script("exec python3 -uc 'import json, os, sys\n"
			    "names = []\n"
			    "for line in open(sys.argv[1], \"rb\"):\n"
			    "  e = json.loads(line.decode(\"utf-8\"))\n"
			    "  assert isinstance(e[\"time\"], float), e\n"
			    "  names.append((e[\"event\"], e[\"kind\"], e[\"name\"]))\n"
			    "  if e[\"name\"].endswith(\"end\"): break\n"
			    "print([n[2].split(\"_\", 1)[-1] for n in names if n[0] == \"made\"])' $M/events@json");
	t_bash(0, "cd $M/bcast; for n in $'new\\nline' $'esc\\e[31m' 'quote\"back\\slash' $'\\xff\\xfe' "
		  "$'rtl\\xe2\\x80\\xae' 'a space' end; do touch \"${P}_$n\"; done");
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0, "%s", out);
	cr_assert_str_eq(out, "['new\\\\x0aline', 'esc\\\\x1b[31m', 'quote\"back\\\\x5cslash', '\\\\xff\\\\xfe', "
			      "'rtl\\\\xe2\\\\x80\\\\xae', 'a space', 'end']\n");
}

t_test_bare(events, no_name_breaks_a_line)
{
	unsigned lines = 0, made = 0;
	char *text;
	int fd;

	mount_alone();
	fd = events_open();
	t_bash(0, "cd $M/bcast; for n in $'new\\nline' $'esc\\e[31m' $'\\xff\\xfe' $'rtl\\xe2\\x80\\xae' 'a space'; do "
		  "touch \"${P}$n\"; done; rm ${P}*");
	text = events_until(fd, "x80\\xae removed");
	for (const char *at = text; *at; at = strchr(at, '\n') + 1, lines++)
		made += strncmp(strchr(at, ' ') + 1, "bcast/", 6) == 0;
	cr_assert_eq(lines, made);
	for (const char *at = text; *at; at++)
		cr_assert(*at == '\n' || (*at >= ' ' && *at < 127), "%s", text);
	close(fd);
}

t_test(events, a_stopped_reader_delays_nobody_and_hears_what_it_missed)
{
	pid_t pid = events_script("exec cat $M/events > seen");
	int fd;

	kill(pid, SIGSTOP);
	fd = events_open();
	/* Each is two lines, and they are more than are kept. */
	t_bash(0, "cd $M/bcast; for i in {1..3000}; do : > ${P}x; done");
	kill(pid, SIGCONT);
	t_bash(0, "timeout 20 sh -c 'until grep -q \" events lost lines=[0-9]\" seen; do sleep 0.05; done'");
	kill(pid, SIGKILL);
	close(fd);
}

t_test(events, a_job_given_back_and_one_that_is_dead)
{
	struct queue q = queue_make("q", 10, 64);
	int fd = events_open();
	char *text;

	queue_send(&q, "job", 0);
	for (int i = 0; i < 2; i++)
		t_bash(3, "exec sh -c 'read -r job; exit 3' <$M/mq/${P}q@lines,one,ack,tries=2");
	t_bash(0, "timeout 1 cat $M/mq/${P}q@lines,ack,tries=2,drain");
	text = events_until(fd, " dead pid=");
	cr_assert(strstr(text, t_format("mq/%s given_back pid=", q.name)), "%s", text);
	cr_assert(strstr(text, " messages=1\n"), "%s", text);
	cr_assert(strstr(text, t_format("mq/%s.dead made\n", q.name)), "%s", text);
	close(fd);
}

t_test(events, a_reader_of_a_broadcast_that_misses_messages)
{
	int fd = events_open(), reader;
	char buf[64];

	t_bash(0, "touch $M/bcast/${P}b; echo buffer=4096 > $M/bcast/${P}b@ctl");
	reader = t_open(t_path(M, "bcast/%s", t_name("b")), O_RDONLY);
	t_bash(0, "seq 1000 > $M/bcast/${P}b@lines");
	t_check_errno(read(reader, buf, sizeof(buf)), ENOBUFS);
	cr_assert_not_null(strstr(events_until(fd, " dropped pid="), t_format("bcast/%s dropped", t_name("b"))));
	close(reader);
	close(fd);
}

/* As that user; returns its descriptor of M/events. */
static int events_of(uid_t uid)
{
	int fd;

	t_become(uid);
	fd = events_open();
	t_become(0);
	return fd;
}

static void as_ann(const char *script)
{
	t_bash(0, t_format("setpriv --reuid %d --regid %d --clear-groups sh -c '%s'", ANN, ANN, script));
}

t_test_bare(events, other_users_hear_what_status_shows_them)
{
	int ann, bob;
	char *text;

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	t_need("setpriv");
	M = t_mount_start("-o", "allow_other", NULL);
	ann = events_of(ANN);
	bob = events_of(BOB);
	as_ann("umask 077; cd $M; touch bcast/${P}secret; cat bcast/${P}secret@nosuch; "
	       "umask 022; touch bcast/${P}open; touch bcast/${P}end");
	text = events_until(ann, t_format("%s opened", t_name("end")));
	cr_assert(strstr(text, "secret@nosuch refused"), "%s", text);
	cr_assert(strstr(text, t_format("%s made pid=", t_name("secret"))), "%s", text);
	text = events_until(bob, t_format("%s opened", t_name("end")));
	cr_assert(strstr(text, t_format("bcast/%s made\n", t_name("secret"))), "%s", text);
	cr_assert(strstr(text, t_format("bcast/%s opened\n", t_name("secret"))), "%s", text);
	cr_assert(strstr(text, t_format("bcast/%s made pid=", t_name("open"))), "%s", text);
	cr_assert_null(strstr(text, "refused"), "%s", text);
	close(ann);
	close(bob);
}

t_test(events, splice_is_refused_with_the_reason)
{
	t_need("python3");
	t_bash(0, "python3 -c 'import os, sys\n"
		  "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
		  "r, w = os.pipe()\n"
		  "try: os.splice(fd, w, 100); sys.exit(1)\n"
		  "except OSError as e: sys.exit(0 if e.errno == 22 else 2)' $M/events");
	cr_assert(t_refused("events"));
}

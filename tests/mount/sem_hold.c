/* @hold of /sem: a permit is had for as long as the file is open, whatever ends that. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "semaphore.h"

TestSuite(sem_hold, .timeout = 120);

static void end(pid_t pid, int number)
{
	kill(pid, number);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + number);
}

/* A shell that has a permit and goes on until it is killed. */
static pid_t spawn_holder(void)
{
	int before = sem_now();
	pid_t pid = t_spawn(M, "bash", "exec 9<$S@hold; exec sleep 1000");

	t_await(sem_now() == before - 1);
	return pid;
}

static pid_t spawn_waiting_holder(void)
{
	pid_t pid = t_spawn(M, "bash", "exec 9<$S@hold; echo held");

	sem_await_waiters(1);
	return pid;
}

/* --- how it comes back --- */

t_test(sem_hold, permit_is_had_from_open_to_close)
{
	static const char *const shells[] = {"bash", "dash"};

	sem_make("@value=2");
	for (unsigned i = 0; i < 2; i++) {
		char *out;

		cr_assert_eq(
			t_sh(M, shells[i],
			     "v() { grep ^value= $S@ctl; }\n"
			     "exec 9<$S@hold; v; exec 8>$S@hold; v; read -r left <&9; echo $left; v; exec 9<&-; v; exec "
			     "8>&-; v",
			     &out),
			0, "%s", out);
		cr_assert_str_eq(out, "value=1\nvalue=0\n1\nvalue=0\nvalue=1\nvalue=2\n", "%s", shells[i]);
	}
}

t_test(sem_hold, permit_is_back_when_the_holder_has_ended)
{
	static const char *const scripts[] = {
		"exec 9<$S@hold; exit 0",
		"{ :; } 9<$S@hold",
		"{ true | cat; } 9<$S@hold",
		"(exec 9<$S@hold; kill -KILL $BASHPID); true",
		"exec 9<$S@hold; exec true",
		"python3 -c 'import os; f = open(os.environ[\"S\"] + \"@hold\"); os.abort()' 2>/dev/null; true",
	};

	t_need("python3");
	sem_make("@value=1");
	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		t_bash(0, scripts[i]);
		cr_expect_eq(sem_seen(), 1, "%s", scripts[i]);
	}
}

t_test(sem_hold, permit_of_a_killed_holder_goes_to_who_waits)
{
	static const int signals[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP};

	sem_make("@value=1");
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid_t holder = spawn_holder(), waiter = spawn_waiting_holder();
		char *out;

		end(holder, signals[i]);
		cr_assert_eq(t_wait_exit(waiter, T_PATIENCE, &out), 0);
		cr_assert_str_eq(out, "held\n");
		cr_assert_eq(sem_seen(), 1);
	}
}

t_test(sem_hold, permit_comes_back_with_the_last_who_inherited_it)
{
	pid_t shell, job;

	sem_make("@value=1");
	shell = t_spawn(M, "bash", "exec 9<$S@hold; (sleep 1000 & echo $! >job); mv job pid; exec sleep 1000");
	t_await(access(t_format("%s/pid", t_scratch()), F_OK) == 0);
	job = (pid_t)strtol(t_read(t_format("%s/pid", t_scratch())), NULL, 10);
	cr_assert_eq(sem_now(), 0);
	end(shell, SIGKILL);
	cr_assert_eq(sem_now(), 0, "the other one has it still");
	kill(job, SIGKILL);
	t_await(sem_now() == 1); /* it is not our child, whose end would be the moment */
}

t_test(sem_hold, native_waiter_gets_the_permit_of_a_holder)
{
	sem_t *sem;
	pid_t holder;

	sem_make("@value=1");
	sem = sem_native();
	holder = spawn_holder();
	cr_assert_eq(sem_trywait(sem), -1);
	end(holder, SIGKILL);
	cr_assert_eq(sem_seen(), 1);
	cr_assert_eq(sem_trywait(sem), 0);
	pid_t waiter = spawn_waiting_holder();
	sem_post(sem);
	cr_assert_eq(t_wait_exit(waiter, T_PATIENCE, NULL), 0);
	cr_assert_eq(sem_seen(), 1);
}

/* --- waiting for it --- */

t_test(sem_hold, open_that_gives_up_leaves_the_permits)
{
	static const char *const scripts[][3] = {
		{"timeout 0.1 sh -c 'exec 9<$S@hold'", "", "124"},
		{"timeout -s KILL 0.1 sh -c 'exec 9<$S@hold'", "", "137"},
		{"timeout -s INT 0.1 bash -c 'exec 9<$S@hold'", "", "124"},
		{"exec 9<$S@hold,timeout=50ms", "timed out", "1"},
		{"exec 9<$S@timeout=0,hold", "timed out", "1"},
		{"exec dd iflag=nonblock if=$S@hold", "temporarily unavailable", "1"},
	};

	sem_make("");
	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		char *said = t_bash(atoi(scripts[i][2]), scripts[i][0]);

		cr_expect(strstr(said, scripts[i][1]), "%s: %s", scripts[i][0], said);
		sem_await_waiters(0);
		t_bash(0, "echo >$S");
		cr_expect_eq(sem_now(), 1, "%s", scripts[i][0]);
		t_check("cat $S", "0\n");
	}
}

t_test(sem_hold, opens_are_served_in_their_order)
{
	pid_t pids[5], holder;

	sem_make("@value=1");
	holder = spawn_holder();
	for (int i = 0; i < 5; i++) {
		pids[i] = t_spawn(M, "bash", t_format("exec 9<$S@hold; echo %d >>order", i));
		sem_await_waiters(i + 1);
	}
	end(holder, SIGKILL);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(t_wait_exit(pids[i], T_PATIENCE, NULL), 0);
	t_check("cat order", "0\n1\n2\n3\n4\n");
}

t_test(sem_hold, unlink_and_rename_leave_a_holder_its_own)
{
	sem_t *old;
	int value;

	sem_make("@value=1");
	old = sem_native();
	t_bash(0,
	       "exec 9<$S@hold; mv $S ${S}2; touch $S@value=5; [ \"$(cat ${S}2@timeout=0 2>/dev/null)\" ] && exit 3\n"
	       "exec 9<&-; rm ${S}2");
	cr_assert_eq(sem_seen(), 5);
	sem_getvalue(old, &value);
	cr_assert_eq(value, 1);
	t_bash(0, "exec 9<$S@hold; rm $S; touch $S@value=7; exec 9<&-");
	cr_assert_eq(sem_seen(), 7);
}

/* --- as a lock --- */

/* Each adds 1 to what the file has, by a read and a write between which others would come if they could. */
t_test(sem_hold, lock_lets_one_in_at_a_time)
{
	enum { SHELLS = 6 };
	pid_t pids[SHELLS];

	sem_make("@value=1");
	t_write(t_format("%s/count", t_scratch()), "0\n");
	for (int i = 0; i < SHELLS; i++)
		pids[i] = t_spawn(M, i % 2 ? "bash" : "dash",
				  "i=0; while [ $i -lt 50 ]; do i=$((i + 1))\n"
				  "exec 9<$S@hold; read -r n <count; echo $((n + 1)) >count; exec 9<&-; done");
	for (int i = 0; i < SHELLS; i++)
		cr_assert_eq(t_wait_exit(pids[i], T_PATIENCE, NULL), 0);
	cr_assert_str_eq(t_read(t_format("%s/count", t_scratch())), "300\n");
	cr_assert_eq(sem_seen(), 1);
}

t_test(sem_hold, killing_holders_and_waiters_at_any_moment_loses_no_permit)
{
	enum { SHELLS = 8, ROUNDS = 10 };
	pid_t pids[SHELLS];

	sem_make("@value=3");
	srand((unsigned)getpid());
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < SHELLS; i++)
			pids[i] = t_spawn(M, "bash", "while :; do exec 9<$S@hold; exec 9<&-; done");
		t_await(t_ctl(M, t_format("sem/%s", t_name("s")), "out_messages") > 20L * (round + 1));
		usleep((useconds_t)(rand() % 5000)); /* at any moment of opening and closing */
		for (int i = 0; i < SHELLS; i++)
			kill(pids[i], i % 2 ? SIGKILL : SIGTERM);
		for (int i = 0; i < SHELLS; i++)
			t_wait_exit(pids[i], T_PATIENCE, NULL);
		cr_assert_eq(sem_seen(), 3);
	}
}

/* --- what ctl says, and the daemon's end: mount/crash.c has that under traffic --- */

t_test(sem_hold, ctl_names_holders_and_who_waits)
{
	pid_t holder, waiter;
	char *text;

	sem_make("@value=1");
	holder = spawn_holder();
	waiter = spawn_waiting_holder();
	/* The shell has it before it becomes what sleeps. */
	t_await(strstr(t_read(sem_path("@ctl")), t_format("\nholder=pid:%d command:sleep since:", holder)));
	text = t_read(sem_path("@ctl"));
	cr_assert(strstr(text, t_format("\nwaiter=pid:%d command:bash operation:open since:", waiter)), "%s", text);
	cr_assert_null(strstr(text, t_format("holder=pid:%d", waiter)));
	end(waiter, SIGKILL);
	end(holder, SIGTERM);
	cr_assert_null(strstr(t_read(sem_path("@ctl")), "holder="));
}

/* Holders that ended while there was no daemon, and one of another mount that lives. */
t_test(sem_hold, next_mount_gives_back_what_the_dead_one_held_and_no_more)
{
	struct t_mount *dead = M, *other = t_mount_start(NULL);
	pid_t ended, living, elsewhere;

	sem_make("@value=5");
	ended = spawn_holder();
	living = spawn_holder();
	M = other; /* the same semaphore through another mount */
	setenv("S", sem_path(""), 1);
	elsewhere = spawn_holder();
	cr_assert_eq(sem_now(), 2);
	t_mount_crash(dead);
	end(ended, SIGKILL);
	cr_assert_eq(sem_now(), 2);
	t_mount_start(NULL);
	/* A daemon of another test may have been the first to start. */
	t_await(sem_now() == 4);
	end(living, SIGKILL);
	t_mount_stop(t_mount_start(NULL));
	cr_assert_eq(sem_now(), 4, "given back once");
	end(elsewhere, SIGKILL);
	cr_assert_eq(sem_seen(), 5);
}

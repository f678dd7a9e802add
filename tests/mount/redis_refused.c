/* Who may do what with what is in a Redis, and what a user is told whom the Redis itself refuses. */
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(redis_refused, .timeout = 90);

/* M/errors of the mount has that. */
static bool told(const struct t_mount *m, const char *part)
{
	const char *errors = t_read(t_path(m, "errors"));

	if (!strstr(errors, part))
		cr_log_error("errors has no '%s': %s", part, errors);
	return strstr(errors, part);
}

/* --- by the Redis --- */

t_test_bare(redis_refused, a_wrong_password_is_eacces_in_the_servers_words)
{
	struct redis server = redis_start(NULL);
	struct t_mount *m;

	redis_say(&server, "CONFIG SET requirepass right");
	cr_assert_eq(t_sh(NULL, "bash", "echo wrong >wrong; echo right >right", NULL), 0);
	m = redis_mount(&server, "A", t_format("redis_password_file=%s/wrong", t_scratch()));
	redis_mount(&server, "B", t_format("redis_password_file=%s/right", t_scratch()));
	t_check("cat $A/mq/q 2>&1 | grep -o 'Permission denied'; ls $A/mq 2>&1 | grep -o 'Permission denied'\n"
		"echo >$B/sem/s && cat $B/sem/s",
		"Permission denied\nPermission denied\n0\n");
	cr_assert(told(m, "EACCES: the Redis at"));
	cr_assert(told(m, "WRONGPASS"));
}

t_test_bare(redis_refused, a_user_of_the_redis_needs_no_more_than_our_keys)
{
	struct redis server = redis_start(NULL);

	redis_say(&server, "ACL SETUSER bob on '>pw' '~ipcfs:*' '&ipcfs:*' +@all -@dangerous +info");
	redis_say(&server, "ACL SETUSER default off");
	cr_assert_eq(t_sh(NULL, "bash", "echo pw >pw", NULL), 0);
	redis_mount(&server, "A", t_format("redis_user=bob,redis_password_file=%s/pw", t_scratch()));
	t_check("seq 3 >$A/mq/q@lines; cat $A/mq/q@lines,ack,drain; touch $A/sem/s@value=1; cat $A/sem/s@hold\n"
		"echo x >$A/bcast/b; cat $A/bcast/b@last=1,drain; ls $A/mq $A/sem | grep -c '^[qs]$'; rm $A/*/?",
		"1\n2\n3\n1\nx\n2\n");
}

t_test_bare(redis_refused, a_redis_that_is_too_old_is_named)
{
	struct redis old = {.options = NULL};
	struct t_mount *m;

	snprintf(old.socket, sizeof(old.socket), "%s/old.sock", t_scratch());
	t_spawn(NULL, "python3",
		"import socket, threading\n"
		"s = socket.socket(socket.AF_UNIX); s.bind('old.sock'); s.listen()\n"
		"def serve(c):\n"
		"    while c.recv(4096): c.sendall(b'$22\\r\\nredis_version:5.0.14\\r\\n\\r\\n')\n"
		"while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()");
	t_await(access(old.socket, F_OK) == 0);
	m = redis_mount(&old, "A", NULL);
	t_check("cat $A/mq/q 2>&1 | grep -o 'not supported'", "not supported\n");
	cr_assert(told(m, "the server is Redis 5.0.14"));
}

t_test_bare(redis_refused, without_a_server_a_name_gives_up_and_says_why)
{
	struct redis none = {.options = NULL};
	struct t_mount *m;

	snprintf(none.socket, sizeof(none.socket), "%s/none.sock", t_scratch());
	m = redis_mount(&none, "A", NULL);
	if (t_sh(m, "bash", "cat $M/mq/q 2>&1 | grep -o 'Host is down'", NULL) != 0)
		cr_skip_test("the build is without hiredis");
	cr_assert(told(m, "none.sock does not answer: No such file or directory"));
	t_check("timeout -s INT 0.3 cat $A/mq/q; echo $?", "124\n");
}

t_test_bare(redis_refused, who_waits_for_a_primary_that_no_sentinel_knows_is_told_so)
{
	struct redis main_one = redis_start_on_port("main", NULL), sentinel = redis_sentinel_start(&main_one);
	struct t_mount *m;

	m = redis_mount_at(t_format("127.0.0.1:%d", sentinel.port), "A", "redis_sentinel=other");
	t_check("cat $A/mq/q@timeout=1s 2>&1 | grep -o 'timed out'", "timed out\n");
	cr_assert(told(m, "no sentinel says where the primary 'other' is: the sentinel at 127.0.0.1:"));
}

t_test_bare(redis_refused, permits_move_where_memory_is_out_and_nothing_else_is_added)
{
	struct redis server = redis_start(NULL);
	struct t_mount *m = redis_mount(&server, "A", NULL);

	t_check("touch $A/sem/s@value=1; echo x >$A/bcast/b", "");
	redis_say(&server, "CONFIG SET maxmemory 1");
	t_check("cat $A/sem/s; echo >$A/sem/s; { echo y >$A/bcast/b; touch $A/sem/new; } 2>&1 | grep -o 'No space left'\n"
		"cat $A/bcast/b@last=1,drain; rm $A/bcast/b $A/sem/s",
		"0\nNo space left\nNo space left\nx\n");
	cr_assert(told(m, "ENOSPC: the Redis at"));
}

t_test_bare(redis_refused, a_script_that_was_flushed_is_sent_again)
{
	struct redis server = redis_start(NULL);

	redis_mount(&server, "A", NULL);
	t_check("echo 2 >$A/sem/s; echo x >$A/bcast/b", "");
	redis_say(&server, "SCRIPT FLUSH");
	t_check("cat $A/sem/s; cat $A/bcast/b@last=1,drain; echo y >$A/bcast/b; cat $A/bcast/b@last=1,drain",
		"1\nx\ny\n");
}

/* His message is given back while nobody may run scripts: it is there as soon as one may, long before the lease ends.
 */
t_test_bare(redis_refused, what_goes_back_while_rights_are_away_is_there_when_they_are_back)
{
	struct redis server = redis_start(NULL);

	redis_mount(&server, "A", NULL);
	t_check("echo job >$A/mq/q; set +e\n"
		"bash -c 'read -r x; redis-cli -s $S ACL SETUSER default -evalsha; exit 1' <$A/mq/q@ack\n"
		"until grep -q 'no permissions to run' $A/errors; do cat $A/mq/q@drain 2>/dev/null; done\n"
		"redis-cli -s $S ACL SETUSER default +evalsha; cat $A/mq/q@n=1,timeout=15s",
		"OK\nOK\njob\n");
}

/* Nobody hears of anything then: the message is in the queue, and the reader looks for it by himself. */
t_test_bare(redis_refused, without_the_right_to_publish_messages_come_late_and_none_is_refused)
{
	struct redis server = redis_start(NULL);

	redis_mount(&server, "A", NULL);
	redis_mount(&server, "B", NULL);
	t_check("redis-cli -s $S ACL SETUSER default resetchannels; touch $A/mq/q; cat $B/mq/q@n=1 >got &\n"
		"until grep -q 'waiters=1' $B/mq/q@ctl; do sleep 0.05; done; echo x >$A/mq/q; echo $?; wait; cat got",
		"OK\n0\nx\n");
}

/* --- by the owner --- */

t_test_bare(redis_refused, a_channel_has_its_makers_owner_and_mode_on_every_machine)
{
	struct redis server;

	if (geteuid() != 0)
		cr_skip_test("only root can be several users");
	server = redis_start(NULL);
	redis_mount(&server, "A", "allow_other");
	redis_mount(&server, "B", "allow_other");
	t_need("setpriv");
	t_check("as() { setpriv --reuid $1 --regid $1 --clear-groups bash -c \"$2\" 2>&1 | grep -oE 'denied|not permitted|read|[0-9]+ .*'; }\n"
		"export A B; umask 027; for k in mq sem bcast; do as 1234 \"touch $A/$k/mine\"; stat -c '%u %g %a' $B/$k/mine; done\n"
		"as 4321 'cat $B/mq/mine'; as 4321 'echo >$B/sem/mine'; as 4321 'chmod 666 $B/bcast/mine'; as 4321 'rm -f $B/mq/mine'\n"
		"as 1234 'chmod 666 $B/bcast/mine; until [ $(stat -c %a $A/bcast/mine) = 666 ]; do sleep .05; done; echo 0 666'; as 4321 'echo x >$A/bcast/mine && echo read'",
		"1234 1234 640\n1234 1234 640\n1234 1234 640\ndenied\ndenied\nnot permitted\nnot permitted\n0 666\nread\n");
}

/* What real programs do with a channel beside reading and writing it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <unistd.h>

#include "harness.h"

TestSuite(programs_use, .timeout = 60);

t_test(programs_use, touch_with_other_creation_facets_fails)
{
	t_check("cd $M/mq; touch ${P}q@maxmsg=4 && touch ${P}q@maxmsg=4 && touch ${P}q && echo same; touch ${P}q@maxmsg=8 2>/dev/null || echo other\n"
		"cd $M/sock; touch ${P}s@dgram; touch ${P}s@dgram && echo same; touch ${P}s@stream 2>/dev/null || echo other; rm $M/mq/${P}q",
		"same\nother\nsame\nother\n");
}

t_test(programs_use, attributes_of_other_creation_facets_are_not_set)
{
	t_check("cd $M/mq; touch ${P}q@maxmsg=4; chmod 640 ${P}q@maxmsg=4 && stat -c %a ${P}q\n"
		"for c in 'chmod 600' 'chown 0' 'touch -cd now'; do $c ${P}q@maxmsg=8 2>&- || echo $c; done; stat -c %a ${P}q\n"
		"rm ${P}q",
		"640\nchmod 600\nchown 0\ntouch -cd now\n640\n");
}

t_test(programs_use, shm_is_made_by_an_open_that_follows_no_link)
{
	int fd = open(t_path(M, "shm/%s", t_name("s")), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char back[8] = "";

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "hi", 2), 2);
	cr_assert_eq(pread(fd, back, sizeof(back), 0), 2);
	cr_expect_str_eq(back, "hi");
	close(fd);
	cr_expect_str_eq(t_read(t_path(M, "shm/%s", t_name("s"))), "hi");
}

enum { NOBODY = 65534 };

/* As an ordinary user where we can be one: root is bound by no mode. */
static int make_read_only(void *path)
{
	int fd;

	if (geteuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return 1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0444);
	if (fd < 0)
		return 2;
	return write(fd, "hi", 2) == 2 ? 0 : 3;
}

t_test_bare(programs_use, shm_is_made_read_only_and_written_by_its_maker)
{
	const char *shared = geteuid() == 0 ? "-oallow_other" : NULL;
	struct t_mount *m = t_mount_start(shared, NULL);
	char *path = t_path(m, "shm/%s", t_name("n"));
	struct stat st;

	cr_expect_eq(t_wait_exit(t_fork(make_read_only, path), 5000, NULL), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0444u);
	cr_expect_str_eq(t_read(path), "hi");
}

/* The kernel opens it, by the mode that it finds. */
t_test_bare(programs_use, pipe_is_made_read_only_and_written_by_its_maker)
{
	const char *shared = geteuid() == 0 ? "-oallow_other" : NULL;
	struct t_mount *m = t_mount_start(shared, NULL);
	char *path = t_path(m, "pipe/p");
	struct stat st;

	cr_expect_eq(t_wait_exit(t_fork(make_read_only, path), 5000, NULL), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect(S_ISFIFO(st.st_mode));
	cr_expect_eq(st.st_mode & 0777, 0644u);
}

t_test(programs_use, inode_flags_are_enotty)
{
	int flags, fd = open(t_path(M, "mq/%s", t_name("q")), O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	t_check_errno(ioctl(fd, FS_IOC_GETFLAGS, &flags), ENOTTY);
	close(fd);
	fd = open(t_path(M, "mq/%s", t_name("q")), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	cr_expect_geq(fd, 0);
	close(fd);
}

t_test(programs_use, refused_lock_names_the_channel)
{
	t_need("flock");
	t_check("touch $M/mq/${P}q; flock -n $M/mq/${P}q true 2>/dev/null; grep -c \"mq/${P}q: EOPNOTSUPP: channels cannot\" $M/errors",
		"1\n");
}

/* A server that answers at the end of its input, and what its clients do. */
#define WC                                                                                                                   \
	"python3 -c '\n"                                                                                                     \
	"import os, socket, sys\n"                                                                                           \
	"s = socket.socket(); s.bind((\"127.0.0.1\", 0)); s.listen(2); print(s.getsockname()[1], flush=True); os.close(1)\n" \
	"c = s.accept()[0]; n = 0\n"                                                                                         \
	"while d := c.recv(99): n += len(d)\n"                                                                               \
	"c.send(b\"%d\\n\" % n)' > port & until [ -s port ]; do sleep .01; done; a=$M/net/tcp/127.0.0.1/$(cat port)\n"

t_test(programs_use, shutdown_of_ones_own_connection_lets_the_server_answer)
{
	t_need("python3");
	t_check(WC "exec 3<> $a; printf hello >&3; echo shutdown=write > $a@ctl; read -r -u3 x; echo $x", "5\n");
}

t_test(programs_use, shutdown_without_a_connection_says_so)
{
	t_need("python3");
	t_check(WC
		"exec 3<> $a; (echo shutdown=write > $a@ctl) 2>/dev/null || echo none; env bash -c 'echo shutdown=write > $0@ctl' $a 2>/dev/null || echo not ours\n"
		"printf hell >&3; echo shutdown=write > $a@ctl; echo nonsense=1 2>/dev/null > $a@ctl || echo bad; read -r -u3 x; echo $x",
		"none\nnot ours\nbad\n4\n");
}

t_test(programs_use, shutdown_ends_one_direction_of_a_socket)
{
	t_check("cd $M/sock; touch ${P}s; { exec 4<> ${P}s@listen; cat <&4 > $OLDPWD/in; echo answer >&4; } & exec 3<> ${P}s; echo ask >&3; echo shutdown=write > ${P}s@ctl; cat <&3; wait; cat $OLDPWD/in",
		"answer\nask\n");
}

t_test(programs_use, half_ends_with_the_program_that_wrote)
{
	t_need("python3");
	t_check(WC "exec 3<> $a@half; printf hel >&3; printf lo | cat >&3; read -r -u3 x; echo $x", "5\n");
}

t_test(programs_use, half_is_not_ended_by_who_only_reads)
{
	t_check("cd $M/sock; touch ${P}s; { exec 4<> ${P}s@listen; echo hello >&4; cat <&4 > $OLDPWD/in; echo answer >&4; } & exec 3<> ${P}s@half\n"
		"env head -c6 <&3; echo ask >&3; env head -c0 <&3; echo more | cat >&3; cat <&3; wait; cat $OLDPWD/in",
		"hello\nanswer\nask\nmore\n");
}

t_test(programs_use, half_connects_to_a_server)
{
	t_need("socat");
	t_check("cd $M/sock; socat UNIX-LISTEN:${P}srv 'SYSTEM:wc -c' & until [ -S ${P}srv ]; do sleep .02; done\n"
		"exec 3<> ${P}srv@half; printf hello | cat >&3; cat <&3; wait",
		"5\n");
}

static long daemon_memory(void)
{
	char *status = t_read(t_format("/proc/%d/status", (int)M->daemon)), *line = strstr(status, "VmRSS:");

	return line ? strtol(line + strlen("VmRSS:"), NULL, 10) : 0;
}

/* All of these are used again and again, so that what the allocator keeps would be kept for ever. */
t_test(programs_use, memory_goes_back_when_many_names_have_gone)
{
	long before = daemon_memory(), most;

#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizer keeps what was freed");
#endif
	t_check("cd $M/pipe; seq 20000 | sed \"s/^/$P/\" | xargs mkfifo", "");
	most = daemon_memory();
	cr_assert_gt(most, before + 8192);
	t_check("cd $M/pipe; seq 20000 | sed \"s/^/$P/\" | xargs rm", "");
	t_await(daemon_memory() < before + (most - before) / 2);
}

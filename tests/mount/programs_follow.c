/* Programs that look again and again whether something has changed. */
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

TestSuite(programs_follow, .timeout = 60);

static void sleep_a_tick(void)
{
	usleep(20000); /* the clock of file times is a coarse one */
}

static bool is_later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static struct timespec mtime(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0, "%s", path);
	return st.st_mtim;
}

/* For one second the kernel may believe what it was told. */
#define expect_moves(path, before) t_await(is_later(mtime(path), before))

t_test(programs_follow, directories_have_the_time_of_their_last_change)
{
	static const char *const kinds[] = {"pipe", "shm", "mq", "sem", "sock", "bcast"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		char *dir = t_path(M, "%s", kinds[i]), *name = t_path(M, "%s/%s", kinds[i], t_name("n"));
		struct timespec before = mtime(dir);

		sleep_a_tick();
		t_sh(M, "sh", t_format("touch %s", name), NULL);
		expect_moves(dir, before);
		before = mtime(dir);
		sleep_a_tick();
		cr_assert_eq(unlink(name), 0);
		expect_moves(dir, before);
	}
}

t_test(programs_follow, directories_have_the_time_of_what_others_made)
{
	char *dir = t_path(M, "shm");
	struct timespec before = mtime(dir);
	const char *native = t_format("/dev/shm/%s", t_name("native"));

	sleep_a_tick();
	t_write(native, "x");
	expect_moves(dir, before);
	unlink(native);
}

t_test(programs_follow, channels_have_the_time_of_the_last_write)
{
	t_check("cd $M; touch -d 2001-01-01 bcast/${P}b mq/${P}q@maxmsg=4; stat -c %y bcast/${P}b mq/${P}q | cut -c1-4; "
		"echo x > bcast/${P}b; echo x > mq/${P}q; \n"
		"until [ $(stat -c %Y bcast/${P}b) -gt 1600000000 ] && [ $(stat -c %Y mq/${P}q) -gt 1600000000 ]; do sleep .05; done; echo new\n"
		"touch -d 2001-01-01 bcast/${P}b; stat -c %y bcast/${P}b | cut -c1-4; rm mq/${P}q",
		"2001\n2001\nnew\n2001\n");
}

/* tail looks once a second. */
#define FOLLOW(tail)                                                                                                    \
	"touch $M/bcast/${P}b; " tail                                                                                   \
	" -f $M/bcast/${P}b@lines > out 2>&1 & p=$!; until grep -q ^readers=1 $M/bcast/${P}b@ctl; do sleep .02; done\n" \
	"for i in 1 2 3; do echo $i > $M/bcast/${P}b@lines; done; until grep -q 3 out; do sleep .1; done\n"             \
	"echo 4 > $M/bcast/${P}b@lines; until grep -q 4 out; do sleep .1; done; kill $p; cat out"

t_test(programs_follow, tail_follows_a_broadcast)
{
	t_check(FOLLOW("tail"), "1\n2\n3\n4\n");
}

t_test(programs_follow, busybox_tail_follows_a_broadcast)
{
	t_need("busybox");
	t_check(FOLLOW("busybox tail"), "1\n2\n3\n4\n");
}

t_test(programs_follow, tail_of_a_broadcast_ends)
{
	t_check("cd $M/bcast; for i in 1 2 3; do echo $i > ${P}b@lines; done; timeout 5 tail -n 2 ${P}b@lines,last=3",
		"2\n3\n");
}

t_test(programs_follow, tail_takes_nothing_from_a_queue)
{
	t_check("cd $M/mq; printf 'a\\nb\\nc\\n' > ${P}q@lines; timeout 5 tail -n1 -f ${P}q 2>/dev/null; echo $?; cat ${P}q@lines,drain\n"
		"grep -c 'would take all the others' $M/errors; rm ${P}q",
		"1\na\nb\nc\n1\n");
}

t_test(programs_follow, tail_of_a_queue_with_an_end_takes_all_of_it)
{
	t_check("cd $M/mq; printf 'a\\nb\\nc\\n' > ${P}q@lines; timeout 5 tail -n1 ${P}q@lines,drain; grep ^messages= ${P}q@ctl; rm ${P}q",
		"c\nmessages=0\n");
}

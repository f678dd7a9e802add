/* Long reads of a broadcast: what is kept of them lies in the channel's buffer as long as it is there. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "kinds/bcast/bcast.h"
#include "fixture.h"

enum { LINES = 1000, LINE = 10, BYTES = LINES * LINE, BUFFER = 16000 };

static void setup(void)
{
	u_setup(&ipc_bcast);
}

TestSuite(bcast_borrow, .init = setup, .fini = u_teardown, .timeout = 20);

static struct ipc_handle *opened(const char *name, int flags)
{
	struct stat st;

	if (u_stat(name, &st) == -ENOENT)
		u_create(name);
	return u_open(name, flags);
}

/* Opens b for writing, with a buffer for BYTES of lines. */
static struct ipc_handle *writer(void)
{
	struct ipc_handle *w = opened("b@lines", O_WRONLY), *ctl = opened("b@ctl", O_WRONLY);

	cr_assert_gt(u_put(ctl, "buffer=16000\n"), 0);
	ipc_close(ctl);
	return w;
}

/* The lines from that number on, as they are written; in a static buffer. */
static const char *lines_from(int first)
{
	static char text[BYTES + 1];

	for (int i = 0; i < LINES; i++)
		snprintf(text + (ptrdiff_t)i * LINE, LINE + 1, "%09d\n", first + i);
	return text;
}

static void put_lines(struct ipc_handle *w, int first)
{
	cr_assert_eq(u_put(w, lines_from(first)), BYTES);
}

/* A read of up to `room` bytes at that offset. Returns its result; *data: what was read. */
static ssize_t take_at(struct ipc_handle *h, off_t at, size_t room, const char **data)
{
	struct ipc_op op = {
		.type = IPC_READ, .handle = h, .cred = u_me(), .size = room, .offset = at, .nonblock = true};
	ssize_t r = ipc_submit(&op);

	*data = op.data;
	return r;
}

#define cr_take_lines(h, at, first)                                                                                    \
	do {                                                                                                           \
		const char *got;                                                                                       \
		cr_assert_eq(take_at(h, at, 128 << 10, &got), BYTES);                                                  \
		cr_assert_arr_eq(got, lines_from(first), BYTES);                                                       \
	} while (0)

static bool memory_is(size_t bytes)
{
	char line[64];

	snprintf(line, sizeof(line), "\nmemory=%zu\n", bytes);
	return strstr(u_ctl("b"), line) != NULL;
}

Test(bcast_borrow, a_long_read_takes_no_memory_while_the_buffer_has_it)
{
	struct ipc_handle *w = writer(), *r = opened("b@lines", O_RDONLY);
	const char *data;

	put_lines(w, 0);
	cr_take_lines(r, 0, 0);
	cr_assert(memory_is(bcast_ring_memory(BUFFER)));
	cr_take_lines(r, 0, 0);
	cr_assert_eq(take_at(r, 2 * LINE, LINE, &data), LINE);
	cr_assert_arr_eq(data, "000000002\n", LINE);
	ipc_close(r);
	ipc_close(w);
}

Test(bcast_borrow, a_long_read_is_read_again_when_the_buffer_has_gone_on)
{
	struct ipc_handle *w = writer(), *r = opened("b@lines", O_RDONLY), *other = opened("b@lines", O_RDONLY);

	put_lines(w, 0);
	cr_take_lines(r, 0, 0);
	cr_take_lines(other, 0, 0);
	put_lines(w, 1000);
	cr_take_lines(other, BYTES, 1000);
	put_lines(w, 2000);
	cr_take_lines(r, 0, 0);
	cr_assert(!memory_is(bcast_ring_memory(BUFFER)));
	cr_take_lines(other, BYTES, 1000);
	cr_take_lines(other, (off_t)2 * BYTES, 2000);
	ipc_close(other);
	ipc_close(r);
	ipc_close(w);
}

Test(bcast_borrow, a_long_read_is_read_again_when_the_buffer_was_changed)
{
	struct ipc_handle *w = writer(), *r = opened("b@lines", O_RDONLY), *ctl = opened("b@ctl", O_WRONLY);

	put_lines(w, 0);
	cr_take_lines(r, 0, 0);
	cr_assert_gt(u_put(ctl, "buffer=4096\n"), 0);
	cr_take_lines(r, 0, 0);
	ipc_close(ctl);
	ipc_close(r);
	ipc_close(w);
}

Test(bcast_borrow, an_undelivered_read_waits_for_the_next_one_whatever_comes_meanwhile)
{
	struct ipc_handle *w = writer(), *r = opened("b@lines", O_RDONLY);
	struct u_call c;

	u_prepare(&c, r, IPC_READ, NULL);
	c.op.size = 128 << 10;
	c.undeliverable = true;
	u_submit(&c);
	cr_assert_not(c.done);
	put_lines(w, 0);
	u_finish(&c);
	put_lines(w, 1000);
	put_lines(w, 2000);
	cr_take_lines(r, 0, 0);
	ipc_close(r);
	ipc_close(w);
}

static void leave_no_memory_to_readers(void)
{
	struct ipc_options options = {.quota = {[IPC_QUOTA_BYTES] = bcast_ring_memory(BUFFER) + BYTES / 2}};

	ipc_free(u_ipc);
	u_ipc = ipc_new(u_loop, &options, ipc_kinds);
}

Test(bcast_borrow, what_cannot_be_saved_for_its_reader_counts_as_missed)
{
	struct ipc_handle *w, *r;
	const char *data;
	struct u_call c;

	leave_no_memory_to_readers();
	w = writer();
	r = opened("b@lines", O_RDONLY);
	u_prepare(&c, r, IPC_READ, NULL);
	c.op.size = 128 << 10;
	c.undeliverable = true;
	u_submit(&c);
	cr_assert_not(c.done);
	put_lines(w, 0);
	u_finish(&c);
	put_lines(w, 1000);
	cr_assert_eq(take_at(r, 0, 128 << 10, &data), -ENOBUFS);
	cr_assert_eq(take_at(r, 0, LINE, &data), LINE);
	cr_assert_arr_eq(data, "000001000\n", LINE);
	cr_assert(strstr(u_ctl("b"), "dropped:1000\n"));
	ipc_close(r);
	ipc_close(w);
}

Test(bcast_borrow, what_was_read_and_cannot_be_saved_is_not_read_again_nor_is_another_in_its_place)
{
	struct ipc_handle *w, *r;
	const char *data;

	leave_no_memory_to_readers();
	w = writer();
	r = opened("b@lines", O_RDONLY);
	put_lines(w, 0);
	cr_take_lines(r, 0, 0);
	put_lines(w, 1000);
	cr_assert_eq(take_at(r, 0, LINE, &data), -EINVAL);
	cr_assert_eq(take_at(r, BYTES, LINE, &data), LINE);
	cr_assert_arr_eq(data, "000001000\n", LINE);
	cr_assert(strstr(u_ctl("b"), "dropped:0\n"));
	ipc_close(r);
	ipc_close(w);
}

/* It never looks back. */
Test(bcast_borrow, who_reads_and_writes_by_one_descriptor_reads_on_whatever_became_of_the_buffer)
{
	struct ipc_handle *both = opened("b@lines", O_RDWR), *ctl = opened("b@ctl", O_WRONLY);
	const char *data;

	for (int i = 0; i < 5; i++) {
		put_lines(both, i * LINES);
		cr_take_lines(both, 0, i * LINES);
		cr_assert_eq(u_put(both, "short\n"), 6);
		cr_assert_gt(u_put(ctl, i % 2 ? "buffer=1M\n" : "buffer=32000\n"), 0);
		cr_assert_eq(take_at(both, 0, 128 << 10, &data), 6);
		cr_assert_arr_eq(data, "short\n", 6);
	}
	ipc_close(ctl);
	ipc_close(both);
}

Test(bcast_borrow, a_long_message_that_is_read_in_part_is_the_readers_own)
{
	struct ipc_handle *w = writer(), *r = opened("b", O_RDONLY), *plain = opened("b", O_WRONLY);
	const char *data;

	cr_assert_eq(u_put(plain, lines_from(0)), BYTES);
	cr_assert_eq(take_at(r, 0, BYTES / 2, &data), BYTES / 2);
	put_lines(w, 1000);
	put_lines(w, 2000);
	cr_assert_eq(take_at(r, BYTES / 2, BYTES, &data), BYTES / 2);
	cr_assert_arr_eq(data, lines_from(0) + BYTES / 2, BYTES / 2);
	ipc_close(plain);
	ipc_close(r);
	ipc_close(w);
}

Test(bcast_borrow, a_reader_of_another_form_gets_its_own)
{
	struct ipc_handle *w = writer(), *r = opened("b@nul", O_RDONLY);
	const char *data;

	put_lines(w, 0);
	cr_assert_eq(take_at(r, 0, 128 << 10, &data), BYTES);
	for (int i = 0; i < LINES; i++)
		cr_assert_eq(data[i * LINE + LINE - 1], '\0');
	cr_assert_arr_eq(data + BYTES - LINE, "000000999", LINE);
	ipc_close(r);
	ipc_close(w);
}

/* More of them than may borrow, so that some have copies. */
Test(bcast_borrow, all_of_many_readers_may_read_again)
{
	enum { READERS = 100 };
	struct ipc_handle *w = writer(), *r[READERS];

	for (int i = 0; i < READERS; i++)
		r[i] = opened("b@lines", O_RDONLY);
	put_lines(w, 0);
	for (int i = 0; i < READERS; i++)
		cr_take_lines(r[i], 0, 0);
	ipc_close(r[7]);
	put_lines(w, 1000);
	for (int i = 0; i < READERS; i += 2)
		cr_take_lines(r[i], BYTES, 1000);
	ipc_close(r[8]);
	put_lines(w, 2000);
	for (int i = 0; i < READERS; i++)
		if (i != 7 && i != 8)
			cr_take_lines(r[i], i % 2 ? 0 : BYTES, i % 2 ? 0 : 1000);
	for (int i = 0; i < READERS; i++)
		if (i != 7 && i != 8)
			ipc_close(r[i]);
	ipc_close(w);
}

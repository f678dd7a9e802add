/* Large writes to a reader that keeps up: they wait for its next read, for a moment. */
#include "sock.h"
#include "core/quota.h"

TestSuite(sock_pair, .init = setup, .fini = teardown, .timeout = 30);

enum { BLOCK = 128 * 1024, MOST = 1 << 20 };

static char block[BLOCK], got[MOST];

/* A stream whose reader has waited for one block, and got it. */
static void hot_stream(struct ipc_handle **r, struct ipc_handle **w)
{
	struct u_call c = {.done = false};

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	*r = opened("x", O_RDONLY);
	*w = opened("x", O_WRONLY);
	cr_assert_eq(begin_read(&c, *r, BLOCK, false), IPC_WOULD_PARK);
	cr_assert_eq(put(*w, block, BLOCK), BLOCK);
	cr_assert_eq(finish(&c), BLOCK);
}

static ssize_t begin_write(struct u_call *c, struct ipc_handle *w, const char *first)
{
	memcpy(block, first, strlen(first));
	c->op.data = block;
	c->op.size = BLOCK;
	return begin(c, w, IPC_WRITE, false);
}

/* Reads `size` bytes, whatever the pieces; the first ones are in got. */
static void get_all(struct ipc_handle *r, size_t size)
{
	for (size_t n = 0; n < size;) {
		struct u_call c = {.done = false};

		begin_read(&c, r, size - n, false);
		cr_assert_gt(finish(&c), 0);
		memcpy(got + n, c.text, (size_t)c.result < sizeof(c.text) ? (size_t)c.result : sizeof(c.text));
		n += (size_t)c.result;
	}
}

Test(sock_pair, a_large_write_waits_for_the_read_of_a_reader_that_keeps_up)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false}, read = {.done = false};

	hot_stream(&r, &w);
	cr_assert_eq(begin_write(&c, w, "second"), IPC_WOULD_PARK);
	cr_assert_eq(begin_read(&read, r, BLOCK, true), BLOCK);
	cr_assert_arr_eq(read.text, "second", 6);
	cr_assert(c.done);
	cr_assert_eq(c.result, BLOCK);
	ipc_close(r);
	ipc_close(w);
}

Test(sock_pair, a_large_write_whose_reader_does_not_come_goes_to_the_socket)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false};

	hot_stream(&r, &w);
	cr_assert_eq(begin_write(&c, w, "second"), IPC_WOULD_PARK);
	cr_assert_eq(finish(&c), BLOCK);
	cr_assert_eq(put(w, "third", 5), 5);
	get_all(r, BLOCK);
	cr_assert_arr_eq(got, "second", 6);
	expect_get(r, "third");
	ipc_close(r);
	ipc_close(w);
}

Test(sock_pair, a_write_that_waits_is_done_when_it_is_interrupted)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false};

	hot_stream(&r, &w);
	cr_assert_eq(begin_write(&c, w, "second"), IPC_WOULD_PARK);
	ipc_interrupt(&c.op);
	cr_assert(c.done);
	cr_assert_eq(c.result, BLOCK);
	get_all(r, BLOCK);
	cr_assert_arr_eq(got, "second", 6);
	ipc_close(r);
	ipc_close(w);
}

Test(sock_pair, a_write_that_may_not_wait_goes_to_the_socket)
{
	struct ipc_handle *r, *w, *other;
	struct u_call c = {.done = false}, parked = {.done = false};

	hot_stream(&r, &w);
	cr_assert_eq(u_create_type("y", S_IFREG | 0644), 0);
	other = opened("y", O_RDONLY);
	cr_assert_eq(begin_read(&parked, other, BLOCK, false), IPC_WOULD_PARK);
	u_ipc->opt.quota[IPC_QUOTA_PARKED] = 1;
	cr_assert_eq(begin_write(&c, w, "second"), BLOCK);
	get_all(r, BLOCK);
	u_ipc->opt.quota[IPC_QUOTA_PARKED] = 2;
	u_ipc->opt.quota[IPC_QUOTA_BYTES] = 1000;
	cr_assert_eq(begin_write(&c, w, "third"), BLOCK);
	get_all(r, BLOCK);
	cr_assert_arr_eq(got, "third", 5);
	ipc_interrupt(&parked.op);
	ipc_close(other);
	ipc_close(r);
	ipc_close(w);
}

Test(sock_pair, a_read_that_takes_a_part_leaves_the_rest_in_order)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false};

	hot_stream(&r, &w);
	cr_assert_eq(begin_write(&c, w, "second"), IPC_WOULD_PARK);
	cr_assert_eq(get(r, 3, got), 3);
	cr_assert_arr_eq(got, "sec", 3);
	cr_assert_not(c.done);
	cr_assert_eq(finish(&c), BLOCK); /* nobody reads on */
	get_all(r, BLOCK - 3);
	cr_assert_arr_eq(got, "ond", 3);
	ipc_close(r);
	ipc_close(w);
}

Test(sock_pair, a_write_that_waits_can_be_read_says_poll)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false};

	hot_stream(&r, &w);
	cr_assert_eq(ipc_poll_for(r, POLLIN, false) & POLLIN, 0);
	cr_assert_eq(begin_write(&c, w, "second"), IPC_WOULD_PARK);
	cr_assert(ipc_poll_for(r, POLLIN, false) & POLLIN);
	get_all(r, BLOCK);
	cr_assert(c.done);
	ipc_close(r);
	ipc_close(w);
}

Test(sock_pair, a_write_does_not_wait_for_a_reader_that_polls)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false};

	hot_stream(&r, &w);
	cr_assert_eq(ipc_poll_for(r, POLLIN, true) & POLLIN, 0);
	cr_assert_eq(begin_write(&c, w, "second"), BLOCK);
	get_all(r, BLOCK);
	ipc_close(r);
	ipc_close(w);
}

Test(sock_pair, a_write_that_waits_ends_with_its_reader)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false};

	hot_stream(&r, &w);
	cr_assert_eq(begin_write(&c, w, "second"), IPC_WOULD_PARK);
	ipc_close(r);
	cr_assert_eq(finish(&c), -EPIPE);
	ipc_close(w);
}

Test(sock_pair, a_write_that_waits_ends_when_its_own_file_is_closed)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false};
	char buf[8];

	hot_stream(&r, &w);
	cr_assert_eq(begin_write(&c, w, "second"), IPC_WOULD_PARK);
	ipc_close(w);
	cr_assert_eq(c.result, -EBADF);
	cr_assert_eq(get(r, 8, buf), 0);
	ipc_close(r);
}

/* More reads wait than are served in a row, and the write is tried again before the rest of them has its turn. */
Test(sock_pair, no_byte_goes_to_two_of_many_reads_that_wait)
{
	enum { SERVED = 64, READS = SERVED + 6, PIECE = 64 * 1024, PIECES = SERVED + 3 };
	static struct u_call reads[READS], c, more;
	char *text = calloc(PIECES, PIECE);
	struct ipc_handle *r, *w;
	size_t sum = 0;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	w = opened("x", O_RDWR);
	r = opened("x@listen", O_RDWR);
	for (int i = 0; i < READS; i++)
		cr_assert_eq(begin_read(&reads[i], r, PIECE, false), IPC_WOULD_PARK);
	for (int i = 0; i < PIECES; i++)
		text[(size_t)i * PIECE] = (char)i;
	c.op.data = text;
	c.op.size = (size_t)PIECES * PIECE;
	cr_assert_eq(begin(&c, w, IPC_WRITE, false), IPC_WOULD_PARK);
	more.op.data = "more";
	more.op.size = 4;
	begin(&more, w, IPC_WRITE, true);
	cr_assert_eq(finish(&c), PIECES * PIECE);
	for (int i = 0; i < PIECES; i++) {
		cr_assert_eq(finish(&reads[i]), PIECE);
		cr_assert_eq(reads[i].text[0], (char)i);
		sum += (size_t)reads[i].result;
	}
	settle();
	for (int i = PIECES; i < READS; i++)
		sum += reads[i].done ? (size_t)reads[i].result : 0;
	cr_assert_eq(sum, PIECES * PIECE + (more.result > 0 ? (size_t)more.result : 0));
	ipc_close(r);
	ipc_close(w);
	free(text);
}

/* --- the memory of a write --- */

enum { LOAN = MOST };

/* Data somewhere in memory that may be kept, as in a request. */
static char *lent(struct ipc_loan *loan, char first)
{
	loan->mem = malloc(LOAN);
	loan->size = LOAN;
	cr_assert_not_null(loan->mem);
	memset(loan->mem, first, LOAN);
	return loan->mem;
}

static ssize_t begin_lent(struct u_call *c, struct ipc_handle *w, struct ipc_loan *loan)
{
	c->op.data = loan->mem + 80;
	c->op.size = BLOCK;
	c->op.loan = loan;
	return begin(c, w, IPC_WRITE, false);
}

static void expect_all(const char *data, size_t size, char c)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != c)
			cr_assert_fail("%zu: %d instead of %d", i, data[i], c);
}

static size_t bytes_used(void)
{
	return ipc_quota_used(u_ipc, getuid(), IPC_QUOTA_BYTES);
}

Test(sock_pair, a_write_that_is_read_whole_leaves_its_memory_to_the_reader_who_can_read_it_again)
{
	struct ipc_handle *r, *w;
	struct ipc_loan loans[2];
	char *mem[2], buf[100];
	size_t used = bytes_used();

	hot_stream(&r, &w);
	for (int i = 0; i < 2; i++) {
		struct u_call c = {.done = false}, read = {.done = false};

		mem[i] = lent(&loans[i], (char)('a' + i));
		cr_assert_eq(begin_lent(&c, w, &loans[i]), IPC_WOULD_PARK);
		cr_assert_eq(begin_read(&read, r, BLOCK, true), BLOCK);
		cr_assert_eq((const void *)read.op.data, mem[i] + 80, "it was copied");
		expect_all(read.op.data, BLOCK, (char)('a' + i));
		cr_assert_eq(c.result, BLOCK);
		r->pos -= 100;
		cr_assert_eq(get(r, 100, buf), 100);
		expect_all(buf, 100, (char)('a' + i));
	}
	cr_assert_null(loans[0].mem);
	cr_assert_eq((const void *)loans[1].mem, mem[0], "the reader has two");
	cr_assert_eq(bytes_used() - used, LOAN);
	/* And something small into the memory that it has by now. */
	cr_assert_eq(put(w, "end", 3), 3);
	expect_get(r, "end");
	r->pos -= 3;
	expect_get(r, "end");
	ipc_close(r);
	ipc_close(w);
	cr_assert_eq(bytes_used(), used);
	free(loans[1].mem);
}

Test(sock_pair, a_read_that_waits_takes_the_memory_of_the_write_that_ends_its_wait)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false}, read = {.done = false};
	struct ipc_loan loan;
	const char *mem = lent(&loan, 'x');

	hot_stream(&r, &w);
	cr_assert_eq(begin_read(&read, r, BLOCK, false), IPC_WOULD_PARK);
	cr_assert_eq(begin_lent(&c, w, &loan), IPC_WOULD_PARK, "the reader is answered first");
	cr_assert_eq(finish(&c), BLOCK);
	cr_assert_eq(finish(&read), BLOCK);
	cr_assert_eq((const void *)read.op.data, mem + 80, "it was copied");
	cr_assert_null(loan.mem);
	ipc_close(r);
	ipc_close(w);
}

Test(sock_pair, memory_above_the_readers_limit_or_read_in_parts_is_copied)
{
	struct ipc_handle *r, *w;
	struct u_call c = {.done = false}, part = {.done = false}, whole = {.done = false};
	struct ipc_loan loan;
	const char *mem = lent(&loan, 'x');

	hot_stream(&r, &w);
	cr_assert_eq(begin_lent(&c, w, &loan), IPC_WOULD_PARK);
	cr_assert_eq(begin_read(&part, r, BLOCK / 2, true), BLOCK / 2);
	cr_assert_neq((const void *)part.op.data, mem + 80);
	get_all(r, BLOCK / 2);
	cr_assert_eq(finish(&c), BLOCK);
	cr_assert_eq(loan.mem, mem);

	u_ipc->opt.quota[IPC_QUOTA_BYTES] = bytes_used() + 2 * BLOCK;
	cr_assert_eq(begin_read(&whole, r, BLOCK, false), IPC_WOULD_PARK);
	cr_assert_eq(begin_lent(&c, w, &loan), IPC_WOULD_PARK);
	cr_assert_eq(finish(&c), BLOCK);
	cr_assert_eq(finish(&whole), BLOCK);
	expect_all(whole.op.data, BLOCK, 'x');
	cr_assert_eq(loan.mem, mem);
	ipc_close(r);
	ipc_close(w);
	free(loan.mem);
}

/* The messages that a broadcast keeps. */
#include <criterion/criterion.h>
#include <string.h>

#include "kinds/bcast/bcast.h"

TestSuite(bcast_ring, .timeout = 20);

static void ring_add_text(struct bcast_ring *ring, const char *text)
{
	bcast_ring_add(ring, text, strlen(text), -1);
}

static const char *ring_text(const struct bcast_ring *ring, uint64_t seq)
{
	static char text[128];

	*bcast_ring_copy(ring, seq, seq + 1, -1, text) = '\0';
	return text;
}

Test(bcast_ring, drops_the_oldest_for_room)
{
	struct bcast_ring ring = {0};

	cr_assert_eq(bcast_ring_resize(&ring, 64), 0);
	for (int i = 0; i < 3; i++)
		ring_add_text(&ring, "0123456789012345678901234567");
	cr_assert_eq(ring.first, 1);
	cr_assert_eq(ring.next, 3);
	cr_assert_str_eq(ring_text(&ring, 2), "0123456789012345678901234567");
	cr_assert_eq(bcast_ring_bytes(&ring), 56);
	bcast_ring_free(&ring);
}

Test(bcast_ring, bounds_the_number_of_messages)
{
	struct bcast_ring ring = {0};

	cr_assert_eq(bcast_ring_resize(&ring, 64), 0);
	for (int i = 0; i < 9; i++)
		ring_add_text(&ring, i & 1 ? "odd" : "");
	cr_assert_eq(ring.next - ring.first, 64 / BCAST_RING_AVERAGE);
	cr_assert_str_eq(ring_text(&ring, 7), "odd");
	cr_assert_eq(bcast_ring_len(&ring, 8), 0);
	bcast_ring_free(&ring);
}

Test(bcast_ring, takes_a_message_of_its_own_size)
{
	struct bcast_ring ring = {0};
	char whole[64];

	memset(whole, 'w', sizeof(whole));
	cr_assert_eq(bcast_ring_resize(&ring, sizeof(whole)), 0);
	ring_add_text(&ring, "before");
	bcast_ring_add(&ring, whole, sizeof(whole), -1);
	cr_assert_eq(ring.first, 1);
	cr_assert_arr_eq(ring_text(&ring, 1), whole, sizeof(whole));
	bcast_ring_free(&ring);
}

Test(bcast_ring, copies_several_with_a_delimiter_across_its_end)
{
	struct bcast_ring ring = {0};
	char text[64];

	cr_assert_eq(bcast_ring_resize(&ring, 64), 0);
	ring_add_text(&ring, "to move the others across the end, 45 bytes..");
	ring_add_text(&ring, "0123456789");
	ring_add_text(&ring, "abcdefghijklmn");
	ring_add_text(&ring, "");
	*bcast_ring_copy(&ring, 1, 4, '\n', text) = '\0';
	cr_assert_str_eq(text, "0123456789\nabcdefghijklmn\n\n");
	cr_assert_eq(bcast_ring_span(&ring, 1, 4), 24);
	bcast_ring_free(&ring);
}

Test(bcast_ring, tells_how_many_fit)
{
	struct bcast_ring ring = {0};

	cr_assert_eq(bcast_ring_resize(&ring, 256), 0);
	for (int i = 0; i < 10; i++)
		ring_add_text(&ring, "0123456789");
	cr_assert_eq(bcast_ring_fit(&ring, 2, UINT64_MAX, 33, 1), 5);
	cr_assert_eq(bcast_ring_fit(&ring, 2, UINT64_MAX, 32, 1), 4);
	cr_assert_eq(bcast_ring_fit(&ring, 2, 2, 33, 1), 4);
	cr_assert_eq(bcast_ring_fit(&ring, 2, UINT64_MAX, 3, 1), 3, "one, if not whole");
	cr_assert_eq(bcast_ring_fit(&ring, 2, UINT64_MAX, 1000, 1), 10);
	bcast_ring_free(&ring);
}

Test(bcast_ring, keeps_its_messages_when_resized)
{
	struct bcast_ring ring = {0};
	char text[16];

	cr_assert_eq(bcast_ring_resize(&ring, 160), 0);
	for (int i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "message %d", i);
		ring_add_text(&ring, text);
	}
	cr_assert_eq(ring.first, 20);
	cr_assert_eq(bcast_ring_resize(&ring, 1000), 0);
	ring_add_text(&ring, "more");
	cr_assert_eq(ring.first, 20);
	cr_assert_str_eq(ring_text(&ring, 20), "message 20");
	cr_assert_eq(bcast_ring_resize(&ring, 48), 0);
	cr_assert_eq(ring.first, 28);
	cr_assert_str_eq(ring_text(&ring, 28), "message 28");
	cr_assert_str_eq(ring_text(&ring, 29), "message 29");
	cr_assert_str_eq(ring_text(&ring, 30), "more");
	bcast_ring_free(&ring);
}

Test(bcast_ring, takes_several_as_they_were_written)
{
	struct bcast_ring ring = {0};
	char text[64];

	cr_assert_eq(bcast_ring_resize(&ring, 64), 0);
	ring_add_text(&ring, "to move the others across the end, 45 bytes..");
	cr_assert_eq(bcast_ring_add_several(&ring, "0123456789\nabcdefghijk\n\nunfinished", 34, '\n', 64), 24);
	cr_assert_eq(ring.next, 4);
	cr_assert_eq(ring.first, 1, "of 64 bytes");
	cr_assert_str_eq(ring_text(&ring, 1), "0123456789");
	cr_assert_str_eq(ring_text(&ring, 2), "abcdefghijk");
	cr_assert_eq(bcast_ring_len(&ring, 3), 0);
	cr_assert_eq(bcast_ring_bytes(&ring), 21);
	*bcast_ring_copy(&ring, 1, 4, '\n', text) = '\0';
	cr_assert_str_eq(text, "0123456789\nabcdefghijk\n\n");
	bcast_ring_free(&ring);
}

Test(bcast_ring, several_leave_what_must_be_added_or_refused_by_itself)
{
	struct bcast_ring ring = {0};

	cr_assert_eq(bcast_ring_resize(&ring, 64), 0);
	cr_assert_eq(bcast_ring_add_several(&ring, "ab\nabcd\n", 8, '\n', 3), 3, "longer than it may be");
	cr_assert_eq(bcast_ring_add_several(&ring, "abcd\n", 5, '\n', 3), 0);
	cr_assert_eq(bcast_ring_add_several(&ring, "not whole", 9, '\n', 64), 0);
	cr_assert_eq(bcast_ring_add_several(&ring, "1\n2\n3\n4\n5\n6\n", 12, '\n', 64), 8, "no more than are kept");
	cr_assert_eq(ring.next, 5);
	cr_assert_eq(ring.first, 1);
	bcast_ring_free(&ring);
}

Test(bcast_ring, each_reader_has_his_own_delimiter)
{
	struct bcast_ring ring = {0};
	char text[64];

	cr_assert_eq(bcast_ring_resize(&ring, 256), 0);
	bcast_ring_add(&ring, "a", 1, '\n');
	cr_assert(bcast_ring_at(&ring, 0, 1, '\n'));
	cr_assert_null(bcast_ring_at(&ring, 0, 1, '\0'));
	bcast_ring_add(&ring, "b", 1, '\0');
	bcast_ring_add(&ring, "c", 1, -1);
	bcast_ring_add(&ring, "d", 1, '\n');
	cr_assert_null(bcast_ring_at(&ring, 0, 4, '\n'));
	*bcast_ring_copy(&ring, 0, 4, '\n', text) = '\0';
	cr_assert_str_eq(text, "a\nb\nc\nd\n");
	bcast_ring_copy(&ring, 0, 4, '\0', text);
	cr_assert_arr_eq(text, "a\0b\0c\0d", 8);
	*bcast_ring_copy(&ring, 0, 4, -1, text) = '\0';
	cr_assert_str_eq(text, "abcd");
	cr_assert_arr_eq(bcast_ring_at(&ring, 2, 4, '\n'), "c\nd\n", 4);
	cr_assert_arr_eq(bcast_ring_at(&ring, 1, 2, -1), "b", 1);
	cr_assert_eq(bcast_ring_resize(&ring, 64), 0);
	*bcast_ring_copy(&ring, 0, 4, '\n', text) = '\0';
	cr_assert_str_eq(text, "a\nb\nc\nd\n");
	bcast_ring_free(&ring);
}

/* --- against a list that keeps everything --- */

enum { MODEL_MESSAGES = 20000, MODEL_BYTES = 40 };

struct model {
	struct bcast_ring ring;
	uint64_t first;
	char text[MODEL_MESSAGES][MODEL_BYTES];
};

/* What is kept: the newest that fit into `size`, and into one message for each 16 bytes of it. */
static void model_drop(struct model *m)
{
	size_t bytes = 0;
	uint64_t from = m->ring.next;

	while (from > m->first && m->ring.next - from < m->ring.size / BCAST_RING_AVERAGE &&
	       bytes + strlen(m->text[from - 1]) <= m->ring.size)
		bytes += strlen(m->text[--from]);
	m->first = from;
}

static void model_add(struct model *m, char delim)
{
	char all[64 * (MODEL_BYTES + 1)];
	size_t len = 0, at = 0;
	int count = 1 + rand() % 60;

	for (int i = 0; i < count; i++) {
		char *text = m->text[m->ring.next + (uint64_t)i];
		size_t n = (size_t)rand() % (rand() % 8 ? 12 : MODEL_BYTES);

		memset(text, 'a' + rand() % 26, n);
		memcpy(all + len, text, n);
		all[len + n] = delim;
		len += n + 1;
	}
	while (at < len) {
		const char *end = memchr(all + at, delim, len - at);
		size_t several =
			rand() % 4 ? bcast_ring_add_several(&m->ring, all + at, len - at, delim, MODEL_BYTES) : 0;

		if (!several) {
			bcast_ring_add(&m->ring, all + at, (size_t)(end - all) - at, delim);
			several = (size_t)(end - all) - at + 1;
		}
		at += several;
		model_drop(m);
	}
}

static void model_check(const struct model *m, int delim)
{
	static char got[MODEL_MESSAGES], expected[MODEL_MESSAGES];
	uint64_t kept = m->ring.next - m->first, seq = m->first + (kept ? (uint64_t)rand() % kept : 0);
	uint64_t end = seq + (kept ? (uint64_t)rand() % (m->ring.next - seq + 1) : 0);
	const char *there = bcast_ring_at(&m->ring, seq, end, delim);
	size_t n = 0;

	cr_assert_eq(m->ring.first, m->first);
	for (uint64_t i = seq; i < end; i++) {
		n += (size_t)snprintf(expected + n, sizeof(expected) - n, "%s", m->text[i]);
		expected[n++] = (char)delim;
	}
	cr_assert_eq(bcast_ring_span(&m->ring, seq, end) + (end - seq), n);
	cr_assert_eq(bcast_ring_copy(&m->ring, seq, end, delim, got), got + n);
	cr_assert_arr_eq(got, expected, n);
	cr_assert(!there || memcmp(there, expected, n) == 0);
}

Test(bcast_ring, keeps_what_a_list_would_keep)
{
	static struct model m;

	cr_assert_eq(bcast_ring_resize(&m.ring, 1024), 0);
	while (m.ring.next < MODEL_MESSAGES - 64) {
		model_add(&m, rand() % 16 ? '\n' : '\0');
		model_check(&m, rand() % 4 ? '\n' : '\0');
		if (rand() % 50 == 0) {
			cr_assert_eq(bcast_ring_resize(&m.ring, (size_t)(256 + rand() % 4096)), 0);
			model_drop(&m);
		}
	}
	bcast_ring_free(&m.ring);
}

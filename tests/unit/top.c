/* What ipcfs-top makes of status@json. */
#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/top/json.h"
#include "../../fs/top/page.h"
#include "../../fs/top/table.h"

TestSuite(top, .timeout = 10);

static const char text[] =
	"{\"channels\": [\n"
	"  {\"kind\": \"mq\", \"name\": \"a\", \"depth\": 3, \"limit\": 10, \"unit\": \"messages\", \"openers\": 2, \"readers\": 1, "
	"\"writers\": 1, \"waiters\": 2, \"holders\": 0, \"owed\": 0, \"in_messages\": %d, \"in_bytes\": 10, \"out_messages\": %d, "
	"\"out_bytes\": 0, \"later\": {\"x\": [1, true, null, \"y\"]}, \"waiting\": [{\"pid\": 7, \"command\": \"cat\", \"operation\": "
	"\"read\", \"since\": 1.500}, {\"pid\": 8, \"command\": \"old\", \"operation\": \"read\", \"since\": 75.25}]},\n"
	"  {\"kind\": \"pipe\", \"name\": \"b\\\\x0a\\\"\\u20ac\", \"depth\": null, \"openers\": null}\n"
	"]}\n";

static struct top_sample *sample(int in, int out)
{
	char *copy;
	struct top_sample *s;

	cr_assert_gt(asprintf(&copy, text, in, out), 0);
	s = top_sample_parse(copy);
	cr_assert(s, "%s", strerror(errno));
	return s;
}

Test(top, reads_channels_and_who_waits_longest)
{
	struct top_sample *s = sample(5, 4);

	cr_assert_eq(s->count, 2);
	cr_expect_str_eq(s->rows[0].kind, "mq");
	cr_expect_eq(s->rows[0].number[TOP_DEPTH], 3);
	cr_expect_eq(s->rows[0].number[TOP_LIMIT], 10);
	cr_expect_eq(s->rows[0].number[TOP_OUT], 4);
	cr_expect_eq(s->rows[0].people[TOP_WAITING].pid, 8);
	cr_expect_str_eq(s->rows[0].people[TOP_WAITING].command, "old");
	cr_expect_lt(s->rows[0].people[TOP_HOLDING].since, 0);
	cr_expect_str_eq(s->rows[1].name, "b\\x0a\"\xe2\x82\xac");
	cr_expect_eq(s->rows[1].number[TOP_DEPTH], -1);
	cr_expect_eq(top_sample_find(s, "mq", "a"), &s->rows[0]);
	cr_expect_null(top_sample_find(s, "mq", "z"));
	top_sample_free(s);
}

/* status@json,brief. */
Test(top, what_is_left_out_is_0_where_openers_are_told)
{
	struct top_sample *s = top_sample_parse(
		strdup("{\"channels\": [{\"kind\": \"mq\", \"name\": \"a\", \"openers\": 0, \"in_messages\": 2}, "
		       "{\"kind\": \"pipe\", \"name\": \"b\"}]}"));

	cr_assert(s, "%s", strerror(errno));
	cr_expect_eq(s->rows[0].number[TOP_IN], 2);
	cr_expect_eq(s->rows[0].number[TOP_WAITERS], 0);
	cr_expect_eq(s->rows[0].number[TOP_OUT_BYTES], 0);
	cr_expect_eq(s->rows[0].number[TOP_DEPTH], -1);
	cr_expect_eq(s->rows[1].number[TOP_WAITERS], -1);
	cr_expect_eq(s->rows[1].number[TOP_IN], -1);
	top_sample_free(s);
}

Test(top, any_part_of_a_text_is_refused_and_none_is_read_beyond)
{
	char *whole;
	int len = asprintf(&whole, text, 1, 2);

	for (int n = 0; n < len - 3; n++)
		cr_expect_null(top_sample_parse(strndup(whole, (size_t)n)), "%d", n);
	free(whole);
	cr_expect_null(top_sample_parse(strdup("{\"channels\": [{\"kind\": 3}]}")));
	cr_expect_null(top_sample_parse(strdup("[]")));
}

Test(top, nesting_has_an_end)
{
	struct json j = {.at = strdup("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[")};
	char *start = j.at;

	json_skip(&j);
	cr_expect(j.bad);
	free(start);
}

Test(top, rates_are_differences_and_a_new_object_begins_anew)
{
	struct top_sample *before = sample(100, 50), *now = sample(300, 20);

	now->at = before->at + 2000000000;
	top_sample_compare(now, before);
	cr_expect_float_eq(now->rows[0].rate[TOP_IN], 100, 0.001);
	cr_expect_float_eq(now->rows[0].rate[TOP_OUT], 10, 0.001);
	cr_expect_lt(now->rows[1].rate[TOP_IN], 0);
	top_sample_free(before);
	top_sample_free(now);
}

static const char *number(double value)
{
	static char out[16];

	return top_number_text(value, out);
}

static const char *seconds(double value)
{
	static char out[16];

	return top_seconds_text(value, out);
}

Test(top, numbers_take_five_columns)
{
	static const double powers[] = {0,	0.04,  0.5,   1,      9.96,   99.94, 999.4, 9999,
					9999.6, 99949, 99951, 999499, 999501, 1e9,   1e12,  1e18};

	for (size_t i = 0; i < sizeof(powers) / sizeof(powers[0]); i++)
		cr_expect_leq(strlen(number(powers[i])), 5U, "%s", number(powers[i]));
	cr_expect_str_eq(number(-1), "-");
	cr_expect_str_eq(number(65536), "65.5k");
	cr_expect_str_eq(number(12), "12");
	cr_expect_str_eq(number(2.5), "2.5");
	cr_expect_str_eq(seconds(0.26), "0.3s");
	cr_expect_str_eq(seconds(75), "75s");
	cr_expect_str_eq(seconds(150), "2m");
	cr_expect_str_eq(seconds(86400.0 * 400), "400d");
	for (int64_t ms = 10; ms < INT64_C(1000000000000); ms = ms * 17 / 10)
		cr_expect_leq(strlen(seconds((double)ms / 1e3)), 5U, "%s", seconds((double)ms / 1e3));
}

Test(top, texts_fit_their_columns)
{
	char out[64];

	setlocale(LC_CTYPE, "C.UTF-8");
	cr_expect_str_eq(top_fit("abc", 5, out, sizeof(out)), "abc  ");
	cr_expect_str_eq(top_fit("abcdef", 3, out, sizeof(out)), "abc");
	cr_expect_str_eq(top_fit("\xe6\xbc\xa2\xe5\xad\x97", 3, out, sizeof(out)), "\xe6\xbc\xa2 ");
	cr_expect_str_eq(top_fit("a\033[2J\xff\n", 0, out, sizeof(out)), "a?[2J??");
	cr_expect_str_eq(top_fit("abcdefghij", 0, out, 4), "abc");
	setlocale(LC_CTYPE, "C");
	cr_expect_str_eq(top_fit("\xe2\x82\xac", 0, out, sizeof(out)), "???");
}

Test(top, a_channel_is_found_by_its_own_bytes)
{
	struct top_row row = {.kind = "mq"};
	char path[1200];

	row.name = "a\\x0ab\\x5cx41@lines";
	cr_expect_str_eq(top_channel_file(&row, path, sizeof(path)), "mq/a\nb\\x41@@lines@ctl");
}

Test(top, rows_are_sorted_and_filtered)
{
	struct top_view view = {.order = TOP_BY_DEPTH};
	struct top_sample *s = sample(1, 1);
	const struct top_row **rows;
	size_t count;

	rows = top_view_rows(&view, s, &count);
	cr_expect(count == 2 && rows[0] == &s->rows[0]);
	free(rows);
	view.reverse = true;
	rows = top_view_rows(&view, s, &count);
	cr_expect(count == 2 && rows[0] == &s->rows[1]);
	free(rows);
	snprintf(view.filter, sizeof(view.filter), "Q/A");
	rows = top_view_rows(&view, s, &count);
	cr_expect(count == 1 && rows[0] == &s->rows[0]);
	free(rows);
	top_sample_free(s);
}

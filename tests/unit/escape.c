/* Text of others, as we repeat it. */
#include "base/escape.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static void escapes(const char *text, size_t len, const char *expected)
{
	char out[256];

	cr_assert_eq(ipc_escape(out, sizeof(out), text, len), strlen(expected));
	cr_assert_str_eq(out, expected);
}

Test(escape, passes_plain_text)
{
	escapes(" az~@,=", 7, " az~@,=");
}

Test(escape, passes_utf8_of_every_length)
{
	escapes("é€😀", 9, "é€😀");
}

Test(escape, passes_the_ends_of_each_utf8_length)
{
	const char *ends =
		"\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";

	escapes(ends, strlen(ends), ends);
}

Test(escape, of_control_bytes)
{
	escapes("a\n\t\0\x1b\x7f", 6, "a\\x0a\\x09\\x00\\x1b\\x7f");
}

Test(escape, of_a_backslash)
{
	escapes("\\x41", 4, "\\x5cx41");
}

Test(escape, of_c1_control_characters)
{
	escapes("\xc2\x80\xc2\x9f", 4, "\\xc2\\x80\\xc2\\x9f");
}

Test(escape, of_a_stray_continuation_byte)
{
	escapes("a\xbfz", 3, "a\\xbfz");
}

Test(escape, of_bytes_that_utf8_never_holds)
{
	escapes("\xc0\xc1\xf5\xff", 4, "\\xc0\\xc1\\xf5\\xff");
}

Test(escape, of_overlong_utf8)
{
	escapes("\xe0\x80\xaf", 3, "\\xe0\\x80\\xaf");
	escapes("\xf0\x8f\xbf\xbf", 4, "\\xf0\\x8f\\xbf\\xbf");
}

Test(escape, of_surrogates)
{
	escapes("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");
}

Test(escape, above_the_last_code_point)
{
	escapes("\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80");
}

Test(escape, of_a_sequence_cut_by_the_end)
{
	escapes("\xe2\x82\xac", 2, "\\xe2\\x82");
}

Test(escape, of_a_sequence_cut_by_another_character)
{
	escapes("\xe2\x82z", 3, "\\xe2\\x82z");
}

Test(escape, of_nothing_is_empty)
{
	escapes(NULL, 0, "");
}

Test(escape, that_fits_exactly_is_whole)
{
	char out[5];

	cr_assert_eq(ipc_escape(out, sizeof(out), "\n", 1), 4);
	cr_assert_str_eq(out, "\\x0a");
}

Test(escape, is_never_cut_in_two)
{
	char out[5];

	cr_assert_eq(ipc_escape(out, sizeof(out), "a\n", 2), 5);
	cr_assert_str_eq(out, "a");
}

Test(escape, never_cuts_a_character_in_two)
{
	char out[4];

	cr_assert_eq(ipc_escape(out, sizeof(out), "a€", 4), 4);
	cr_assert_str_eq(out, "a");
}

Test(escape, lets_nothing_slip_in_behind_the_cut)
{
	char out[4];

	cr_assert_eq(ipc_escape(out, sizeof(out), "a\nbc", 4), 7);
	cr_assert_str_eq(out, "a");
}

Test(escape, without_room_only_counts)
{
	cr_assert_eq(ipc_escape(NULL, 0, "a\n", 2), 5);
}

Test(escape, with_room_for_one_byte_terminates)
{
	char out[1] = {'x'};

	cr_assert_eq(ipc_escape(out, sizeof(out), "abc", 3), 3);
	cr_assert_eq(out[0], '\0');
}

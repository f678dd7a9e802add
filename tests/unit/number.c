/* Numbers, as facets and options have them. */
#include "base/number.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static int64_t number;

static int parse_number(const char *text, int units, int64_t min, int64_t max)
{
	return ipc_number_parse(text, strlen(text), units, min, max, &number);
}

static int parse_count(const char *text)
{
	return parse_number(text, 0, 0, INT64_MAX);
}

Test(number, is_decimal)
{
	cr_assert_eq(parse_count("1234567890"), 0);
	cr_assert_eq(number, 1234567890);
}

Test(number, with_leading_zeros_is_not_octal)
{
	cr_assert_eq(parse_count("00000000000000000000000000010"), 0);
	cr_assert_eq(number, 10);
}

Test(number, has_none_of_strtols_liberties)
{
	cr_assert_eq(parse_count(" 1"), -EINVAL);
	cr_assert_eq(parse_count("1 "), -EINVAL);
	cr_assert_eq(parse_count("1\n"), -EINVAL);
	cr_assert_eq(parse_count("+1"), -EINVAL);
	cr_assert_eq(parse_count("-1"), -EINVAL);
	cr_assert_eq(parse_count("0x10"), -EINVAL);
	cr_assert_eq(parse_count("1.0"), -EINVAL);
	cr_assert_eq(parse_count("1e3"), -EINVAL);
}

Test(number, needs_a_digit)
{
	cr_assert_eq(parse_count(""), -EINVAL);
	cr_assert_eq(parse_number("K", 1, 0, INT64_MAX), -EINVAL);
	cr_assert_eq(parse_number("-", 0, -5, 5), -EINVAL);
}

Test(number, range_includes_both_ends)
{
	cr_assert_eq(parse_number("3", 0, 3, 5), 0);
	cr_assert_eq(parse_number("5", 0, 3, 5), 0);
	cr_assert_eq(parse_number("2", 0, 3, 5), -ERANGE);
	cr_assert_eq(parse_number("6", 0, 3, 5), -ERANGE);
}

Test(number, ends_at_int64_max)
{
	cr_assert_eq(parse_count("9223372036854775807"), 0);
	cr_assert_eq(number, INT64_MAX);
	cr_assert_eq(parse_count("9223372036854775808"), -ERANGE);
}

Test(number, does_not_wrap_around)
{
	cr_assert_eq(parse_count("18446744073709551616"), -ERANGE);
	cr_assert_eq(parse_count("18446744073709551617"), -ERANGE);
	cr_assert_eq(parse_count("99999999999999999999999999999999999999"), -ERANGE);
}

Test(number, too_large_with_text_behind_is_no_number)
{
	cr_assert_eq(parse_count("99999999999999999999999999x"), -EINVAL);
}

Test(number, negative_number_is_taken_where_the_range_has_one)
{
	cr_assert_eq(parse_number("-5", 0, -5, 5), 0);
	cr_assert_eq(number, -5);
	cr_assert_eq(parse_number("-6", 0, -5, 5), -ERANGE);
}

Test(number, negative_number_ends_at_int64_min)
{
	cr_assert_eq(parse_number("-9223372036854775808", 0, INT64_MIN, INT64_MAX), 0);
	cr_assert_eq(number, INT64_MIN);
	cr_assert_eq(parse_number("-9223372036854775809", 0, INT64_MIN, INT64_MAX), -ERANGE);
}

Test(number, units_are_powers_of_1024)
{
	cr_assert_eq(parse_number("3K", 1, 0, INT64_MAX), 0);
	cr_assert_eq(number, 3072);
	cr_assert_eq(parse_number("1M", 1, 0, INT64_MAX), 0);
	cr_assert_eq(number, 1048576);
	cr_assert_eq(parse_number("2G", 1, 0, INT64_MAX), 0);
	cr_assert_eq(number, INT64_C(2147483648));
}

Test(number, units_are_refused_unless_asked_for)
{
	cr_assert_eq(parse_count("1K"), -EINVAL);
}

Test(number, unit_is_one_known_letter)
{
	cr_assert_eq(parse_number("1T", 1, 0, INT64_MAX), -EINVAL);
	cr_assert_eq(parse_number("1KB", 1, 0, INT64_MAX), -EINVAL);
	cr_assert_eq(parse_number("1KK", 1, 0, INT64_MAX), -EINVAL);
	cr_assert_eq(ipc_number_parse("1\0", 2, 1, 0, INT64_MAX, &number), -EINVAL);
}

Test(number, unit_does_not_wrap_around)
{
	cr_assert_eq(parse_number("8589934591G", 1, 0, INT64_MAX), 0);
	cr_assert_eq(parse_number("8589934592G", 1, 0, INT64_MAX), -ERANGE);
	cr_assert_eq(parse_number("17179869184G", 1, 0, INT64_MAX), -ERANGE);
}

Test(number, range_holds_after_the_unit)
{
	cr_assert_eq(parse_number("1K", 1, 0, 1023), -ERANGE);
}

Test(number, ends_at_its_length)
{
	cr_assert_eq(ipc_number_parse("123", 2, 0, 0, 1000, &number), 0);
	cr_assert_eq(number, 12);
}

/* Durations, as facets have them. */
#include "base/number.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MAX_NS (INT64_C(1) << 62)
#define NO_DURATION (-1)

static int64_t duration(const char *text)
{
	int64_t ns = NO_DURATION;
	int result = ipc_duration_parse(text, strlen(text), &ns);

	cr_assert(result == 0 || result == -EINVAL);
	cr_assert_eq(result == 0, ns != NO_DURATION);
	return ns;
}

Test(duration, takes_each_unit)
{
	cr_assert_eq(duration("10us"), 10000);
	cr_assert_eq(duration("500ms"), 500000000);
	cr_assert_eq(duration("5s"), INT64_C(5000000000));
	cr_assert_eq(duration("2m"), INT64_C(120000000000));
	cr_assert_eq(duration("1h"), INT64_C(3600000000000));
}

Test(duration, without_unit_is_seconds)
{
	cr_assert_eq(duration("5"), INT64_C(5000000000));
	cr_assert_eq(duration("0.25"), 250000000);
}

Test(duration, takes_a_fraction)
{
	cr_assert_eq(duration("1.5s"), 1500000000);
	cr_assert_eq(duration("1.05m"), INT64_C(63000000000));
	cr_assert_eq(duration("0.1h"), INT64_C(360000000000));
}

Test(duration, may_start_with_a_point)
{
	cr_assert_eq(duration(".5s"), 500000000);
}

Test(duration, may_not_end_its_number_with_a_point)
{
	cr_assert_eq(duration("5."), NO_DURATION);
	cr_assert_eq(duration("5.s"), NO_DURATION);
	cr_assert_eq(duration("."), NO_DURATION);
}

Test(duration, has_one_point)
{
	cr_assert_eq(duration("1.5.5s"), NO_DURATION);
}

Test(duration, below_a_nanosecond_is_rounded_up)
{
	cr_assert_eq(duration("0.0001us"), 1);
	cr_assert_eq(duration("0.0000000010000001"), 2);
}

Test(duration, of_many_fraction_digits_is_exact)
{
	cr_assert_eq(duration("0.500000000000000000000000000000"), 500000000);
	cr_assert_eq(duration("0.999999999999999999999999999999"), 1000000000);
}

Test(duration, of_zero_is_zero)
{
	cr_assert_eq(duration("0"), 0);
	cr_assert_eq(duration("0.000h"), 0);
}

Test(duration, takes_leading_zeros)
{
	cr_assert_eq(duration("000000000000000000000000000005ms"), 5000000);
}

Test(duration, needs_a_number)
{
	cr_assert_eq(duration(""), NO_DURATION);
	cr_assert_eq(duration("ms"), NO_DURATION);
}

Test(duration, with_unknown_unit_is_refused)
{
	cr_assert_eq(duration("5d"), NO_DURATION);
	cr_assert_eq(duration("5S"), NO_DURATION);
	cr_assert_eq(duration("5u"), NO_DURATION);
}

Test(duration, with_text_behind_its_unit_is_refused)
{
	cr_assert_eq(duration("5s "), NO_DURATION);
	cr_assert_eq(duration("1h5m"), NO_DURATION);
}

Test(duration, has_none_of_strtods_liberties)
{
	cr_assert_eq(duration(" 5s"), NO_DURATION);
	cr_assert_eq(duration("5 s"), NO_DURATION);
	cr_assert_eq(duration("+5s"), NO_DURATION);
	cr_assert_eq(duration("-5s"), NO_DURATION);
	cr_assert_eq(duration("1e3"), NO_DURATION);
	cr_assert_eq(duration("0x10"), NO_DURATION);
	cr_assert_eq(duration("1,5s"), NO_DURATION);
	cr_assert_eq(duration("inf"), NO_DURATION);
}

Test(duration, ends_at_2_to_the_62)
{
	cr_assert_eq(duration("4611686018.427387904s"), MAX_NS);
	cr_assert_eq(duration("4611686018.427387905s"), NO_DURATION);
}

Test(duration, does_not_wrap_around)
{
	cr_assert_eq(duration("18446744073709551616"), NO_DURATION);
	cr_assert_eq(duration("5124095577h"), NO_DURATION);
	cr_assert_eq(duration("99999999999999999999999999999999us"), NO_DURATION);
}

Test(duration, ends_at_its_length)
{
	int64_t ns;

	cr_assert_eq(ipc_duration_parse("5ms", 1, &ns), 0);
	cr_assert_eq(ns, INT64_C(5000000000));
}

/* The mount options that kinds declare. */
#include "core/option.h"
#include "core/kind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static int small_check(const struct ipc_options *options, const char *value, char *why, size_t size)
{
	(void)options;
	return ipc_option_check_number(value, 1, 9, why, size);
}

static const struct ipc_option small = {
	.name = "small", .value = "N", .help = "one\ntwo", .words = "1, 5", .check = small_check};
static const struct ipc_option flag = {.name = "flag", .help = "yes"};
static const struct ipc_option *const both[] = {&small, &flag, NULL}, *const one[] = {&flag, NULL};
static const struct ipc_kind one_kind = {.name = "first", .options = both},
			     other_kind = {.name = "second", .options = one}, bare = {.name = "bare"};
static const struct ipc_kind *const kinds[] = {&bare, &one_kind, &other_kind, NULL}, *const others[] = {&other_kind,
													NULL};

static char why[256];

static int check(const char *text)
{
	const char *const texts[] = {text, NULL};
	struct ipc_options options = {.of_kinds = texts};

	why[0] = '\0';
	return ipc_options_check(&options, kinds, why, sizeof(why));
}

Test(option, is_found_by_its_whole_name)
{
	cr_assert_eq(ipc_option_find(kinds, "small=3"), &small);
	cr_assert_eq(ipc_option_find(kinds, "flag"), &flag);
	cr_assert_null(ipc_option_find(kinds, "smal=3"));
	cr_assert_null(ipc_option_find(kinds, "smaller=3"));
	cr_assert_null(ipc_option_find(others, "small=3"));
}

Test(option, is_checked_by_its_kind)
{
	cr_assert_eq(check("small=9"), 0);
	cr_assert_eq(check("flag"), 0);
	cr_assert_eq(check("small=10"), -EINVAL);
	cr_assert_str_eq(why, "-o small=10: a whole number from 1 to 9 is needed");
	cr_assert_eq(check("small"), -EINVAL);
	cr_assert_str_eq(why, "-o small: it needs a value: small=N");
	cr_assert_eq(check("flag=1"), -EINVAL);
	cr_assert_str_eq(why, "-o flag=1: it takes no value");
}

Test(option, of_no_kind_is_passed_over)
{
	cr_assert_eq(check("other=10"), 0);
}

Test(option, that_is_given_twice_is_what_was_said_last)
{
	const char *const texts[] = {"small=2", "flag", "small=7", NULL};
	struct ipc_options options = {.of_kinds = texts};

	cr_assert_eq(ipc_option_number(&options, &small, 0), 7);
	cr_assert_str_eq(ipc_option_text(&options, &flag), "");
}

Test(option, that_is_not_given_is_none)
{
	struct ipc_options options = {0};

	cr_assert_eq(ipc_option_number(&options, &small, 42), 42);
	cr_assert_null(ipc_option_text(&options, &flag));
}

Test(option, of_two_kinds_is_told_once)
{
	struct ipc_text text;
	FILE *out = ipc_text_open(&text);

	ipc_options_each(kinds, NULL, ipc_option_help, out);
	ipc_options_each(others, kinds, ipc_option_help, out);
	fputc('\0', out);
	cr_assert_eq(ipc_text_close(&text), 0);
	cr_assert_str_eq(text.data, "     small=N             one\n"
				    "                         two\n"
				    "     flag                yes\n");
	free(text.data);
}

Test(option, is_a_row_for_programs)
{
	struct ipc_text text;
	FILE *out = ipc_text_open(&text);

	ipc_options_each(kinds, NULL, ipc_option_row, out);
	fputc('\0', out);
	cr_assert_eq(ipc_text_close(&text), 0);
	cr_assert_str_eq(text.data, "small=\t1 5\tone\n"
				    "flag\t\tyes\n");
	free(text.data);
}

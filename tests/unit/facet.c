#include "base/escape.h"
#include "base/number.h"
#include "core/facet.h"
#include "../facets.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#define MAX_NS (INT64_C(1) << 62)

static struct ipc_facets got;
static char why[512];

static int parse_bytes(const char *kind, uint32_t allowed, const char *text, size_t len)
{
	return ipc_facets_parse(kind, allowed, 0, text, len, &got, why, sizeof(why));
}

static int parse_mq(const char *text)
{
	return parse_bytes("mq", MQ, text, strlen(text));
}

static int parse_sock(const char *text)
{
	return parse_bytes("sock", SOCK, text, strlen(text));
}

static int parse_all(const char *text)
{
	return parse_bytes("all", ALL, text, strlen(text));
}

static void refused(int result, const char *line)
{
	cr_assert_eq(result, -EINVAL);
	cr_assert_str_eq(why, line);
}

static void refused_with(int result, const char *part)
{
	cr_assert_eq(result, -EINVAL);
	cr_assert(strstr(why, part), "'%s' does not hold '%s'", why, part);
}

Test(facet, flag_sets_its_bit)
{
	cr_assert_eq(parse_mq("lines"), 0);
	cr_assert_eq(got.set, IPC_F_LINES);
}

Test(facet, facets_are_separated_by_commas)
{
	cr_assert_eq(parse_mq("lines,prio=9,n=3,drain"), 0);
	cr_assert_eq(got.set, IPC_F_LINES | IPC_F_PRIO | IPC_F_N | IPC_F_DRAIN);
	cr_assert_eq(got.prio, 9);
	cr_assert_eq(got.n, 3);
}

Test(facet, every_facet_stores_in_its_own_field)
{
	const char *text = "prio=1,n=2,idle=3us,timeout=4us,maxmsg=5,msgsize=6,size=7,value=8,last=9,connect=x";

	cr_assert_eq(parse_all(text), 0);
	cr_assert_eq(got.prio, 1);
	cr_assert_eq(got.n, 2);
	cr_assert_eq(got.idle, 3000);
	cr_assert_eq(got.timeout, 4000);
	cr_assert_eq(got.maxmsg, 5);
	cr_assert_eq(got.msgsize, 6);
	cr_assert_eq(got.size, 7);
	cr_assert_eq(got.value, 8);
	cr_assert_eq(got.last, 9);
	cr_assert_str_eq(text + got.connect, "x");
}

Test(facet, every_flag_has_its_own_bit)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} flags[] = {
		{"ctl", IPC_F_CTL},	{"lines", IPC_F_LINES}, {"nul", IPC_F_NUL},
		{"drain", IPC_F_DRAIN}, {"one", IPC_F_ONE},	{"listen", IPC_F_LISTEN},
		{"addr", IPC_F_ADDR},	{"io", IPC_F_IO},	{"stream", IPC_F_STREAM},
		{"dgram", IPC_F_DGRAM}, {"hold", IPC_F_HOLD},	{"seqpacket", IPC_F_SEQPACKET},
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		cr_assert_eq(parse_all(flags[i].name), 0, "%s: %s", flags[i].name, why);
		cr_assert_eq(got.set, flags[i].bit, "%s", flags[i].name);
	}
}

Test(facet, text_ends_at_its_length)
{
	cr_assert_eq(parse_bytes("mq", MQ, "n=12345", 4), 0);
	cr_assert_eq(got.n, 12);
}

Test(facet, facets_not_given_are_zero)
{
	memset(&got, 0xff, sizeof(got));
	cr_assert_eq(parse_mq("lines"), 0);
	cr_assert_eq(got.prio, 0);
	cr_assert_eq(got.timeout, 0);
}

Test(facet, refusal_leaves_the_result_alone)
{
	got.set = 77;
	cr_assert_eq(parse_mq("lines,prio=x"), -EINVAL);
	cr_assert_eq(got.set, 77);
}

Test(facet, unknown_facet_is_named_with_what_the_kind_takes)
{
	refused(parse_mq("lins"), "unknown facet 'lins': /mq takes lines, nul, prio=0..32767, drain, one, n=COUNT, "
				  "idle=TIME, timeout=TIME, batch, meta, maxmsg=COUNT, msgsize=BYTES, ctl");
}

Test(facet, facet_of_another_kind_is_told_from_an_unknown_one)
{
	refused_with(parse_mq("size=4"), "facet 'size' is of another kind: /mq takes lines, ");
}

Test(facet, kind_without_facets_says_so)
{
	refused(parse_bytes("pipe", 0, "lines", 5), "facet 'lines' is of another kind: /pipe takes no facets");
}

Test(facet, list_of_every_facet_fits)
{
	refused_with(parse_all("?"), ", addr, ctl");
}

Test(facet, prefix_of_a_facet_is_unknown)
{
	refused_with(parse_mq("line"), "unknown facet 'line'");
}

Test(facet, facet_names_are_lower_case)
{
	refused_with(parse_mq("Lines"), "unknown facet 'Lines'");
}

Test(facet, nul_byte_does_not_end_a_facet)
{
	refused_with(parse_bytes("mq", MQ, "lines\0", 6), "unknown facet 'lines\\x00'");
}

Test(facet, quoted_name_has_control_bytes_escaped)
{
	refused_with(parse_mq("a\nb"), "unknown facet 'a\\x0ab'");
}

Test(facet, long_name_is_shortened_but_the_help_is_kept)
{
	char text[200];

	memset(text, 'z', sizeof(text));
	refused_with(parse_bytes("mq", MQ, text, sizeof(text)), "zzz...': /mq takes lines,");
}

Test(facet, empty_text_is_an_empty_facet)
{
	refused_with(parse_mq(""), "an empty facet: /mq takes lines,");
}

Test(facet, null_text_of_no_length_is_an_empty_facet)
{
	refused_with(parse_bytes("mq", MQ, NULL, 0), "an empty facet");
}

Test(facet, leading_comma_is_an_empty_facet)
{
	refused_with(parse_mq(",lines"), "an empty facet");
}

Test(facet, trailing_comma_is_an_empty_facet)
{
	refused_with(parse_mq("lines,"), "an empty facet");
}

Test(facet, doubled_comma_is_an_empty_facet)
{
	refused_with(parse_mq("lines,,drain"), "an empty facet");
}

Test(facet, value_without_a_name_is_an_empty_facet)
{
	refused_with(parse_mq("=5"), "an empty facet");
}

Test(facet, text_of_255_bytes_is_parsed)
{
	char text[255];

	memset(text, '0', sizeof(text));
	text[0] = 'n';
	text[1] = '=';
	text[254] = '7';
	cr_assert_eq(parse_bytes("mq", MQ, text, sizeof(text)), 0);
	cr_assert_eq(got.n, 7);
}

Test(facet, text_of_256_bytes_is_refused)
{
	char text[256];

	memset(text, '0', sizeof(text));
	text[0] = 'n';
	text[1] = '=';
	text[255] = '7';
	refused(parse_bytes("mq", MQ, text, sizeof(text)), "the facets are longer than 255 bytes");
}

Test(facet, value_for_a_flag_is_refused)
{
	refused(parse_mq("lines=1"), "lines takes no value");
}

Test(facet, empty_value_for_a_flag_is_refused)
{
	refused(parse_mq("lines="), "lines takes no value");
}

Test(facet, missing_duration_is_asked_for)
{
	refused(parse_mq("timeout"), "timeout needs a value: 500ms, 5s, 2m");
}

Test(facet, empty_duration_is_asked_for)
{
	refused(parse_mq("timeout=,lines"), "timeout needs a value: 500ms, 5s, 2m");
}

Test(facet, missing_number_is_asked_for_with_its_range)
{
	refused(parse_mq("prio"), "prio needs a value: a number from 0 to 32767");
}

Test(facet, missing_size_is_asked_for_in_bytes)
{
	refused(parse_mq("msgsize="), "msgsize needs a value: bytes, such as 4096, 64K, 1M");
}

Test(facet, value_out_of_range_is_refused_with_the_range)
{
	refused(parse_mq("prio=40000"), "prio=40000: a number from 0 to 32767 is needed");
}

Test(facet, value_that_is_no_number_is_refused)
{
	refused(parse_mq("n=many"), "n=many: a number from 1 to 9223372036854775807 is needed");
}

Test(facet, value_that_is_no_size_is_refused_with_the_units)
{
	refused(parse_mq("msgsize=4T"), "msgsize=4T: a number from 1 to 2147483647 is needed; K, M or G may follow it");
}

Test(facet, value_that_is_no_duration_is_refused)
{
	refused(parse_mq("idle=soon"), "idle=soon: a duration is needed: 500ms, 5s, 2m");
}

Test(facet, value_may_not_hold_a_second_equals_sign)
{
	refused_with(parse_mq("n=3=4"), "n=3=4: a number");
}

Test(facet, highest_priority_is_taken)
{
	cr_assert_eq(parse_mq("prio=32767"), 0);
	cr_assert_eq(got.prio, 32767);
}

Test(facet, priority_above_the_highest_is_refused)
{
	cr_assert_eq(parse_mq("prio=32768"), -EINVAL);
}

Test(facet, count_of_zero_is_refused)
{
	cr_assert_eq(parse_mq("n=0"), -EINVAL);
}

Test(facet, size_takes_units)
{
	cr_assert_eq(parse_mq("msgsize=64K"), 0);
	cr_assert_eq(got.msgsize, 65536);
}

Test(facet, count_takes_no_units)
{
	cr_assert_eq(parse_mq("maxmsg=1K"), -EINVAL);
}

Test(facet, size_of_zero_is_taken_for_shared_memory)
{
	cr_assert_eq(parse_bytes("shm", IPC_F_SIZE, "size=0", 6), 0);
	cr_assert_eq(got.set, IPC_F_SIZE);
}

Test(facet, message_size_of_zero_is_refused)
{
	cr_assert_eq(parse_mq("msgsize=0"), -EINVAL);
}

Test(facet, semaphore_value_ends_at_its_maximum)
{
	cr_assert_eq(parse_all("value=2147483647"), 0);
	cr_assert_eq(parse_all("value=2147483648"), -EINVAL);
}

Test(facet, queue_length_ends_at_its_maximum)
{
	cr_assert_eq(parse_mq("maxmsg=2147483647"), 0);
	cr_assert_eq(parse_mq("maxmsg=2147483648"), -EINVAL);
}

Test(facet, history_is_from_one_message_to_its_maximum)
{
	cr_assert_eq(parse_all("last=0"), -EINVAL);
	cr_assert_eq(parse_all("last=1"), 0);
	cr_assert_eq(parse_all("last=2147483647"), 0);
	cr_assert_eq(parse_all("last=2147483648"), -EINVAL);
}

Test(facet, repeated_flag_is_refused)
{
	refused(parse_mq("lines,drain,lines"), "lines is given twice");
}

Test(facet, repeated_value_is_refused_even_if_equal)
{
	refused(parse_mq("prio=1,prio=1"), "prio is given twice");
}

Test(facet, lines_and_nul_contradict)
{
	refused(parse_mq("nul,lines"), "lines and nul contradict each other");
}

Test(facet, one_and_n_contradict)
{
	refused(parse_mq("one,n=1"), "one and n contradict each other");
}

Test(facet, two_socket_types_contradict)
{
	refused(parse_sock("stream,seqpacket"), "stream and seqpacket contradict each other");
}

Test(facet, ctl_takes_nothing_beside_it)
{
	refused(parse_mq("lines,ctl"), "ctl takes no other facet beside it");
}

Test(facet, addr_takes_nothing_beside_it)
{
	refused(parse_sock("addr,dgram"), "addr takes no other facet beside it");
}

Test(facet, addr_and_ctl_do_not_go_together)
{
	refused_with(parse_sock("addr,ctl"), "takes no other facet beside it");
}

Test(facet, batch_needs_lines_or_nul)
{
	refused(parse_mq("batch,drain"), "batch needs lines or nul beside it");
}

Test(facet, meta_needs_lines_or_nul)
{
	refused(parse_mq("meta"), "meta needs lines or nul beside it");
}

Test(facet, batch_goes_with_lines_in_any_order)
{
	cr_assert_eq(parse_mq("batch,lines"), 0);
}

Test(facet, meta_goes_with_nul)
{
	cr_assert_eq(parse_mq("nul,meta"), 0);
}

Test(facet, batch_of_a_framed_kind_needs_neither)
{
	cr_assert_eq(ipc_facets_parse("mq", MQ, 1, "batch", 5, &got, why, sizeof(why)), 0);
}

Test(facet, connect_points_at_its_address)
{
	const char *text = "dgram,connect=@abstract";

	cr_assert_eq(parse_sock(text), 0);
	cr_assert_eq(got.set, IPC_F_DGRAM | IPC_F_CONNECT);
	cr_assert_str_eq(text + got.connect, "@abstract");
}

Test(facet, connect_takes_commas_and_equals_signs)
{
	cr_assert_eq(parse_sock("connect=/a=b,dgram,,"), 0);
	cr_assert_eq(got.set, IPC_F_CONNECT);
}

Test(facet, connect_without_address_is_refused)
{
	refused(parse_sock("connect"), "connect needs a value: the address of a socket");
}

Test(facet, connect_with_empty_address_is_refused)
{
	refused(parse_sock("connect="), "connect needs a value: the address of a socket");
}

Test(facet, connect_before_a_comma_is_refused)
{
	refused_with(parse_sock("connect,dgram=x"), "connect needs a value");
}

Test(facet, connect_of_another_kind_is_refused)
{
	refused_with(parse_mq("connect=x,lines"), "facet 'connect' is of another kind");
}

Test(facet, small_why_gets_the_start)
{
	char small[12];

	cr_assert_eq(ipc_facets_parse("mq", MQ, 0, "lins", 4, &got, small, sizeof(small)), -EINVAL);
	cr_assert_str_eq(small, "unknown fac");
}

Test(facet, small_why_does_not_split_a_character)
{
	char small[sizeof("unknown facet '") + 2];

	cr_assert_eq(ipc_facets_parse("mq", MQ, 0, "€", 3, &got, small, sizeof(small)), -EINVAL);
	cr_assert_str_eq(small, "unknown facet '");
}

Test(facet, no_room_for_why_is_no_harm)
{
	cr_assert_eq(ipc_facets_parse("mq", MQ, 0, "lins", 4, &got, NULL, 0), -EINVAL);
}

#define NO_DURATION (-1)

static int64_t duration(const char *text)
{
	int64_t ns = NO_DURATION;
	int result = ipc_duration_parse(text, strlen(text), &ns);

	cr_assert(result == 0 || result == -EINVAL);
	cr_assert_eq(result == 0, ns != NO_DURATION);
	return ns;
}

Test(facet, duration_takes_each_unit)
{
	cr_assert_eq(duration("10us"), 10000);
	cr_assert_eq(duration("500ms"), 500000000);
	cr_assert_eq(duration("5s"), INT64_C(5000000000));
	cr_assert_eq(duration("2m"), INT64_C(120000000000));
	cr_assert_eq(duration("1h"), INT64_C(3600000000000));
}

Test(facet, duration_without_unit_is_seconds)
{
	cr_assert_eq(duration("5"), INT64_C(5000000000));
	cr_assert_eq(duration("0.25"), 250000000);
}

Test(facet, duration_takes_a_fraction)
{
	cr_assert_eq(duration("1.5s"), 1500000000);
	cr_assert_eq(duration("1.05m"), INT64_C(63000000000));
	cr_assert_eq(duration("0.1h"), INT64_C(360000000000));
}

Test(facet, duration_may_start_with_a_point)
{
	cr_assert_eq(duration(".5s"), 500000000);
}

Test(facet, duration_may_not_end_its_number_with_a_point)
{
	cr_assert_eq(duration("5."), NO_DURATION);
	cr_assert_eq(duration("5.s"), NO_DURATION);
	cr_assert_eq(duration("."), NO_DURATION);
}

Test(facet, duration_has_one_point)
{
	cr_assert_eq(duration("1.5.5s"), NO_DURATION);
}

Test(facet, duration_below_a_nanosecond_is_rounded_up)
{
	cr_assert_eq(duration("0.0001us"), 1);
	cr_assert_eq(duration("0.0000000010000001"), 2);
}

Test(facet, duration_of_many_fraction_digits_is_exact)
{
	cr_assert_eq(duration("0.500000000000000000000000000000"), 500000000);
	cr_assert_eq(duration("0.999999999999999999999999999999"), 1000000000);
}

Test(facet, duration_of_zero_is_zero)
{
	cr_assert_eq(duration("0"), 0);
	cr_assert_eq(duration("0.000h"), 0);
}

Test(facet, duration_takes_leading_zeros)
{
	cr_assert_eq(duration("000000000000000000000000000005ms"), 5000000);
}

Test(facet, duration_needs_a_number)
{
	cr_assert_eq(duration(""), NO_DURATION);
	cr_assert_eq(duration("ms"), NO_DURATION);
}

Test(facet, duration_with_unknown_unit_is_refused)
{
	cr_assert_eq(duration("5d"), NO_DURATION);
	cr_assert_eq(duration("5S"), NO_DURATION);
	cr_assert_eq(duration("5u"), NO_DURATION);
}

Test(facet, duration_with_text_behind_its_unit_is_refused)
{
	cr_assert_eq(duration("5s "), NO_DURATION);
	cr_assert_eq(duration("1h5m"), NO_DURATION);
}

Test(facet, duration_has_none_of_strtods_liberties)
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

Test(facet, duration_ends_at_2_to_the_62)
{
	cr_assert_eq(duration("4611686018.427387904s"), MAX_NS);
	cr_assert_eq(duration("4611686018.427387905s"), NO_DURATION);
}

Test(facet, duration_does_not_wrap_around)
{
	cr_assert_eq(duration("18446744073709551616"), NO_DURATION);
	cr_assert_eq(duration("5124095577h"), NO_DURATION);
	cr_assert_eq(duration("99999999999999999999999999999999us"), NO_DURATION);
}

Test(facet, duration_ends_at_its_length)
{
	int64_t ns;

	cr_assert_eq(ipc_duration_parse("5ms", 1, &ns), 0);
	cr_assert_eq(ns, INT64_C(5000000000));
}

static int64_t number;

static int parse_number(const char *text, int units, int64_t min, int64_t max)
{
	return ipc_number_parse(text, strlen(text), units, min, max, &number);
}

static int parse_count(const char *text)
{
	return parse_number(text, 0, 0, INT64_MAX);
}

Test(facet, number_is_decimal)
{
	cr_assert_eq(parse_count("1234567890"), 0);
	cr_assert_eq(number, 1234567890);
}

Test(facet, number_with_leading_zeros_is_not_octal)
{
	cr_assert_eq(parse_count("00000000000000000000000000010"), 0);
	cr_assert_eq(number, 10);
}

Test(facet, number_has_none_of_strtols_liberties)
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

Test(facet, number_needs_a_digit)
{
	cr_assert_eq(parse_count(""), -EINVAL);
	cr_assert_eq(parse_number("K", 1, 0, INT64_MAX), -EINVAL);
	cr_assert_eq(parse_number("-", 0, -5, 5), -EINVAL);
}

Test(facet, number_range_includes_both_ends)
{
	cr_assert_eq(parse_number("3", 0, 3, 5), 0);
	cr_assert_eq(parse_number("5", 0, 3, 5), 0);
	cr_assert_eq(parse_number("2", 0, 3, 5), -ERANGE);
	cr_assert_eq(parse_number("6", 0, 3, 5), -ERANGE);
}

Test(facet, number_ends_at_int64_max)
{
	cr_assert_eq(parse_count("9223372036854775807"), 0);
	cr_assert_eq(number, INT64_MAX);
	cr_assert_eq(parse_count("9223372036854775808"), -ERANGE);
}

Test(facet, number_does_not_wrap_around)
{
	cr_assert_eq(parse_count("18446744073709551616"), -ERANGE);
	cr_assert_eq(parse_count("18446744073709551617"), -ERANGE);
	cr_assert_eq(parse_count("99999999999999999999999999999999999999"), -ERANGE);
}

Test(facet, number_too_large_with_text_behind_is_no_number)
{
	cr_assert_eq(parse_count("99999999999999999999999999x"), -EINVAL);
}

Test(facet, negative_number_is_taken_where_the_range_has_one)
{
	cr_assert_eq(parse_number("-5", 0, -5, 5), 0);
	cr_assert_eq(number, -5);
	cr_assert_eq(parse_number("-6", 0, -5, 5), -ERANGE);
}

Test(facet, negative_number_ends_at_int64_min)
{
	cr_assert_eq(parse_number("-9223372036854775808", 0, INT64_MIN, INT64_MAX), 0);
	cr_assert_eq(number, INT64_MIN);
	cr_assert_eq(parse_number("-9223372036854775809", 0, INT64_MIN, INT64_MAX), -ERANGE);
}

Test(facet, number_units_are_powers_of_1024)
{
	cr_assert_eq(parse_number("3K", 1, 0, INT64_MAX), 0);
	cr_assert_eq(number, 3072);
	cr_assert_eq(parse_number("1M", 1, 0, INT64_MAX), 0);
	cr_assert_eq(number, 1048576);
	cr_assert_eq(parse_number("2G", 1, 0, INT64_MAX), 0);
	cr_assert_eq(number, INT64_C(2147483648));
}

Test(facet, number_units_are_refused_unless_asked_for)
{
	cr_assert_eq(parse_count("1K"), -EINVAL);
}

Test(facet, number_unit_is_one_known_letter)
{
	cr_assert_eq(parse_number("1T", 1, 0, INT64_MAX), -EINVAL);
	cr_assert_eq(parse_number("1KB", 1, 0, INT64_MAX), -EINVAL);
	cr_assert_eq(parse_number("1KK", 1, 0, INT64_MAX), -EINVAL);
	cr_assert_eq(ipc_number_parse("1\0", 2, 1, 0, INT64_MAX, &number), -EINVAL);
}

Test(facet, number_unit_does_not_wrap_around)
{
	cr_assert_eq(parse_number("8589934591G", 1, 0, INT64_MAX), 0);
	cr_assert_eq(parse_number("8589934592G", 1, 0, INT64_MAX), -ERANGE);
	cr_assert_eq(parse_number("17179869184G", 1, 0, INT64_MAX), -ERANGE);
}

Test(facet, number_range_holds_after_the_unit)
{
	cr_assert_eq(parse_number("1K", 1, 0, 1023), -ERANGE);
}

Test(facet, number_ends_at_its_length)
{
	cr_assert_eq(ipc_number_parse("123", 2, 0, 0, 1000, &number), 0);
	cr_assert_eq(number, 12);
}

static void escapes(const char *text, size_t len, const char *expected)
{
	char out[256];

	cr_assert_eq(ipc_escape(out, sizeof(out), text, len), strlen(expected));
	cr_assert_str_eq(out, expected);
}

Test(facet, escape_passes_plain_text)
{
	escapes(" az~@,=", 7, " az~@,=");
}

Test(facet, escape_passes_utf8_of_every_length)
{
	escapes("é€😀", 9, "é€😀");
}

Test(facet, escape_passes_the_ends_of_each_utf8_length)
{
	const char *ends =
		"\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";

	escapes(ends, strlen(ends), ends);
}

Test(facet, escape_of_control_bytes)
{
	escapes("a\n\t\0\x1b\x7f", 6, "a\\x0a\\x09\\x00\\x1b\\x7f");
}

Test(facet, escape_of_a_backslash)
{
	escapes("\\x41", 4, "\\x5cx41");
}

Test(facet, escape_of_c1_control_characters)
{
	escapes("\xc2\x80\xc2\x9f", 4, "\\xc2\\x80\\xc2\\x9f");
}

Test(facet, escape_of_a_stray_continuation_byte)
{
	escapes("a\xbfz", 3, "a\\xbfz");
}

Test(facet, escape_of_bytes_that_utf8_never_holds)
{
	escapes("\xc0\xc1\xf5\xff", 4, "\\xc0\\xc1\\xf5\\xff");
}

Test(facet, escape_of_overlong_utf8)
{
	escapes("\xe0\x80\xaf", 3, "\\xe0\\x80\\xaf");
	escapes("\xf0\x8f\xbf\xbf", 4, "\\xf0\\x8f\\xbf\\xbf");
}

Test(facet, escape_of_surrogates)
{
	escapes("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");
}

Test(facet, escape_above_the_last_code_point)
{
	escapes("\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80");
}

Test(facet, escape_of_a_sequence_cut_by_the_end)
{
	escapes("\xe2\x82\xac", 2, "\\xe2\\x82");
}

Test(facet, escape_of_a_sequence_cut_by_another_character)
{
	escapes("\xe2\x82z", 3, "\\xe2\\x82z");
}

Test(facet, escape_of_nothing_is_empty)
{
	escapes(NULL, 0, "");
}

Test(facet, escape_that_fits_exactly_is_whole)
{
	char out[5];

	cr_assert_eq(ipc_escape(out, sizeof(out), "\n", 1), 4);
	cr_assert_str_eq(out, "\\x0a");
}

Test(facet, escape_is_never_cut_in_two)
{
	char out[5];

	cr_assert_eq(ipc_escape(out, sizeof(out), "a\n", 2), 5);
	cr_assert_str_eq(out, "a");
}

Test(facet, escape_never_cuts_a_character_in_two)
{
	char out[4];

	cr_assert_eq(ipc_escape(out, sizeof(out), "a€", 4), 4);
	cr_assert_str_eq(out, "a");
}

Test(facet, escape_lets_nothing_slip_in_behind_the_cut)
{
	char out[4];

	cr_assert_eq(ipc_escape(out, sizeof(out), "a\nbc", 4), 7);
	cr_assert_str_eq(out, "a");
}

Test(facet, escape_without_room_only_counts)
{
	cr_assert_eq(ipc_escape(NULL, 0, "a\n", 2), 5);
}

Test(facet, escape_with_room_for_one_byte_terminates)
{
	char out[1] = {'x'};

	cr_assert_eq(ipc_escape(out, sizeof(out), "abc", 3), 3);
	cr_assert_eq(out[0], '\0');
}

Test(facet, fifo_implies_lines_where_the_kind_has_them)
{
	cr_assert_eq(ipc_facets_parse("mq", MQ | IPC_F_FIFO, 0, "fifo,batch", 10, &got, why, sizeof(why)), 0);
	cr_assert_eq(got.set, IPC_F_FIFO | IPC_F_BATCH | IPC_F_LINES);
	cr_assert_eq(ipc_facets_parse("mq", MQ | IPC_F_FIFO, 0, "nul,fifo", 8, &got, why, sizeof(why)), 0);
	cr_assert_eq(got.set, IPC_F_FIFO | IPC_F_NUL);
	cr_assert_eq(ipc_facets_parse("net", IPC_F_FIFO, 0, "fifo", 4, &got, why, sizeof(why)), 0);
	cr_assert_eq(got.set, IPC_F_FIFO);
}

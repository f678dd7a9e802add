#include "base/number.h"
#include "core/facet.h"
#include "../facets.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

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

Test(facet, fifo_implies_lines_where_the_kind_has_them)
{
	cr_assert_eq(ipc_facets_parse("mq", MQ | IPC_F_FIFO, 0, "fifo,batch", 10, &got, why, sizeof(why)), 0);
	cr_assert_eq(got.set, IPC_F_FIFO | IPC_F_BATCH | IPC_F_LINES);
	cr_assert_eq(ipc_facets_parse("mq", MQ | IPC_F_FIFO, 0, "nul,fifo", 8, &got, why, sizeof(why)), 0);
	cr_assert_eq(got.set, IPC_F_FIFO | IPC_F_NUL);
	cr_assert_eq(ipc_facets_parse("net", IPC_F_FIFO, 0, "fifo", 4, &got, why, sizeof(why)), 0);
	cr_assert_eq(got.set, IPC_F_FIFO);
}

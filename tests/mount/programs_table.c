/* The table PROGRAMS of ipcfs(7), row by row: what programs make of a channel, and what helps. */
#include "harness.h"

TestSuite(programs_table, .timeout = 60);

/* Three lines in a queue; what a reader of one leaves of them. */
#define THREE                                                                                                          \
	"cd $M/mq; three() { rm -f ${P}q; printf 'a\\nb\\nc\\n' > ${P}q@lines; }; left() { grep ^messages ${P}q@ctl; rm ${P}q; }; "
#define TAKES_ONE(reader) THREE "three; timeout 20 " reader "; left", "a\nmessages=2\n"
/* The same where it has to be said. */
#define END "; rm -f ${P}q"

t_test(programs_table, head_leaves_the_rest)
{
	t_check(TAKES_ONE("head -n1 ${P}q@lines"));
	t_check(TAKES_ONE("head -n1 ${P}q@fifo"));
}

t_test(programs_table, sed_and_grep_and_read_leave_the_rest)
{
	t_check(TAKES_ONE("sed 1q ${P}q@lines"));
	t_check(TAKES_ONE("grep -m1 a ${P}q@lines"));
	t_check(TAKES_ONE("sh -c 'read x; echo $x' < ${P}q@lines"));
}

t_test(programs_table, perl_leaves_the_rest)
{
	t_need("perl");
	t_check(TAKES_ONE("perl -e 'open F, $ARGV[0]; $_ = <F>; print' ${P}q@lines"));
}

t_test(programs_table, python_leaves_the_rest)
{
	t_need("python3");
	t_check(TAKES_ONE("python3 -c 'import sys\nfor l in open(sys.argv[1]): print(l.strip()); break' ${P}q@lines"));
}

t_test(programs_table, node_leaves_the_rest)
{
	t_need("node");
	t_check(TAKES_ONE(
		"node -e 'require(\"readline\").createInterface({input: require(\"fs\").createReadStream(process.argv[1])})"
		".once(\"line\", l => { console.log(l); process.exit() })' ${P}q@lines"));
}

t_test(programs_table, mawk_reads_ahead_unless_told_not_to)
{
	t_need("mawk");
	t_check(THREE "three; timeout 1 mawk 'NR == 1 { print; exit }' ${P}q@lines; left", "messages=0\n");
	t_check(TAKES_ONE("mawk -W interactive 'NR == 1 { print; exit }' ${P}q@lines"));
	t_check(TAKES_ONE("mawk '{ print }' ${P}q@lines,one"));
}

t_test(programs_table, source_reads_what_the_size_says)
{
	t_need("bash");
	t_check("cd $M/mq; s() { echo 'echo sourced' > ${P}q; timeout 20 \"$@\"; echo $?; }; s bash -c 'source ./${P}q@one'\n"
		"s bash -c 'source ./${P}q@fifo,one'; s bash -c 'source <(cat ${P}q@one)'; rm ${P}q; s sh -c '. ./${P}q@one'" END,
		"0\nsourced\n0\nsourced\n0\nsourced\n0\n");
}

t_test(programs_table, noclobber_takes_a_channel_for_a_file)
{
	t_need("bash");
	t_check("cd $M/mq; touch ${P}q; bash -c 'set -C; echo x > ${P}q' 2>/dev/null || echo refused\n"
		"bash -c 'set -C; echo x >| ${P}q; echo y >> ${P}q'; cat ${P}q@drain" END,
		"refused\nx\ny\n");
}

t_test(programs_table, python_for_both_directions_is_unbuffered)
{
	t_need("python3");
	t_check("cd $M/sock; touch ${P}s ${P}t; python3 -c 'import sys; open(sys.argv[1], \"r+\")' ${P}t 2>&1 | tail -n1\n"
		"cat ${P}s > $OLDPWD/in & python3 -c 'import sys; open(sys.argv[1], \"r+b\", buffering=0).write(b\"hi\\n\")' ${P}s; wait; "
		"grep . $OLDPWD/in",
		"io.UnsupportedOperation: File or stream is not seekable.\nhi\n");
}

t_test(programs_table, socat_takes_a_comma_for_its_own)
{
	t_need("socat");
	t_check(THREE "three; timeout 20 socat -u OPEN:${P}q@lines,drain - 2>/dev/null || echo refused\n"
		      "timeout 20 socat -u 'OPEN:'${P}'q@lines\\,drain' -; left",
		"refused\na\nb\nc\nmessages=0\n");
}

t_test(programs_table, recursive_grep_is_refused)
{
	t_check(THREE "three; mkdir -p $OLDPWD; grep -rs a . ; echo $?; left", "2\nmessages=3\n");
}

t_test(programs_table, copies_are_whole)
{
	t_check(THREE "three; cp ${P}q@lines,drain $OLDPWD/copy; cat $OLDPWD/copy; left", "a\nb\nc\nmessages=0\n");
}

t_test(programs_table, busybox_copies_are_whole)
{
	t_need("busybox");
	t_check(THREE "three; busybox cp ${P}q@lines,drain $OLDPWD/copy; busybox cat $OLDPWD/copy; left",
		"a\nb\nc\nmessages=0\n");
}

t_test(programs_table, node_copies_what_the_size_says)
{
	t_need("node");
	t_check(THREE
		"three; node -e 'require(\"fs\").copyFileSync(process.argv[1], process.argv[2])' ${P}q@lines,drain $OLDPWD/copy\n"
		"cat $OLDPWD/copy; node -e 'require(\"fs\").createReadStream(process.argv[1]).pipe(process.stdout)' ${P}q@lines,drain; left",
		"a\nb\nc\nmessages=0\n");
}

t_test(programs_table, head_of_a_connection_complains_and_read_does_not)
{
	t_need("bash");
	t_check("cd $M/sock; touch ${P}s; { exec 4<> ${P}s@listen; printf 'a\\nb\\n' >&4; exec 4>&-; } & exec 3<> ${P}s; wait\n"
		"bash -c 'read -r x; echo $x; read -r x; echo $x' <&3; exec 3>&-\n"
		"{ exec 4<> ${P}s@listen; printf 'a\\nb\\n' >&4; exec 4>&-; } & exec 3<> ${P}s; wait; head -n1 <&3 2>&1 | grep -c seek",
		"a\nb\n1\n");
}

t_test(programs_table, head_of_a_connection_for_reading_leaves_the_rest)
{
	t_check("cd $M/sock; touch ${P}s; for face in '' @fifo; do printf 'a\\nb\\n' > ${P}s & exec 3< ${P}s$face; env head -n1 <&3 2>&1; [ -n \"$face\" ] || cat <&3; exec 3<&-; wait; done",
		"a\nb\na\n");
}

/* Two names of one socket or FIFO, as ssh, supervisord and others make them by link(2). */
#include "harness.h"

TestSuite(programs_link, .timeout = 60);

/* Binds a socket at the name; `meet p` connects there and has it accepted. */
#define PYTHON                                                                                                         \
	"python3 - $M/sock/${P} <<'E'\n"                                                                               \
	"import os, socket, sys\n"                                                                                     \
	"p = sys.argv[1]; a, b, c = p + 'a', p + 'b', p + 'c'\n"                                                       \
	"s = socket.socket(socket.AF_UNIX); s.bind(a); s.listen(9)\n"                                                  \
	"def meet(n):\n"                                                                                               \
	"  k = socket.socket(socket.AF_UNIX); k.settimeout(5); k.connect(n); s.accept()\n"                             \
	"def links(n): return os.stat(n).st_nlink\n"                                                                   \
	"def names(): return [n[-1] for n in sorted(os.listdir(os.path.dirname(p))) if n.startswith(os.path.basename(p))]\n"

t_test(programs_link, both_names_of_a_socket_reach_the_server_and_the_first_can_go)
{
	t_need("python3");
	t_check(PYTHON "os.link(a, b); meet(a); meet(b); print(links(a), links(b), os.path.samefile(a, b), names())\n"
		       "os.unlink(a); meet(b); print(links(b), names()); os.unlink(b); print(names())\nE\n",
		"2 2 True ['a', 'b']\n1 ['b']\n[]\n");
}

t_test(programs_link, the_second_name_can_go_first)
{
	t_need("python3");
	t_check(PYTHON "os.link(a, b); os.unlink(b); meet(a); print(links(a), names()); os.unlink(a)\nE\n",
		"1 ['a']\n");
}

t_test(programs_link, names_can_be_renamed_and_linked_again)
{
	t_need("python3");
	t_check(PYTHON
		"os.link(a, b); os.rename(a, c); meet(c); meet(b); os.rename(b, a); meet(a); meet(c)\n"
		"os.link(a, b); print(links(c), names()); os.unlink(a); os.unlink(c); meet(b); print(links(b), names())\nE\n",
		"3 ['a', 'b', 'c']\n1 ['b']\n");
}

t_test(programs_link, rename_of_one_name_to_the_other_does_nothing)
{
	t_need("python3");
	t_check(PYTHON "os.link(a, b); os.rename(a, b); meet(a); meet(b); print(links(a), names())\nE\n",
		"2 ['a', 'b']\n");
}

t_test(programs_link, rename_over_one_name_leaves_the_other)
{
	t_need("python3");
	t_check(PYTHON
		"os.link(a, b); t = socket.socket(socket.AF_UNIX); t.bind(c); os.rename(c, a); meet(b); print(links(b), names())\n"
		"print(os.path.samefile(a, b))\nE\n",
		"1 ['a', 'b']\nFalse\n");
}

t_test(programs_link, attributes_are_the_objects)
{
	t_need("python3");
	t_check(PYTHON
		"os.link(a, b); os.chmod(a, 0o640); os.unlink(a); os.chmod(b, os.stat(b).st_mode & 0o777 | 1); print(oct(os.stat(b).st_mode))\nE\n",
		"0o140641\n");
}

t_test(programs_link, existing_name_is_eexist)
{
	t_need("python3");
	t_check("cd $M/pipe; mkfifo ${P}a ${P}b; ln ${P}a ${P}b 2>&1 | sed 's/.*: //'; stat -c %h ${P}a",
		"File exists\n1\n");
}

t_test(programs_link, fifo_joins_who_opens_different_names)
{
	t_check("cd $M/pipe; mkfifo ${P}a; ln ${P}a ${P}b; echo hi > ${P}a & cat ${P}b; rm ${P}a; echo ho > ${P}b & cat ${P}b; ls | sed s/$P//",
		"hi\nho\nb\n");
}

t_test(programs_link, fifo_is_one_after_the_kernel_forgot_it)
{
	if (geteuid() != 0)
		cr_skip_test("only root may empty the kernel's caches");
	t_check("cd $M/pipe; mkfifo ${P}a; ln ${P}a ${P}b; cd /; echo 2 > /proc/sys/vm/drop_caches; cd $M/pipe; echo hi > ${P}a & cat ${P}b; rm ${P}a; stat -c %h ${P}b",
		"hi\n1\n");
}

t_test(programs_link, socket_of_a_file_user_has_two_names)
{
	t_check("cd $M/sock; touch ${P}a; ln ${P}a ${P}b; echo hi > ${P}a & cat ${P}b; rm ${P}a; echo ho > ${P}b & cat ${P}b; rm ${P}b; ls",
		"hi\nho\n");
}

t_test(programs_link, other_kinds_refuse_and_say_where)
{
	t_check("cd $M/mq; touch ${P}a; ln ${P}a ${P}b 2>&1 | sed 's/.*: //'; mkdir ${P}d 2>/dev/null; ln -s x ${P}s 2>/dev/null; "
		"sed -n \"s/.*: mq.$P\\(.\\): \\(E[A-Z]*\\):.*/\\1 \\2/p\" $M/errors",
		"Operation not permitted\nb EPERM\nd EPERM\ns EPERM\n");
}

t_test(programs_link, a_name_in_another_kinds_directory_is_refused)
{
	t_check("mkfifo $M/pipe/a; ln $M/pipe/a $M/sock/b 2>&- || sed -n 's/.*: sock/sock/p' $M/errors",
		"sock/b: EPERM: what is in /pipe can have its names there only\n");
}

/*
 * Says so to whoever reads there: to the address as a path, or as a descriptor, for paths that are longer than an
 * address may be.
 */
#define SAY(path)                                                                                                      \
	"python3 -c 'import os, socket, sys; s = socket.socket(socket.AF_UNIX)\nf = os.open(sys.argv[1], os.O_PATH)\n" \
	"s.connect(\"/proc/self/fd/%d\" % f); s.sendall(b\"hello\\n\")' " path "; "

t_test(programs_link, each_name_of_a_face_has_the_address)
{
	t_need("python3");
	t_check("cd $M/sock; touch ${P}a; (cat ${P}a > $OLDPWD/1) & " SAY("${P}a@addr") "wait; ln ${P}a ${P}b; (cat ${P}a > $OLDPWD/2) & " SAY(
			"${P}b@addr") "wait; rm ${P}a; (cat ${P}b > $OLDPWD/3) & " SAY("${P}b@addr") "wait; cat $OLDPWD/[123]",
		"hello\nhello\nhello\n");
}

t_test(programs_link, a_long_name_is_connected_to_by_descriptor)
{
	t_need("python3");
	t_check("cd $M/sock; n=${P}$(printf 'x%.0s' $(seq 180)); touch $n; (cat $n > $OLDPWD/1) & " SAY(
			"$n@addr") "wait; cat $OLDPWD/1",
		"hello\n");
}

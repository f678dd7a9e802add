/* Names with an '@' that programs make. */
#include "harness.h"

TestSuite(programs_names, .timeout = 60);

t_test(programs_names, an_at_that_starts_no_facets_is_part_of_a_bound_name)
{
	t_need("python3");
	t_check("python3 - $M/sock/${P}foo@1.sock <<'E'\n"
		"import os, socket, sys\n"
		"p = sys.argv[1]\n"
		"try: os.unlink(p)\n"
		"except FileNotFoundError: print('none')\n"
		"s = socket.socket(socket.AF_UNIX); s.bind(p); s.listen(1)\n"
		"c = socket.socket(socket.AF_UNIX); c.connect(p); a = s.accept()[0]\n"
		"c.send(b'hi'); print(a.recv(9), os.path.exists(p)); os.unlink(p); print(os.path.exists(p))\n"
		"E\n",
		"none\nb'hi' True\nFalse\n");
}

t_test(programs_names, an_at_that_starts_no_facets_is_part_of_a_fifo_and_its_renamed_name)
{
	t_check("cd $M/pipe; mkfifo ${P}at@sign && mv ${P}at@sign ${P}two@s && ls | sed s/$P//; echo x > ${P}two@s & cat $M/pipe/${P}two@s; rm $M/pipe/${P}two@s",
		"two@s\nx\n");
}

t_test(programs_names, a_name_that_begins_with_an_at_has_two)
{
	t_check("cd $M/pipe; mkfifo @a 2>&- || sed -n 's/.*: pipe/pipe/p' ../errors; mkfifo @@a; ls; rm @@a",
		"pipe/@a: EINVAL: a channel's name stands before the '@'; one that begins with it is written '@@...' "
		"(pipe/NAME@help explains it)\n@a\n");
}

t_test(programs_names, open_with_bad_facets_is_still_einval)
{
	t_check("cd $M/pipe; for f in ${P}p@nope; do cat $f; echo x > $f; done 2>&1 | sed 's/.*: //'; ls; grep -c \"unknown facet 'nope'\" $M/errors",
		"Invalid argument\nInvalid argument\n2\n");
}

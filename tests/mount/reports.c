/* What people reported of FIFOs, /dev/tcp and sockets elsewhere, and is different here. */
#include <string.h>

#include "harness.h"

TestSuite(reports, .timeout = 60);

/* A reader of a FIFO ends with its first writer. */
t_test(reports, a_reader_outlives_writers_that_come_and_go)
{
	static const char *const kinds[] = {"mq", "bcast"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		t_check(t_format("c=$M/%s/${P}c; touch $c; sed -u 40q $c@lines > got & waits $c\n"
				 "for i in $(seq 40); do echo line $i > $c@lines; done; wait; rm $c\n"
				 "seq -f 'line %%g' 40 | cmp - got",
				 kinds[i]),
			"");
}

/* What a line loop does with a FIFO that nobody writes to: it waits in open(2). */
t_test(reports, any_shell_takes_what_is_there_and_goes_on)
{
	static const char *const shells[] = {"bash", "dash", "busybox sh", "zsh"};

	t_sh(M, "sh", "touch $M/mq/${P}q", NULL);
	for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++)
		t_check(t_format("sh='%s'; command -v ${sh%%%% *} > shell || exit 0; q=$M/mq/${P}q@lines\n"
				 "printf 'a  b\\n c\\n' > $q\n"
				 "export q; $sh -c 'while IFS= read -r x; do echo \"<$x>\"; done < $q,drain' > got\n"
				 "printf '<a  b>\\n< c>\\n' | cmp - got",
				 shells[i]),
			"");
}

/* Dash and BusyBox have no /dev/tcp, and none has a time-out. */
t_test(reports, any_shell_waits_for_a_port)
{
	static const char *const shells[] = {"dash", "busybox sh", "bash"};

	t_need("python3");
	t_write(t_format("%s/server.py", t_scratch()),
		"import socket, time\n"
		"s = socket.socket()\n"
		"s.bind(('127.0.0.1', 0))\n"
		"print(s.getsockname()[1], file=open('port.new', 'w'), flush=True)\n"
		"import os\n"
		"os.rename('port.new', 'port')\n"
		"time.sleep(.3)\n" /* the port is known, and nobody listens */
		"s.listen(9)\n"
		"time.sleep(60)\n");
	for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++)
		t_check(t_format("sh='%s'; command -v ${sh%%%% *} > shell || exit 0; rm -f port\n"
				 "python3 server.py & until [ -e port ]; do sleep .01; done\n"
				 "export port=$M/net/tcp/127.0.0.1/$(cat port)@timeout=5s\n"
				 "timeout 20 $sh -c 'until (: > $port) 2>&-; do sleep .05; done; echo up'; kill $!",
				 shells[i]),
			"up\n");
}

t_test(reports, who_is_let_in_by_a_mode_is_let_in_at_once)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	t_mount_stop(M);
	M = t_mount_start("-oallow_other", NULL);
	t_need("setpriv");
	t_check("b='setpriv --reuid=64002 --regid=64002 --clear-groups'; umask 077\n"
		"for x in mq/${P}q sem/${P}s bcast/${P}b pipe/p sock/s; do touch $M/$x\n"
		"    $b sh -c \"exec 3<> $M/$x\" 2>&- && echo $x is open to all\n"
		"    chgrp 64002 $M/$x; chmod 660 $M/$x; $b sh -c \"exec 3<> $M/$x\" || echo $x stays shut; done",
		"");
}

/* NAME@fifo of /net: a connection for each open, and one of its directions. */
#include <stdlib.h>

#include "harness.h"

TestSuite(fifo_net, .timeout = 60);

/* A native server, which says that to its client, ends this direction, and writes what it hears to `heard`. */
static void serve(const char *greeting)
{
	t_need("python3");
	setenv("GREETING", greeting, 1);
	t_bash(0, "cat >server.py <<'E'\n"
		  "import os, socket, sys\n"
		  "s = socket.create_server(('127.0.0.1', 0))\n"
		  "open('port.new', 'w').write(str(s.getsockname()[1]))\n"
		  "os.rename('port.new', 'port')\n"
		  "c, _ = s.accept()\n"
		  "c.sendall(os.environ['GREETING'].encode())\n"
		  "c.shutdown(socket.SHUT_WR)\n"
		  "open('heard', 'wb').write(c.makefile('rb').read())\n"
		  "E");
}

#define SERVED(script)                                                                                                 \
	"python3 server.py & until [ -s port ]; do sleep .02; done; F=$M/net/tcp/127.0.0.1/$(cat port)@fifo\n" script

t_test(fifo_net, reads_what_a_server_says)
{
	serve("hello\nclient\n");
	t_check(SERVED("cat $F; wait; wc -c <heard"), "hello\nclient\n0\n");
}

t_test(fifo_net, read_has_its_timeout)
{
	serve("hello\nclient\n");
	t_check(SERVED("exec 3<$F; read -r -t 15 x <&3; read -r -t 15 y <&3; read -r -t 15 z <&3; echo $? $x $y; exec 3<&-; wait"),
		"1 hello client\n");
}

/* Who closes a connection of TCP and has left something unread resets it: so nothing is said to a face that writes. */
t_test(fifo_net, writes_to_a_server)
{
	serve("");
	t_check(SERVED("head -c 300000 /dev/zero >$F; wait; wc -c <heard"), "300000\n");
}

t_test(fifo_net, asyncio_writes_and_reads)
{
	serve("hello\nclient\n");
	t_check(SERVED("python3 - $F <<'E'\n"
		       "import asyncio, sys\n"
		       "async def main():\n"
		       "    loop, r = asyncio.get_running_loop(), asyncio.StreamReader()\n"
		       "    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(r), open(sys.argv[1], 'rb'))\n"
		       "    print(await r.read())\n"
		       "asyncio.run(main())\n"
		       "E\n"
		       "wait"),
		"b'hello\\nclient\\n'\n");
}

/* Both sides are native faces here: of who listens, and of who connects. */
t_test(fifo_net, listener_hears_a_client)
{
	t_need("python3");
	t_check("PORT=$(python3 -c 'import socket; print(socket.create_server((\"127.0.0.1\", 0)).getsockname()[1])')\n"
		"cat \"$M/net/tcp/127.0.0.1/$PORT@listen,fifo\" & \n"
		"until echo hi 2>/dev/null >$M/net/tcp/127.0.0.1/$PORT@fifo; do sleep .05; done; wait",
		"hi\n");
}

t_test(fifo_net, listener_answers_a_client)
{
	t_need("python3");
	t_check("PORT=$(python3 -c 'import socket; print(socket.create_server((\"127.0.0.1\", 0)).getsockname()[1])')\n"
		"echo hi >\"$M/net/tcp/127.0.0.1/$PORT@listen,fifo\" & \n"
		"until cat $M/net/tcp/127.0.0.1/$PORT@fifo 2>/dev/null; do sleep .05; done; wait",
		"hi\n");
}

t_test(fifo_net, refused_connection_is_told)
{
	t_need("python3");
	t_check("PORT=$(python3 -c 'import socket; print(socket.create_server((\"127.0.0.1\", 0)).getsockname()[1])')\n"
		"cat $M/net/tcp/127.0.0.1/$PORT@fifo 2>&1 | grep -o 'Connection refused'",
		"Connection refused\n");
}

t_test(fifo_net, both_directions_are_refused)
{
	serve("hello\nclient\n");
	t_check(SERVED("! (exec 3<>$F) 2>/dev/null; cat $F | wc -l; wait; grep -c 'one direction' $M/errors"),
		"2\n1\n");
}

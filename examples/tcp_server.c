/*
 * TCP, a server that only opens paths: prints the line that each client of PORT sends, and says what it got.
 * Run: build/examples/tcp_server M [PORT], and tcp_client or tcp_client.sh beside it. The line "quit" ends it.
 * Each open of .../tcp/HOST/PORT@listen accepts one connection; '*' is every address of this machine.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Returns false on quit. */
static bool serve(int client)
{
	FILE *in = fdopen(client, "r");
	char line[4096] = "";

	if (!in)
		err(1, "fdopen");
	if (fgets(line, sizeof(line), in)) {
		fputs(line, stdout);
		if (dprintf(client, "got: %s", line) < 0)
			warn("a client has gone");
	}
	fclose(in);
	return strcmp(line, "quit\n") != 0;
}

int main(int argc, char **argv)
{
	char path[PATH_MAX];
	bool more;
	int client;

	if (argc < 2)
		errx(2, "usage: tcp_server MOUNT [PORT]");
	if (snprintf(path, sizeof(path), "%s/net/tcp/*/%s@listen", argv[1], argc > 2 ? argv[2] : "8888") >=
	    (int)sizeof(path))
		errx(1, "%s: too long", argv[1]);
	/* A client that vanishes ends its connection only. */
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* An open that does not wait binds the port, and nobody is refused from here on. */
	client = open(path, O_RDWR | O_NONBLOCK);
	if (client < 0 && errno != EAGAIN)
		err(1, "%s", path);
	puts("ready");
	do {
		if (client < 0)
			client = open(path, O_RDWR);
		if (client < 0)
			err(1, "%s", path);
		more = serve(client);
		client = -1;
	} while (more);
	return 0;
}

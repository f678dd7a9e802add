/*
 * Unix sockets, a native server: binds M/sock/NAME and sends each client's lines back in capitals.
 * Run: build/examples/sock_server M [NAME], and sock_client or sock_client.sh beside it. The line "quit" ends it.
 * The socket is the kernel's own: between bind() and connect() the mount only has the name.
 */
#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int make(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "socket");
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		err(1, "bind %s", address->sun_path);
	if (listen(fd, SOMAXCONN) < 0)
		err(1, "listen %s", address->sun_path);
	return fd;
}

/* A client that vanishes ends its connection only: MSG_NOSIGNAL. Returns false on quit. */
static bool serve(int client)
{
	FILE *in = fdopen(client, "r");
	bool quit = false;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!in)
		err(1, "fdopen");
	while (!quit && (n = getline(&line, &size, in)) > 0) {
		quit = strcmp(line, "quit\n") == 0;
		printf("request: %s", line);
		for (ssize_t i = 0; i < n; i++)
			line[i] = (char)toupper((unsigned char)line[i]);
		if (send(client, line, (size_t)n, MSG_NOSIGNAL) < 0) {
			warn("send");
			break;
		}
	}
	if (ferror(in))
		warn("read");
	free(line);
	fclose(in);
	return !quit;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, client;

	if (argc < 2)
		errx(2, "usage: sock_server MOUNT [NAME]");
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock/%s", argv[1],
		     argc > 2 ? argv[2] : "demo-sock") >= (int)sizeof(address.sun_path))
		errx(1, "%s: too long for a socket's address", argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = make(&address);
	puts("ready");
	do {
		client = accept(fd, NULL, NULL);
		if (client < 0)
			err(1, "accept");
	} while (serve(client));
	if (close(fd) < 0 || unlink(address.sun_path) < 0)
		err(1, "%s", address.sun_path);
	return 0;
}

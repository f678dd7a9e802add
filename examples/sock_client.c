/*
 * Unix sockets, a native client: connects to M/sock/NAME, sends TEXT as a line and prints the line that comes back.
 * Run: build/examples/sock_client M TEXT [NAME], while sock_server M [NAME] runs.
 * For a server that is a script (sock_server.sh), NAME is its channel's address: NAME@addr.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char answer[4096];
	FILE *in;
	int fd;

	if (argc < 3)
		errx(2, "usage: sock_client MOUNT TEXT [NAME]");
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock/%s", argv[1],
		     argc > 3 ? argv[3] : "demo-sock") >= (int)sizeof(address.sun_path))
		errx(1, "%s: too long for a socket's address", argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		err(1, "socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "connect %s", address.sun_path);
	if (dprintf(fd, "%s\n", argv[2]) < 0)
		err(1, "write");
	in = fdopen(fd, "r");
	if (!in)
		err(1, "fdopen");
	if (!fgets(answer, sizeof(answer), in))
		errx(1, "%s: the server said nothing", address.sun_path);
	fputs(answer, stdout);
	fclose(in);
	return 0;
}

/*
 * TCP, a client that only opens a path: sends TEXT as a line to HOST and PORT, and prints the line that comes back.
 * Run: build/examples/tcp_client M TEXT [HOST [PORT]], while tcp_server or tcp_server.sh runs.
 */
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	char path[PATH_MAX], answer[4096];
	FILE *in;
	int fd;

	if (argc < 3)
		errx(2, "usage: tcp_client MOUNT TEXT [HOST [PORT]]");
	if (snprintf(path, sizeof(path), "%s/net/tcp/%s/%s", argv[1], argc > 3 ? argv[3] : "localhost",
		     argc > 4 ? argv[4] : "8888") >= (int)sizeof(path))
		errx(1, "%s: too long", argv[1]);
	fd = open(path, O_RDWR);
	if (fd < 0)
		err(1, "%s", path);
	if (dprintf(fd, "%s\n", argv[2]) < 0)
		err(1, "write");
	in = fdopen(fd, "r");
	if (!in)
		err(1, "fdopen");
	if (!fgets(answer, sizeof(answer), in))
		errx(1, "%s: the server said nothing", path);
	fputs(answer, stdout);
	fclose(in);
	return 0;
}

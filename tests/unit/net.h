/* What the tests of /net share: native peers on loopback addresses, and a name server that answers what a test wants.
 */
#ifndef UNIT_NET_H
#define UNIT_NET_H

#define UNIT_KIND ipc_net
#include "sock.h"

#include <netinet/in.h>
#include <semaphore.h>

#include "kinds/net/net.h"

/*
 * "both.test" has two addresses, of which the first is 127.0.0.2; "none.test" has none; of "slow.test" nothing is known
 * before `slow` is posted (net_names.c).
 */
extern sem_t slow;
extern int slow_asked;

static inline void net_setup(void)
{
	sem_init(&slow, 0, 0);
	setup();
}

static inline struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int port_of(int fd)
{
	struct sockaddr_in sa = {0};
	socklen_t len = sizeof(sa);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

/* A native server at a port of the kernel's choice. */
static inline int server(int type, int backlog)
{
	struct sockaddr_in sa = loopback(0);
	int fd = socket(AF_INET, type, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (type == SOCK_STREAM)
		cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

static inline int client(int type, int port)
{
	struct sockaddr_in sa = loopback(port);
	int fd = socket(AF_INET, type, 0);

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A port that nobody has at the moment. */
static inline int free_port(int type)
{
	int fd = server(type, 1), port = port_of(fd);

	close(fd);
	return port;
}

static inline const char *named(const char *format, int port)
{
	static char names[8][64];
	static unsigned next;
	char *name = names[next++ % 8];

	snprintf(name, sizeof(names[0]), format, port);
	return name;
}

#endif

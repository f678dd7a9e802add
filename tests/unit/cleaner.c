#include "cleaner.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a process of its own that is no child of the test's. */
static void clean(int test, const char *command)
{
	struct pollfd p = {.fd = test, .events = POLLIN};

	/* A terminal's Ctrl-C is for the test. */
	setsid();
	/* Not Criterion's descriptors: it waits for their last holder. */
	dup2(test, 0);
	close_range(1, ~0u, 0);
	p.fd = 0;
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
}

void u_clean_behind(const char *prefix, const char *dir)
{
	int test = pidfd_open(getpid(), 0);
	char command[512];
	pid_t child;

	snprintf(command, sizeof(command), "rm -rf /dev/shm/%s* /dev/shm/sem.%s* /dev/mqueue/%s* %s", prefix, prefix,
		 prefix, dir ? dir : "");
	child = fork();
	if (child == 0) {
		if (fork() == 0)
			clean(test, command);
		_exit(0);
	}
	cr_assert(test >= 0 && child > 0, "no cleaner: %s", strerror(errno));
	waitpid(child, NULL, 0);
	close(test);
}

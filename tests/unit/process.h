/* A process for tests that need its number, or somebody to signal. */
#ifndef UNIT_PROCESS_H
#define UNIT_PROCESS_H

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* It sleeps until it is killed; at the latest when the test ends. */
static inline pid_t u_process(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

#endif

/*
 * The janitor of a test: a process of its own that outlives it. When the test ends, however it ends, the janitor
 *   - ends every process that the test started: those of its session, and those that carry JANITOR_MARK in their
 * environment (a daemon leaves the session, but not its environment),
 *   - unmounts what is mounted below the scratch directory, and removes that directory,
 *   - unlinks the kernel objects whose names begin with the prefix, and those that were named to it.
 */
#ifndef TESTS_JANITOR_H
#define TESTS_JANITOR_H

#include <stdbool.h>

#define JANITOR_MARK "IPCFS_TEST_SCRATCH" /* =the scratch directory */

/* The caller must lead its session. Returns a socket, or -1 with errno. */
int janitor_start(const char *scratch, const char *prefix);
/* Has the janitor unlink the queue of this name, for when it may not list the queues. */
void janitor_own(int janitor, const char *name);
/* The test has ended: returns when the janitor is done. Unless the test went well, it shows the daemons' logs first. */
void janitor_finish(int janitor, bool well);

#endif

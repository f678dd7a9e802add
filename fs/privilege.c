/* What the daemon keeps of root's power, and what it gives up before the first request. */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#ifdef HAVE_CAPNG
#include <cap-ng.h>
#endif

#include "fs.h"

#ifdef HAVE_CAPNG
/*
 * SETUID, SETGID: to act as the caller. DAC_OVERRIDE, CHOWN, FOWNER: objects made for callers, and seen for listings.
 * KILL: SIGPIPE to a writer. SYS_ADMIN: the unmount at the end. SYS_RESOURCE: limits, read and set as the caller has
 * them. NET_BIND_SERVICE: /net on ports below 1024. SYS_PTRACE: to see whether a process that closes a file has it open
 * still. SYS_NICE: for a moment the helper must be first at a lock, append.c.
 */
static const int kept[] = {CAP_SETUID,	  CAP_SETGID,	    CAP_DAC_OVERRIDE,	  CAP_CHOWN,	  CAP_FOWNER,  CAP_KILL,
			   CAP_SYS_ADMIN, CAP_SYS_RESOURCE, CAP_NET_BIND_SERVICE, CAP_SYS_PTRACE, CAP_SYS_NICE};

static int drop_capabilities(void)
{
	if (capng_get_caps_process() < 0)
		return -1;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool keep = false;

		for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			keep |= kept[i] == cap;
		if (!keep)
			capng_update(CAPNG_DROP,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_BOUNDING_SET,
				     (unsigned)cap);
	}
	/* The bounding set needs SETPCAP, which may be missing already; what counts is that we have none of them. */
	if (capng_apply(CAPNG_SELECT_BOTH) < 0 && capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -1;
	return 0;
}
#endif

void fs_drop_privileges(void)
{
	/*
	 * An ordinary user has nothing to drop, and unmounts by fusermount3, whose set-user-id bit must go on working.
	 */
	if (geteuid() != 0)
		return;
#ifdef HAVE_CAPNG
	if (drop_capabilities() < 0)
		fs_complain("cannot drop capabilities; going on with all of them");
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fs_complain("no_new_privs: %s", strerror(errno));
}

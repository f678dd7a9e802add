/* Who may do what with an object, and as whom it is done. */
#include "rights.h"

#include <errno.h>
#include <linux/capability.h>

#include "chan.h"
#include "cred.h"
#include "instance.h"
#include "kind.h"
#include "path.h"

/* Whether the kernel judges who may do what with it. */
static bool is_kernels(const struct ipc_ref *ref)
{
	return !ref->kind->named && !ref->kind->remote;
}

int ipc_ref_may_act(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	if (!is_kernels(ref) || ipc->uid == 0 || cred->uid == ipc->uid)
		return 0;
	return ipc_refuse(
		ipc, cred, EPERM, ipc_ref_path(ref).text,
		"ipcfs runs as user %u here and cannot act as user %u; a mount for several users is root's to make",
		(unsigned)ipc->uid, (unsigned)cred->uid);
}

/*
 * What a kernel object's owner and mode allow is the kernel's to say, to the caller himself. For names that live in our
 * table, the VFS has said it already, by the attributes we gave it.
 */
int ipc_ref_enter(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	int r = ipc_ref_may_act(ipc, cred, ref);

	return r < 0 || !is_kernels(ref) ? r : ipc_cred_enter(cred);
}

void ipc_ref_leave(const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	if (is_kernels(ref))
		ipc_cred_leave(cred);
}

/*
 * As in a sticky directory, which the kind's would be if that did not forbid more. The kernel's own objects the kernel
 * judges.
 */
int ipc_ref_may_remove(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	const struct ipc_chan *chan = ref->kind->named ? ipc_chan_find(ipc, ref->kind, ref->base) : NULL;

	if (!chan || cred->uid == chan->st.st_uid ||
	    (ipc->uid ? cred->uid == ipc->uid : ipc_cred_has(cred, CAP_FOWNER)))
		return 0;
	return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text,
			  "user %u made it, and only he removes, renames or links it", (unsigned)chan->st.st_uid);
}

int ipc_ref_refuse_verb(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, const char *verb)
{
	return ipc_refuse(ipc, cred, EINVAL, ipc_ref_path(ref).text, "a facet is a way to open '%s', not a file to %s",
			  ref->base, verb);
}

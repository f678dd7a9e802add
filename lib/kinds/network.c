#include "network.h"

#include <errno.h>

#include "base/place.h"
#include "core/instance.h"
#include "core/option.h"

static const struct ipc_option net = {
	.name = "net",
	.help = "with allow_other: lend them our network too, or the mount has no /net",
};

const struct ipc_option *const ipc_network_options[] = {&net, NULL};

bool ipc_network_is_lent(const struct ipc *ipc)
{
	return ipc_option_text(&ipc->opt, &net);
}

int ipc_network_check(struct ipc *ipc, const struct ipc_cred *cred, const char *path)
{
	if (ipc_network_is_lent(ipc) || !ipc_place_differs(cred->pid, IPC_PLACE_NET))
		return 0;
	return ipc_refuse(ipc, cred, EACCES, path,
			  "you are in another network namespace than ipcfs, whose network is lent by -o net only");
}

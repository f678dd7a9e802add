/* Addresses of sockets as inodes of the mount: what of it is not the kind's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "kind.h"
#include "path.h"

const char *ipc_hidden_name(const struct ipc *ipc)
{
	return ipc->hidden;
}

int ipc_hidden_make(struct ipc *ipc, const char *name, struct ipc_ref *ref, struct stat *st)
{
	ino_t ino = strtoull(name, NULL, 16);
	int r = -ENOENT;

	for (unsigned i = 0; r == -ENOENT && ipc_kind_at(ipc, i); i++)
		if (ipc_kind_at(ipc, i)->addresses)
			r = ipc_kind_at(ipc, i)->addresses->hidden_make(ipc, ino, ref, st);
	if (r == 0)
		st->st_ino = ipc_ref_ino(ipc, ref->kind, st->st_ino);
	return r;
}

bool ipc_ref_address(const struct ipc_ref *ref, struct ipc_ref *address)
{
	static const char facet[] = "addr";
	size_t n = strlen(ref->base);

	if (!(ref->kind->facets & IPC_F_ADDR) || ref->facet_at || n + 1 + sizeof(facet) > sizeof(ref->base))
		return false;
	*address = *ref;
	address->facets.set = IPC_F_ADDR;
	address->facet_at = (uint16_t)(n + 1);
	strcpy(address->base + n + 1, facet);
	return true;
}

bool ipc_ref_follow(struct ipc *ipc, struct ipc_ref *ref)
{
	if (ref->facets.set != IPC_F_ADDR || !ref->kind->addresses || !ref->kind->addresses->is_socket(ipc, ref))
		return false;
	ref->facets.set = 0;
	ref->facet_at = 0;
	return true;
}

void ipc_set_device(struct ipc *ipc, dev_t device)
{
	ipc->device = device;
}

bool ipc_has_addresses(const struct ipc *ipc)
{
	return ipc->addresses || !ipc_list_empty(&ipc->bindings);
}

void ipc_drop_addresses(struct ipc *ipc)
{
	for (unsigned i = 0; ipc_kind_at(ipc, i); i++)
		if (ipc_kind_at(ipc, i)->addresses)
			ipc_kind_at(ipc, i)->addresses->drop(ipc);
}

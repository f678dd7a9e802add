/* Names and objects as text and as numbers: what stands for them in messages, in the kernel and in st_ino. */
#include "path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "chan.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"

struct ipc_path ipc_ref_path(const struct ipc_ref *ref)
{
	struct ipc_path path;
	char shown[16] = "";

	if (ref->shown)
		snprintf(shown, sizeof(shown), "%d", (int)ref->shown);
	snprintf(path.text, sizeof(path.text), "%s/%s%s%s", ref->kind->name, ref->shown ? shown : ref->base,
		 ref->facet_at ? "@" : "", ref->facet_at ? ref->base + ref->facet_at : "");
	return path;
}

struct ipc_path ipc_handle_path(const struct ipc_handle *h)
{
	struct ipc_path path;

	snprintf(path.text, sizeof(path.text), "%s/%s", h->kind->name, h->chan ? h->chan->name : "");
	return path;
}

struct ipc_path ipc_chan_path(const struct ipc_chan *chan)
{
	struct ipc_path path;

	snprintf(path.text, sizeof(path.text), "%s/%s", chan->kind->name, chan->name);
	return path;
}

int ipc_kernel_name(struct ipc *ipc, const struct ipc_ref *ref, const char *lead, char *out, size_t size)
{
	const char *prefix = ipc->opt.prefix ? ipc->opt.prefix : "";
	size_t n = (size_t)snprintf(out, size, "%s%s%s", lead, prefix, ref->base);

	return n >= size || n - (*lead == '/') > NAME_MAX ? -ENAMETOOLONG : 0;
}

const char *ipc_unprefixed(struct ipc *ipc, const char *kernel_name)
{
	const char *prefix = ipc->opt.prefix ? ipc->opt.prefix : "";
	size_t n = strlen(prefix);

	return strncmp(kernel_name, prefix, n) == 0 && kernel_name[n] ? kernel_name + n : NULL;
}

struct ipc_ref ipc_ref_of(const struct ipc_kind *kind, const char *name)
{
	struct ipc_ref ref = {.kind = kind};

	snprintf(ref.base, sizeof(ref.base), "%s", name);
	return ref;
}

/* The kinds number their objects on their own; the top bits keep them apart. */
enum { KIND_SHIFT = 56 };

_Static_assert(IPC_KINDS_MAX < 1 << (64 - KIND_SHIFT), "a kind's number, from 1 on, has to fit above its objects'");

ino_t ipc_ref_ino(const struct ipc *ipc, const struct ipc_kind *kind, ino_t ino)
{
	return ino | (ino_t)(ipc_kind_index(ipc, kind) + 1) << KIND_SHIFT;
}

ino_t ipc_kind_ino(ino_t ino)
{
	return ino & (((ino_t)1 << KIND_SHIFT) - 1);
}

bool ipc_ref_means(const struct ipc_ref *ref, ino_t ino)
{
	ino_t meant = ipc_kind_ino(ref->ino);

	return !meant || meant == ino;
}

/* The bit at the top keeps it apart from numbers that count. */
ino_t ipc_name_ino(const char *name)
{
	ino_t hash = ipc_text_hash(name);

	return ipc_kind_ino(hash ^ hash >> KIND_SHIFT) | (ino_t)1 << (KIND_SHIFT - 1);
}

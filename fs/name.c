/* Names as they are written in the mount. */
#include <stdio.h>
#include <string.h>

#include "fs.h"

void fs_ref_text(struct fs *fs, const struct ipc_ref *ref, char *text, size_t size)
{
	if (!ref->facet_at && strchr(ref->base, '@'))
		ipc_name_show(fs->ipc, ref->kind, ref->base, text, size);
	else
		snprintf(text, size, "%s%s%s", ref->base, ref->facet_at ? "@" : "",
			 ref->facet_at ? ref->base + ref->facet_at : "");
}

void fs_ref_path(struct fs *fs, const struct ipc_ref *ref, char *path, size_t size)
{
	size_t n = (size_t)snprintf(path, size, "%s/", ipc_kind_name(ref->kind));

	fs_ref_text(fs, ref, path + n, size - n);
}

/* From what a user writes below MNT/KIND to what it means. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "base/sys.h"
#include "ask.h"
#include "chan.h"
#include "instance.h"
#include "kind.h"
#include "name_quote.h"
#include "ref.h"

int ipc_kernel_chattr(int fd, const struct stat *st, unsigned set)
{
	const struct timespec times[] = {st->st_atim, st->st_mtim};
	struct ipc_fd_path path = ipc_fd_path(fd);

	if ((set & IPC_SET_OWNER) && chown(path.text, st->st_uid, st->st_gid) < 0)
		return -errno;
	if ((set & IPC_SET_MODE) && chmod(path.text, st->st_mode & 07777) < 0)
		return -errno;
	if ((set & IPC_SET_TIMES) && utimensat(AT_FDCWD, path.text, times, 0) < 0)
		return -errno;
	return 0;
}

int ipc_ref_rebase(struct ipc_ref *ref, pid_t number)
{
	char facets[sizeof(ref->base)];
	int n;

	snprintf(facets, sizeof(facets), "%s", ref->facet_at ? ref->base + ref->facet_at : "");
	n = snprintf(ref->base, sizeof(ref->base), "%d", (int)number);
	if (!ref->facet_at)
		return 0;
	if ((size_t)n + 1 + strlen(facets) >= sizeof(ref->base))
		return -ENAMETOOLONG;
	ref->facet_at = (uint16_t)(n + 1);
	strcpy(ref->base + ref->facet_at, facets);
	return 0;
}

bool ipc_ref_suits(const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	return ref->abroad || !ref->kind->names->place || !ipc_place_differs(cred->pid, ref->kind->names->place);
}

void ipc_ref_serve(struct ipc_ref *ref)
{
	ref->abroad = true;
}

bool ipc_ref_suits_all(const struct ipc *ipc, const struct ipc_ref *ref)
{
	return !ref->kind->names->place || !ipc->abroad;
}

bool ipc_ref_may_wait(const struct ipc_ref *ref)
{
	/* Without a facet a semaphore's open never waits; with @hold it does. */
	return ref->facet_at && ref->kind->handles->connect && !(ref->facets.set & IPC_F_CORE);
}

bool ipc_ref_is_plain(const struct ipc_ref *ref)
{
	return (ref->kind->plain || ref->text) && !(ref->facets.set & IPC_F_CORE);
}

bool ipc_ref_is_elsewhere(const struct ipc_ref *ref)
{
	return ref->kind->plain && !ref->abroad && !ref->facet_at;
}

/* As servers call their lock and pid files: .X0-lock, wayland-0.lock, tmux's default.lock, supervisord.pid. */
static bool ref_is_lock_file(const char *name)
{
	static const char *const ends[] = {"lock", "lck", "pid"};
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t n = strlen(ends[i]);

		if (len > n + 1 && strcmp(name + len - n, ends[i]) == 0 && strchr(".-_", name[len - n - 1]))
			return true;
	}
	return false;
}

void ipc_ref_made_by(struct ipc_ref *ref, int flags)
{
	bool exclusive = (flags & O_EXCL) && (flags & O_ACCMODE) == O_RDWR;

	ref->text = ref->kind->texts && !ref->facet_at && (exclusive || ref_is_lock_file(ref->base));
}

static int ref_translate(struct ipc *ipc, const struct ipc_cred *cred, struct ipc_ref *ref)
{
	const struct ipc_chan *chan = ref->kind->named ? ipc_chan_find(ipc, ref->kind, ref->base) : NULL;

	ref->text = chan && chan->text;
	if (ipc_ref_suits(cred, ref))
		return 0;
	ipc_ref_serve(ref);
	ipc->abroad = true;
	return ref->kind->names->translate ? ref->kind->names->translate(ipc, cred, ref) : 0;
}

/*
 * Where the '@' stands whose right side is facets, or NULL. The leftmost that parses wins, so an address may hold an
 * '@'.
 */
static const char *ref_facets(struct ipc *ipc, const struct ipc_kind *kind, const char *name, struct ipc_facets *facets,
			      char *why, size_t why_size)
{
	int framed = kind->framed && kind->framed(ipc);
	bool first = true;

	for (const char *at = ipc_name_next_at(name); at; at = ipc_name_next_at(at + 1), first = false) {
		char other[256] = "";

		if (ipc_facets_parse(kind->name, kind->facets | IPC_F_TEXTS, framed, at + 1, strlen(at + 1), facets,
				     first ? why : other, first ? why_size : sizeof(other)) == 0)
			return at;
	}
	return NULL;
}

static const char no_name[] = "a channel's name stands before the '@'; one that begins with it is written '@@...'";

/*
 * What reads as facets is facets, whatever objects there are: another user's queue "jobs@lines" must not catch what is
 * meant for "jobs". Where it does not, an object may have such a name.
 */
static int ref_resolve(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_kind *kind, const char *name,
		       bool literal, struct ipc_ref *ref)
{
	size_t len = strlen(name);
	char why[256];
	const char *at, *at_first = ipc_name_next_at(name);
	struct stat st;
	int r;

	memset(ref, 0, sizeof(*ref));
	ref->kind = kind;
	if (len > IPC_NAME_MAX)
		return ipc_refuse(ipc, cred, ENAMETOOLONG, kind->name,
				  "a name of %zu bytes; %d is the most, facets included", len, IPC_NAME_MAX);
	memcpy(ref->base, name, len + 1);
	if (!at_first) {
		ipc_name_unquote(ref->base, name, len);
		return ref_translate(ipc, cred, ref);
	}
	at = ref_facets(ipc, kind, name, &ref->facets, why, sizeof(why));
	if (at) {
		ref->facet_at = (uint16_t)(at - name + 1);
		if (ref->facets.set & IPC_F_TIMEOUT)
			ipc_ask_hurry(ipc, ref->facets.timeout);
		ipc_name_unquote(ref->base, name, (size_t)(at - name));
		if (!ref->base[0])
			return ipc_refuse(ipc, cred, EINVAL, kind->name, "%s", no_name);
		/* With facets these come to us; the name would be the directory's in a listing, and could not go. */
		if (strcmp(ref->base, ".") == 0 || strcmp(ref->base, "..") == 0)
			return ipc_refuse(ipc, cred, EINVAL, kind->name, "no channel can be called '%s'", ref->base);
		return ref_translate(ipc, cred, ref);
	}
	ipc_name_unquote(ref->base, name, len);
	literal = literal && (kind->names->rename || ipc_named_renames(kind)) && at_first != name;
	r = literal ? 0 : kind->names->stat(ipc, ref, &st);
	if (r == IPC_ASKED)
		return r;
	if (r == 0)
		return ref_translate(ipc, cred, ref);
	return ipc_refuse_facet(ipc, cred, EINVAL, ref, "%s", at_first == name ? no_name : why);
}

int ipc_resolve(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_kind *kind, const char *name,
		struct ipc_ref *ref)
{
	return ref_resolve(ipc, cred, kind, name, false, ref);
}

int ipc_resolve_name(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_kind *kind, const char *name,
		     struct ipc_ref *ref)
{
	return ref_resolve(ipc, cred, kind, name, true, ref);
}

void ipc_name_show(struct ipc *ipc, const struct ipc_kind *kind, const char *base, char *text, size_t size)
{
	struct ipc_facets facets;
	char why[256];

	if (!strstr(base, "@@") && !ref_facets(ipc, kind, base, &facets, why, sizeof(why))) {
		snprintf(text, size, "%s", base);
		return;
	}
	ipc_name_quote(text, size, base);
}

void ipc_dir_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFDIR | (ipc->opt.shared ? 0777 : 0700);
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_ino = ipc_name_ino(ipc_ref_path(ref).text);
}

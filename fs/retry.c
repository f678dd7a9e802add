/* Callers who were answered ESTALE: retry.h. */
#include "retry.h"

#include <errno.h>
#include <fcntl.h>

#include "base/hash.h"
#include "fs.h"

enum { MISSED_MAX = FS_TRIES_MAX };

/* Nothing is expected of him any more. Of callers whom we do not see another one may still be on his way. */
static void refused_end(struct fs *fs, struct fs_refused *refused)
{
	fs_crowd_arrived(&fs->crowds, refused->turn);
	if (refused->pid)
		fs_refused_remove(&fs->refusals, refused);
	else
		refused->turn = 0;
}

/* NULL: out of memory. */
static struct fs_refused *refused_add(struct fs *fs, pid_t pid)
{
	struct fs_refused *before = fs_refused_find(&fs->refusals, pid);

	if (before)
		refused_end(fs, before);
	return fs_refused_add(&fs->refusals, pid);
}

bool fs_is_retry(struct fs *fs, pid_t pid)
{
	return fs_refused_is(&fs->refusals, pid);
}

void fs_expect_retry_of(struct fs *fs, uint64_t serial, pid_t pid, uint64_t turn)
{
	struct fs_refused *refused = refused_add(fs, pid);

	if (!refused) {
		fs_crowd_arrived(&fs->crowds, turn);
		return;
	}
	refused->serial = serial;
	refused->turn = turn;
}

void fs_expect_retry(struct fs *fs, pid_t pid)
{
	refused_add(fs, pid);
}

/* Without its facets, as what they lead to may be what is made at last. Never 0. */
static uint64_t name_number(const struct ipc_ref *ref)
{
	return (ipc_text_hash(ref->base) ^ ipc_text_hash(ipc_kind_name(ref->kind))) | 1;
}

void fs_expect_creator(struct fs *fs, pid_t pid, const struct ipc_ref *ref, mode_t mode, uint64_t notice)
{
	struct fs_refused *refused = refused_add(fs, pid);

	if (!refused)
		return;
	refused->makes = name_number(ref);
	refused->mode = mode;
	refused->notice = notice;
}

void fs_refusal_held(struct fs *fs, pid_t pid)
{
	struct fs_refused *refused = fs_refused_find(&fs->refusals, pid);

	if (refused)
		refused->held = true;
}

void fs_refusal_noticed(struct fs *fs, pid_t pid)
{
	struct fs_refused *refused = fs_refused_find(&fs->refusals, pid);

	if (!refused)
		return;
	refused->notice = refused->missed = 0;
	refused->phantom = true;
}

void fs_refusal_found(struct fs *fs, pid_t pid, bool link)
{
	struct fs_refused *refused = fs_refused_find(&fs->refusals, pid);
	bool stays = refused && ((refused->notice && !refused->held) || refused->phantom);

	if (!refused || (refused->notice && link))
		return;
	refused->notice = 0;
	refused->phantom = false;
	if (!stays)
		refused_end(fs, refused);
}

struct fs_refused fs_refusal(struct fs *fs, pid_t pid)
{
	const struct fs_refused *refused = fs_refused_find(&fs->refusals, pid);

	return refused ? *refused : (struct fs_refused){.pid = 0};
}

struct fs_refused fs_refusal_making(struct fs *fs, pid_t pid, const struct ipc_ref *ref)
{
	struct fs_refused before = fs_refusal(fs, pid);

	if (!before.makes || before.makes == name_number(ref))
		return before;
	fs_refusal_done(fs, pid);
	return (struct fs_refused){.pid = 0};
}

void fs_refusal_done(struct fs *fs, pid_t pid)
{
	struct fs_refused *refused = fs_refused_find(&fs->refusals, pid);

	if (refused)
		refused_end(fs, refused);
}

void fs_refusal_missed(struct fs *fs, pid_t pid)
{
	struct fs_refused *refused = fs_refused_find(&fs->refusals, pid);

	/*
	 * A retry looks a missing name up behind what it had cached, and anew; and behind what notices of others who
	 * make and remove the name have put there meanwhile. One more is another call's.
	 */
	if (refused && ++refused->missed > MISSED_MAX)
		refused_end(fs, refused);
}

/*
 * Whether the caller may open what the kernel has not looked at: it checks the mode that a LOOKUP told, and none where
 * it takes a file for new. So ours is the check that is surely no laxer, for want of the caller's other groups.
 */
bool fs_may_open(const struct ipc_cred *cred, const struct stat *st, int flags)
{
	static const unsigned wants[] = {[O_RDONLY] = 4, [O_WRONLY] = 2, [O_RDWR] = 6};
	unsigned want = (flags & O_ACCMODE) < 3 ? wants[flags & O_ACCMODE] : 7;
	unsigned have = cred->uid == st->st_uid ? st->st_mode >> 6 : st->st_mode >> 3 & st->st_mode;

	return (have & want) == want || ipc_may_override(cred);
}

/*
 * The caller's second and last try, on a node that is his alone, and what was looked up has gone again. He gets what
 * has the name now; where he came to make it, nothing can keep it from him.
 */
int fs_open_anew(struct fs *fs, const struct ipc_cred *cred, struct fs_node *node, int flags,
		 const struct fs_refused *before, struct ipc_handle **out)
{
	int r = -ESTALE;

	node->ref.ino = 0;
	for (int i = 0; r == -ESTALE && i < FS_TRIES_MAX; i++) {
		struct stat st;

		r = ipc_stat(fs->ipc, cred, &node->ref, &st);
		if (r == -ENOENT && before->makes) {
			r = ipc_create(fs->ipc, cred, &node->ref, S_IFREG | before->mode);
			if (r == 0) {
				fs_natives_own(fs, &node->ref);
				fs_notice_made(fs, &node->ref);
			}
			r = r == 0 || r == -EEXIST ? ipc_stat(fs->ipc, cred, &node->ref, &st) : r;
			r = r == -ENOENT ? -ESTALE : r;
		}
		if (r < 0)
			continue;
		if (!S_ISREG(st.st_mode))
			break;
		if (!fs_may_open(cred, &st, flags)) {
			r = -EACCES;
			break;
		}
		node->ino = node->ref.ino = st.st_ino;
		r = ipc_handle_new(fs->ipc, cred, &node->ref, flags, st.st_ino, out);
	}
	node->ref.ino = node->ino;
	return r;
}

/* Another made it, and the caller has no third try. */
int fs_create_exists(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, int flags)
{
	struct stat st;
	int r = fs_is_retry(fs, cred->pid) ? ipc_stat(fs->ipc, cred, ref, &st) : -ESTALE;

	if (r < 0)
		return r;
	return fs_may_open(cred, &st, flags) ? 0 : -EACCES;
}

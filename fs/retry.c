/* Callers who were answered ESTALE: retry.h. */
#include "retry.h"

#include <errno.h>

#include "base/hash.h"
#include "fs.h"

/* For how long a refused caller is expected back, on however busy a machine. */
#define RETRY_NS INT64_C(30000000000)
enum { MISSED_MAX = FS_TRIES_MAX };

void fs_refusals_start(struct fs_refusals *all)
{
	fs_pids_start(&all->pids, sizeof(struct fs_refused));
}

void fs_refusals_end(struct fs_refusals *all)
{
	fs_pids_end(&all->pids);
}

static struct fs_refused *refused_find(struct fs *fs, pid_t pid)
{
	return fs_pid_find(&fs->refusals.pids, pid);
}

/* Nothing is expected of him any more. Of callers whom we do not see another one may still be on his way. */
static void refused_end(struct fs *fs, struct fs_refused *refused)
{
	fs_crowd_arrived(&fs->crowds, refused->turn);
	if (refused->known.pid)
		fs_pid_remove(&fs->refusals.pids, &refused->known);
	else
		refused->turn = 0;
}

/* NULL: out of memory. Then everybody may be he: each gets a node of his own for a while, which costs LOOKUPs. */
static struct fs_refused *refused_add(struct fs *fs, pid_t pid)
{
	int64_t until = ipc_now() + RETRY_NS;
	struct fs_refused *refused = refused_find(fs, pid);

	if (refused)
		refused_end(fs, refused);
	refused = fs_pid_add(&fs->refusals.pids, pid, until);
	if (!refused)
		fs->refusals.forgot_until = until;
	return refused;
}

bool fs_is_retry(struct fs *fs, pid_t pid)
{
	const struct fs_refusals *all = &fs->refusals;

	return refused_find(fs, pid) || (all->forgot_until && all->forgot_until > ipc_now());
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
	struct fs_refused *refused = refused_find(fs, pid);

	if (refused)
		refused->held = true;
}

void fs_refusal_noticed(struct fs *fs, pid_t pid)
{
	struct fs_refused *refused = refused_find(fs, pid);

	if (!refused)
		return;
	refused->notice = refused->missed = 0;
	refused->phantom = true;
}

void fs_refusal_found(struct fs *fs, pid_t pid, bool link)
{
	struct fs_refused *refused = refused_find(fs, pid);
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
	const struct fs_refused *refused = refused_find(fs, pid);

	return refused ? *refused : (struct fs_refused){.known.pid = 0};
}

struct fs_refused fs_refusal_making(struct fs *fs, pid_t pid, const struct ipc_ref *ref)
{
	struct fs_refused before = fs_refusal(fs, pid);

	if (!before.makes || before.makes == name_number(ref))
		return before;
	fs_refusal_done(fs, pid);
	return (struct fs_refused){.known.pid = 0};
}

void fs_refusal_done(struct fs *fs, pid_t pid)
{
	struct fs_refused *refused = refused_find(fs, pid);

	if (refused)
		refused_end(fs, refused);
}

void fs_refusal_missed(struct fs *fs, pid_t pid)
{
	struct fs_refused *refused = refused_find(fs, pid);

	/*
	 * A retry looks a missing name up behind what it had cached, and anew; and behind what notices of others who
	 * make and remove the name have put there meanwhile. One more is another call's.
	 */
	if (refused && ++refused->missed > MISSED_MAX)
		refused_end(fs, refused);
}

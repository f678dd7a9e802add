/*
 * The same mount by other paths: bound elsewhere, below a directory that moves, or taken out of the tree while files
 * are open.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "harness.h"

TestSuite(bind, .timeout = 60);

/* Mounts that a test makes end with its namespace. */
static void own_namespace(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("no mount namespace of its own: %s", strerror(errno));
}

/*
 * A line in two pieces to each kind that cuts lines, while children come and go, by $AT; $MOVE happens between the
 * pieces. What came is looked at by $M where that is still there, else by $AT.
 */
static const char pieces[] =
	"cd /; touch $M/mq/$P@maxmsg=4,msgsize=64 $M/sem/$P $M/bcast/$P; exec 8<$M/bcast/$P@lines 9<$M/mq/$P@lines\n"
	"exec 3>$AT/mq/$P@lines 4>$AT/bcast/$P@lines 5>$AT/sem/$P\n"
	"for fd in 3 4 5; do printf 1 >&$fd; /bin/true; done; eval \"$MOVE\"\n"
	"for fd in 3 4 5; do /bin/true; printf '2\\n' >&$fd; done; printf tail >&3; printf tail >&4\n"
	"read -r a <&9; read -r b <&8; echo $a $b; exec 3>&- 4>&- 5>&-; read -r a <&9; read -r b <&8; echo $a $b\n"
	"exec 8<&- 9<&-; eval \"$BACK\"; grep ^value= $HERE/sem/$P@ctl; rm $HERE/mq/$P $HERE/sem/$P";

static void expect_whole_lines(const char *at, const char *move, const char *back, const char *here)
{
	t_name("");
	setenv("AT", at, 1);
	setenv("MOVE", move, 1);
	setenv("BACK", back, 1);
	setenv("HERE", here, 1);
	t_check(pieces, "12 12\ntail tail\nvalue=12\n");
}

t_test_bare(bind, lines_are_whole_through_a_bind_mount)
{
	char *at = t_format("%s/bound", t_scratch());

	own_namespace();
	M = t_mount_start(NULL);
	cr_assert_eq(t_sh(NULL, "sh", "mkdir bound", NULL), 0);
	cr_assert_eq(mount(M->dir, at, NULL, MS_BIND, NULL), 0, "%s", strerror(errno));
	expect_whole_lines(at, "true", "true", M->dir);
	cr_assert_eq(umount(at), 0, "%s", strerror(errno));
}

t_test_bare(bind, lines_are_whole_while_the_bind_mount_goes)
{
	char *at = t_format("%s/bound", t_scratch());

	own_namespace();
	M = t_mount_start(NULL);
	cr_assert_eq(t_sh(NULL, "sh", "mkdir bound", NULL), 0);
	cr_assert_eq(mount(M->dir, at, NULL, MS_BIND, NULL), 0, "%s", strerror(errno));
	expect_whole_lines(at, "umount -l $AT", "true", M->dir);
}

t_test_bare(bind, lines_are_whole_when_a_parent_moves)
{
	own_namespace();
	M = t_mount_start(NULL);
	setenv("FROM", t_scratch(), 1);
	setenv("TO", t_format("%s.moved", t_scratch()), 1);
	expect_whole_lines(M->dir, "mv $FROM $TO", "mv $TO $FROM", M->dir);
}

t_test_bare(bind, lines_are_whole_behind_a_lazy_unmount)
{
	char *at = t_format("%s/bound", t_scratch());

	/* The mount itself goes; the bound one is there to look at what came. */
	own_namespace();
	M = t_mount_start(NULL);
	cr_assert_eq(t_sh(NULL, "sh", "mkdir bound", NULL), 0);
	cr_assert_eq(mount(M->dir, at, NULL, MS_BIND, NULL), 0, "%s", strerror(errno));
	expect_whole_lines(M->dir, "umount -l $M", "true", at);
	cr_assert_eq(umount2(at, MNT_DETACH), 0, "%s", strerror(errno));
}

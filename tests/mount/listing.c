/* ls, over many names: readdir(3), rewinddir(3), seekdir(3), and names that come and go meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"

enum { NAMES = 3000 };

static DIR *open_list(const char *dir)
{
	DIR *d = opendir(t_path(M, "%s", dir));

	cr_assert(d, "%s: %s", dir, strerror(errno));
	return d;
}

static bool has(DIR *d, const char *name)
{
	struct dirent *e;
	bool found = false;

	while ((e = readdir(d)))
		found |= strcmp(e->d_name, name) == 0;
	return found;
}

static void make(int i)
{
	char path[2 * PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/bcast/n%d", M->dir, i);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	close(fd);
}

t_test(listing, rewinddir_shows_what_was_made_since)
{
	const char *const kinds[] = {"bcast", "shm", "sem", "pipe", "sock"};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		DIR *d = open_list(kinds[i]);
		const char *name = t_name("new");

		cr_expect_not(has(d, name));
		/* Who has a directory open and makes or removes what is in it is taken for a walker. */
		t_bash(0, t_format("%s $M/%s/%s", strcmp(kinds[i], "pipe") == 0 ? "mkfifo" : "touch", kinds[i], name));
		cr_expect_not(has(d, name), "%s: at the end of the directory", kinds[i]);
		rewinddir(d);
		cr_expect(has(d, name), "%s: after rewinddir(3)", kinds[i]);
		t_bash(0, t_format("rm $M/%s/%s", kinds[i], name));
		rewinddir(d);
		cr_expect_not(has(d, name), "%s: after unlink(2) and rewinddir(3)", kinds[i]);
		closedir(d);
	}
}

t_test(listing, seekdir_goes_back_to_the_same_name)
{
	struct dirent *e;
	char name[NAME_MAX + 1];
	long at = 0;
	DIR *d;

	for (int i = 0; i < NAMES; i++)
		make(i);
	d = open_list("bcast");
	for (int i = 0; i < NAMES / 2; i++) {
		at = telldir(d);
		e = readdir(d);
		cr_assert(e);
		snprintf(name, sizeof(name), "%s", e->d_name);
	}
	while (readdir(d))
		;
	seekdir(d, at);
	e = readdir(d);
	cr_assert(e);
	cr_expect_str_eq(e->d_name, name);
	closedir(d);
}

static void churn(void)
{
	for (;;)
		for (int i = 0; i < NAMES; i += 2) {
			const char *path = t_path(M, "bcast/c%d", i);
			int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

			close(fd);
			unlink(path);
			free((char *)path);
		}
}

/* Of each that is there all the while. */
t_test(listing, tells_a_name_once_while_others_come_and_go)
{
	static unsigned char times[NAMES];
	pid_t other;

	for (int i = 0; i < NAMES; i++)
		make(i);
	other = fork();
	if (other == 0)
		churn();
	for (int round = 0; round < 20; round++) {
		DIR *d = open_list("bcast");
		struct dirent *e;

		memset(times, 0, sizeof(times));
		while ((e = readdir(d)))
			if (e->d_name[0] == 'n')
				times[atoi(e->d_name + 1)]++;
		closedir(d);
		for (int i = 0; i < NAMES; i++)
			cr_assert_eq(times[i], 1, "n%d was told %d times", i, times[i]);
	}
	kill(other, SIGKILL);
	t_wait_exit(other, T_PATIENCE, &(char *){NULL});
}

static void list_for_ever(void)
{
	for (;;) {
		DIR *d = opendir(t_path(M, "bcast"));

		while (readdir(d))
			;
		closedir(d);
	}
}

/* At any moment of it; the daemon must end well. */
t_test(listing, who_is_killed_in_the_middle_of_it_leaves_nothing)
{
	for (int i = 0; i < NAMES; i++)
		make(i);
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (pid == 0)
			list_for_ever();
		usleep((useconds_t)(3000 + i * 311)); /* each at another place of the listing */
		kill(pid, SIGKILL);
		t_wait_exit(pid, T_PATIENCE, &(char *){NULL});
	}
	for (int i = 0; i < NAMES; i++)
		cr_assert_eq(unlink(t_path(M, "bcast/n%d", i)), 0);
	/* There is nothing but this text. */
	t_check("awk '/resource=.bytes.} / && $2 < 20000 {print \"few\"; exit}' < $M/status@metrics", "few\n");
}

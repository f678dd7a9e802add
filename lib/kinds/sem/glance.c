/* The value of a semaphore that is looked at again and again: its file stays mapped, to be read only. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sem.h"

struct sem_glance {
	struct ipc_glance glance;
	sem_t *sem;
};

static struct sem_glance *sem_glance(struct ipc_glance *glance)
{
	return ipc_container(glance, struct sem_glance, glance);
}

void sem_glance_free(struct ipc_glance *glance)
{
	sem_file_unmap(sem_glance(glance)->sem);
	free(sem_glance(glance));
}

static void glance_keep(struct sem_kind *kind, int fd, ino_t ino)
{
	struct sem_glance *g = calloc(1, sizeof(*g));

	if (!g)
		return;
	if (sem_file_map_to_read(fd, &g->sem) == 0)
		ipc_glance_add(&kind->glances, &g->glance, ino);
	else
		free(g);
}

static int glance_first(struct sem_kind *kind, const char *name, const struct stat *st)
{
	struct stat now;
	int fd = sem_file_open_to_read(kind->dir, name, &now);
	int value;

	if (fd < 0)
		return fd;
	value = now.st_ino == st->st_ino ? sem_file_read(fd) : -ESTALE;
	if (value >= 0)
		glance_keep(kind, fd, st->st_ino);
	close(fd);
	return value;
}

bool sem_glance_at(struct ipc *ipc, const struct ipc_ref *ref, const struct stat *st, struct ipc_depth *depth)
{
	struct sem_kind *kind = sem_kind(ipc);
	struct ipc_glance *glance = ipc_glance_find(&kind->glances, st->st_ino);
	char name[NAME_MAX + 1];
	int value;

	if (glance) {
		value = sem_file_value(sem_glance(glance)->sem);
		/* Somebody has cut the file off, or wiped it. */
		if (value < 0)
			ipc_glance_drop(&kind->glances, glance);
	} else {
		value = sem_file_name(ipc, ref, name);
		if (value == 0)
			value = glance_first(kind, name, st);
	}
	depth->unit = "permits";
	depth->value = value < 0 ? -1 : value;
	return value >= 0;
}

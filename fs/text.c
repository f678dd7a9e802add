/* The texts in MNT itself: README, status and its other forms, errors. */
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs.h"

static int text_errors(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	ipc_text_errors(ipc, cred, out);
	return 0;
}

static int text_readme(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	(void)cred;
	ipc_text_readme(ipc, out);
	return 0;
}

static const struct {
	const char *name;
	int (*write)(struct ipc *, const struct ipc_cred *, FILE *); /* NULL: one of status's forms */
	bool fixed; /* always the same, so that the kernel may keep it and its size is known */
	enum ipc_status_form form;
} texts[] = {
	{"README", text_readme, true, 0},
	{"status", NULL, false, IPC_STATUS_LINES},
	{"status@json", NULL, false, IPC_STATUS_JSON},
	{"status@metrics", NULL, false, IPC_STATUS_METRICS},
	{"status@dot", NULL, false, IPC_STATUS_DOT},
	{"errors", text_errors, false, 0},
};

const char *fs_text_name(unsigned index)
{
	return index < sizeof(texts) / sizeof(texts[0]) ? texts[index].name : NULL;
}

bool fs_text_is_status(unsigned index)
{
	return !texts[index].write;
}

enum ipc_status_form fs_text_form(unsigned index)
{
	return texts[index].form;
}

void fs_text_init(struct fs *fs, struct fs_node *node, unsigned index)
{
	struct ipc_cred cred = {.uid = geteuid(), .gid = getegid()};
	struct ipc_text text;
	FILE *out = texts[index].fixed ? ipc_text_open(&text) : NULL;

	node->text = index;
	if (out) {
		texts[index].write(fs->ipc, &cred, out);
		if (ipc_text_close(&text) == 0)
			node->length = (off_t)text.len;
		free(text.data);
	}
	if (!node->length)
		fs_size_init(node);
}

int fs_text_make(struct fs *fs, unsigned index, const struct ipc_cred *cred, struct ipc_text *text)
{
	FILE *out = ipc_text_open(text);
	int r, whole;

	if (!out)
		return -ENOMEM;
	r = texts[index].write(fs->ipc, cred, out);
	whole = ipc_text_close(text);
	return r < 0 ? r : whole;
}

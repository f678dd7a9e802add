/* The texts in MNT itself: README, status and its other forms, errors, events. */
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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
	int (*write)(struct ipc *, const struct ipc_cred *, FILE *); /* NULL: one of status's forms, or events */
	bool fixed; /* always the same, so that the kernel may keep it and its size is known */
	enum ipc_status_form form;
	enum fs_events events;
} texts[] = {
	{"README", .write = text_readme, .fixed = true},
	{"status", .form = IPC_STATUS_LINES},
	{"status@json", .form = IPC_STATUS_JSON},
	{"status@json,brief", .form = IPC_STATUS_BRIEF},
	{"status@metrics", .form = IPC_STATUS_METRICS},
	{"status@dot", .form = IPC_STATUS_DOT},
	{"errors", .write = text_errors},
	{"events", .events = FS_EVENTS_LINES},
	{"events@json", .events = FS_EVENTS_JSON},
};

const char *fs_text_name(unsigned index)
{
	return index < sizeof(texts) / sizeof(texts[0]) ? texts[index].name : NULL;
}

bool fs_text_forms(const char *name, char *forms, size_t size)
{
	size_t base = strcspn(name, "@"), len = 0;
	bool known = false;

	forms[0] = '\0';
	for (unsigned i = 0; name[base] && i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strncmp(texts[i].name, name, base) != 0)
			continue;
		known |= !texts[i].name[base];
		if (texts[i].name[base] == '@' && len < size)
			len += (size_t)snprintf(forms + len, size - len, "%s%s", len ? ", " : "", texts[i].name);
	}
	return known;
}

bool fs_text_is_status(unsigned index)
{
	return !texts[index].write && !texts[index].events;
}

enum ipc_status_form fs_text_form(unsigned index)
{
	return texts[index].form;
}

enum fs_events fs_text_is_events(unsigned index)
{
	return texts[index].events;
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

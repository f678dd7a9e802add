/* Opens of MNT/status and its other forms. */
#include <errno.h>
#include <stdlib.h>

#include "file.h"
#include "interrupt.h"
#include "text.h"

/* An open of MNT/status. */
struct file_text {
	struct fs_steps making;
	fuse_req_t req;
	struct fs_file *file;
	struct fs_interrupt interrupt;
};

static void text_done(struct fs_steps *making, int err)
{
	struct file_text *t = ipc_container(making, struct file_text, making);
	struct fs_file *file = t->file;
	fuse_req_t req = t->req;

	file->text = making->text;
	file->charged_to = making->cred.uid;
	file->charged = making->charged;
	free(t);
	if (err < 0)
		fs_reply_err(req, err);
	if (err < 0 || fs_reply_open(req, file->node, (uintptr_t)file, fs_file_flags(file)) < 0)
		fs_file_free(file);
}

static void text_interrupt(struct fs_interrupt *interrupt)
{
	fs_steps_cancel(&ipc_container(interrupt, struct file_text, interrupt)->making);
}

void fs_status_open(struct fs_file *file, fuse_req_t req)
{
	struct fs *fs = file->fs;
	struct file_text *t = calloc(1, sizeof(*t));

	if (!t) {
		fs_file_free(file);
		fs_reply_err(req, -ENOMEM);
		return;
	}
	t->req = req;
	t->file = file;
	t->making.ipc = fs->ipc;
	t->making.cred = fs_cred(req);
	t->making.path = fs_text_name(file->node->text);
	t->making.done = text_done;
	if (fs_interrupt_watch(&t->interrupt, req, text_interrupt))
		fs_steps_make(&fs->steps, &t->making, fs_text_form(file->node->text));
	else
		text_done(&t->making, -EINTR);
}

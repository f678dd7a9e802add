/* The texts in MNT itself. */
#ifndef FS_TEXT_H
#define FS_TEXT_H

#include "ipc.h"

struct fs;
struct fs_node;

/* Their names; NULL behind the last. */
const char *fs_text_name(unsigned index);
/*
 * What one of our names with something behind an '@' could have been: "status@json, status@dot". False: before the '@'
 * is no text's name.
 */
bool fs_text_forms(const char *name, char *forms, size_t size);
/* Makes the node that of a text. */
void fs_text_init(struct fs *, struct fs_node *, unsigned index);
/* Whether it is made in steps, and as what: steps.h. */
bool fs_text_is_status(unsigned index);
enum ipc_status_form fs_text_form(unsigned index);
/* Whether it is read as a channel is: ipc_events_open(). */
enum fs_events { FS_EVENTS_NOT, FS_EVENTS_LINES, FS_EVENTS_JSON };
enum fs_events fs_text_is_events(unsigned index);
/* Another text as it is now, for that reader. 0, and the text to be freed; or -errno. */
int fs_text_make(struct fs *, unsigned index, const struct ipc_cred *, struct ipc_text *);

#endif

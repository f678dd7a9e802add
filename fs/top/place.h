/* Which mount is watched. */
#ifndef TOP_PLACE_H
#define TOP_PLACE_H

/*
 * Where an ipcfs is mounted: in the places where ipcfs(1) mounts unless told otherwise, or else wherever there is one
 * that this user may read. Returns the path, to be freed, or NULL after having said why there is none.
 */
char *top_place_find(void);
/* In words why DIR/status@json could not be read, and what to do about it. */
char *top_place_trouble(const char *dir, int err, char *out, unsigned long size);

#endif

#ifndef FS_INHERIT_H
#define FS_INHERIT_H

/*
 * To be called first: closes every descriptor but the standard three, which are opened if they are not, and undoes what
 * the starter did to signals and to RLIMIT_FSIZE.
 */
void fs_inherit_nothing(void);

#endif

/*
 * How mount(8) and /etc/fstab call us: as a helper, `mount.ipcfs SOURCE DIR [-sfnv] [-o OPTIONS]`, or through
 * mount.fuse3(8), `ipcfs SOURCE DIR -o OPTIONS`; and the options there that mean nothing to a file system, fstab(5),
 * systemd.mount(5).
 */
#ifndef FS_MOUNT_OPTIONS_H
#define FS_MOUNT_OPTIONS_H

#include <stdbool.h>

/*
 * Takes out what mount(8) gives a helper and we have no use for, if argv[0] says that we are one. Returns the new argc;
 * *fake is set where everything should be done but the mount itself (mount -f).
 */
int fs_mount_helper_arguments(int argc, char **argv, bool *fake);

/* The word that stands where /etc/fstab has the device: we have none. */
bool fs_mount_is_source(const char *word);

enum fs_mount_option { FS_OPTION_UNKNOWN, FS_OPTION_MEANS_NOTHING, FS_OPTION_OF_LIBFUSE };

/* What one of the options is that are not ours, without "-o". */
enum fs_mount_option fs_mount_option_of(const char *option);

#endif

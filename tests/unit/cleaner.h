/* What a test leaves that does not come to its end, as when a sanitizer aborts it. */
#ifndef UNIT_CLEANER_H
#define UNIT_CLEANER_H

/*
 * When this process has ended, however, what bears the prefix in /dev/shm and /dev/mqueue goes, and the directory
 * (NULL: none) with what is in it.
 */
void u_clean_behind(const char *prefix, const char *dir);

#endif

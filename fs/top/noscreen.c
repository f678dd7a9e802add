/* In place of the screen, where ipcfs-top was built without ncurses. */
#ifndef HAVE_NCURSES
#include "screen.h"

#include <stdio.h>

int top_screen_run(const char *dir, double delay, long looks)
{
	(void)dir;
	(void)delay;
	(void)looks;
	fputs("ipcfs-top: built without ncurses: there is no live table, but -b prints one\n", stderr);
	return 1;
}
#endif

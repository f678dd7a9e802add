/* What the terminal can do; by itself, as <term.h> defines words like columns and lines as its own. */
#ifdef HAVE_NCURSES
#include "live.h"

#include <curses.h>
#include <term.h>
#include <unistd.h>

bool screen_terminal_moves(void)
{
	const char *move;
	bool moves;
	int err;

	if (setupterm(NULL, STDOUT_FILENO, &err) != OK)
		return false;
	move = tigetstr("cup");
	moves = move && move != (const char *)-1;
	/* newterm() takes one of its own. */
	del_curterm(cur_term);
	return moves;
}
#endif

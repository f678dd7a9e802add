/* The table on a terminal. */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

/*
 * Until q, Ctrl-C, or so many looks (0: no end). Returns the exit status. Without ncurses it says what can be done
 * instead.
 */
int top_screen_run(const char *dir, double delay, long looks);

#endif

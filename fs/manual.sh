#!/bin/sh
# Prints a page of the manual as it is installed. Where PAGE has the line `.\" kinds`, each PART, in their order, puts
# what it has under the same .Sh heading: a kind's lines stand in its own folder, lib/kinds/KIND/KIND.7, and those of its
# mount options in a file of section 1.
# Usage: sh fs/manual.sh PAGE [PART...]
page=$1
shift
# The parts come first: what they have is known when the page is read.
awk -v page="$page" '
	/^\.Sh / { heading = $0; if (FILENAME != page) next }
	FILENAME != page { if (!/^\.\\"/) part[heading] = part[heading] $0 "\n"; next }
	$0 == ".\\\" kinds" { printf "%s", part[heading]; taken[heading] = 1; next }
	{ print }
	END {
		for (heading in part)
			if (!taken[heading]) { print page ": no kinds stand under " heading > "/dev/stderr"; bad = 1 }
		exit bad
	}' "$@" "$page"

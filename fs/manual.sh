#!/bin/sh
# Prints a page of the manual as it is installed. Where PAGE has the line `.\" kinds`, each PART, in their order, puts
# what it has under the same .Sh heading: a kind's lines stand in its own folder, lib/kinds/KIND/KIND.7, and those of its
# mount options in a file of section 1. A row of a part about an error of its own, `.It Bq Er NAME`, takes its place by the
# alphabet among the rows of PAGE.
# Usage: sh fs/manual.sh PAGE [PART...]
page=$1
shift
# The parts come first: what they have is known when the page is read.
awk -v page="$page" '
	# The rows before that name.
	function rows(end, name, first) {
		for (;;) {
			first = end
			for (name in row) if (name < first) first = name
			if (first == end) return
			printf "%s", row[first]
			delete row[first]
		}
	}
	/^\.Sh / { heading = $0; error = ""; if (FILENAME != page) next }
	/^\.It Bq Er / { error = $4 }
	FILENAME != page && /^\.\\"/ { next }
	FILENAME != page && error { row[error] = row[error] $0 "\n"; next }
	FILENAME != page { part[heading] = part[heading] $0 "\n"; next }
	$0 == ".\\\" kinds" { printf "%s", part[heading]; taken[heading] = 1; next }
	/^\.It Bq Er / { rows($4) }
	/^\.El/ && error { rows("~") }
	{ print }
	END {
		for (name in row) { print page ": no list of errors for " name > "/dev/stderr"; bad = 1 }
		for (heading in part)
			if (!taken[heading]) { print page ": no kinds stand under " heading > "/dev/stderr"; bad = 1 }
		exit bad
	}' "$@" "$page"

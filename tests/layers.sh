#!/bin/sh
# Layers: base knows nothing of core, core nothing of the kinds, no kind another one, fs/ nothing of lib/ but ipc.h and base,
# and the programs in its folders nothing but the files of a mount.
# Reads what each source includes, and of the objects below DIR what each one links to. Prints what is wrong, a line each.
# Within core and fs, files call each other downwards only, as the LAYERS there have it; within those and base in no circle.
# Usage: sh tests/layers.sh DIR
set -u
dir=$1

# Where a name in an #include leads: below lib/, or beside the file.
includes() {
	for f in lib/*.h lib/*/*.[ch] lib/*/*/*.[ch] fs/*.[ch] fs/*/*.[ch]; do
		sed -n 's/^#include "\([^"]*\)".*/\1/p' "$f" | while read -r name; do
			beside=${f%/*}/$name
			if [ -e "$beside" ]; then echo "$f $beside"; else echo "$f lib/$name"; fi
		done
	done
}

# SOURCE...: FILE FILE for each two of them of which the first calls, or reads, what the second defines.
links() {
	# An object whose source has gone may lie there still.
	for source; do echo "${source%.c}.o"; done | (cd "$dir" && xargs nm -A -o 2>/dev/null) | awk '
		{ sub(/:.*/, "", $1); kind = $(NF - 1); name = $NF }
		kind ~ /^[TDRBC]$/ { where[name] = $1 }
		kind == "U" { wants[n++] = $1 " " name }
		END { for (i = 0; i < n; i++) { split(wants[i], w, " "); if (w[2] in where) print w[1], where[w[2]] } }' |
		sed 's/\.o\b/.c/g'
}

# Kinds that are one file and no folder.
single=$(sed -n 's/^KIND(\(.*\))$/\1/p' lib/kinds/kinds.list | while read -r kind; do [ -d "lib/kinds/$kind" ] || echo "$kind"; done | paste -sd'|')

# DIR: what calls up within it, or is in no layer.
calls_up() {
	{
		links "$1"/*.c | sort -u | sed 's|[^ ]*/\([a-z_]*\)[.]c|\1|g'
		printf '%s\n' "$1"/*.c | sed 's|.*/\(.*\)[.]c|\1|'
	} | awk -v dir="$1" '
		FILENAME != "-" { if (/^\t/) { layers++; for (i = 1; i <= NF; i++) layer[$i] = layers }; next }
		NF == 1 { file[$1]; if (!($1 in layer)) { print dir "/LAYERS: " $1 ".c is in no layer"; bad = 1 }; next }
		layer[$1] > layer[$2] { print dir "/" $1 ".c: calls up into " $2 ".c (" dir "/LAYERS)"; bad = 1 }
		END { for (f in layer) if (!(f in file)) { print dir "/LAYERS: there is no " f ".c"; bad = 1 }; exit bad }
		' "$1/LAYERS" -
}

# DIR: files in it that call each other in a circle.
circles() {
	links "$1"/*.c | awk '$1 != $2' | tsort 2>&1 >/dev/null |
		sed "s|^tsort: -: .*|$1 has a circle of calls:|; s|^tsort: |  |" | grep . && return 1
	return 0
}

wrong=0
calls_up lib/core || wrong=1
calls_up fs || wrong=1
for part in lib/base lib/core fs; do
	circles "$part" || wrong=1
done

{ includes; links lib/*/*.c lib/*/*/*.c; } | sort -u | awk -v single="^lib/kinds/($single)[.]" '
	function layer(f) {
		return f ~ /^lib\/base\// ? 1 : f ~ /^lib\/core\// ? 2 : f ~ /^lib\/kinds\// ? 4 : f ~ /^lib\/[a-z_]*\.h$/ ? 3 : 5
	}
	# The kind whose folder, or one file, it is. What several kinds share is no kind, and kinds.c knows them all; nor is
	# what those in a Redis share, which no other may use.
	function kind(f) {
		if (f ~ /^lib\/kinds\/[a-z_]*\//) { sub(/^lib\/kinds\//, "", f); sub(/\/.*/, "", f); return f }
		return f ~ single ? f : ""
	}
	function wrong(why) { print $1 ": " why " " $2; bad = 1 }
	{ from = layer($1); to = layer($2) }
	from == 1 && to > 1 { wrong("base must not know of"); next }
	from == 2 && to > 3 { wrong("core must not know of"); next }
	$1 ~ /^fs\/top\// && $2 !~ /^fs\/top\// { wrong("ipcfs-top reads the files of a mount, and needs not"); next }
	from == 4 && to > 4 { wrong("lib/ must not know of"); next }
	from == 5 && (to == 2 || to == 4) { wrong("fs/ includes lib/ipc.h, not"); next }
	from == 4 && kind($2) == "redis" && kind($1) ~ /^redis/ { next }
	from == 4 && kind($2) != "" && kind($1) != kind($2) && $1 !~ /kinds\/kinds\.c$/ { wrong("a kind must not know of another:") }
	END { exit bad }' || wrong=1
exit $wrong

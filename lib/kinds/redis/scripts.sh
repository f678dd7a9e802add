#!/bin/sh
# Scripts for Redis as a C source: sh scripts.sh FILE.lua... > scripts.c
set -eu
shared=lib/kinds/redis

echo '#include "kinds/redis/link.h"'
names=
for file; do
	name=$(basename "$file" .lua)
	kind=$(basename "$(dirname "$file")")
	[ "$kind" = redis ] || name=${kind#redis_}_$name
	text=$(mktemp)
	of_kind=$(dirname "$file")/prelude.lua
	[ -e "$of_kind" ] && [ "$kind" != redis ] || of_kind=/dev/null
	cat $shared/prelude.lua "$of_kind" "$file" $shared/postlude.lua |
		sed -e 's/^[[:space:]]*--.*$//' -e 's/^[[:space:]]*//' -e '/^$/d' > "$text"
	sha=$(sha1sum "$text" | cut -c1-40)
	printf 'const struct redis_script redis_script_%s = {"%s", "%s",\n' "$name" "$name" "$sha"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$text"
	printf ', %s};\n' "$(wc -c < "$text")"
	rm -f "$text"
	names="$names &redis_script_$name,"
done
echo "const struct redis_script *const redis_scripts[] = {$names 0};"

#!/bin/sh
# Scripts for Redis as a C source, each with the parts that intro.lua tells of: sh scripts.sh FILE.lua... > scripts.c
set -eu
shared=lib/kinds/redis

# The files of those names that exist.
present() {
	for part; do
		if [ -e "$part" ]; then echo "$part"; fi
	done
}

echo '#include "kinds/redis/link.h"'
names=
for file; do
	name=$(basename "$file" .lua)
	dir=$(dirname "$file")
	kind=$(basename "$dir")
	text=$(mktemp)
	if [ "$kind" = redis ]; then
		parts="$shared/intro.lua $shared/prelude.lua $file"
	else
		parts="$shared/intro.lua $dir/intro.lua $dir/plain/$name.lua $shared/prelude.lua $dir/prelude.lua $file"
		name=${kind#redis_}_$name
	fi
	# shellcheck disable=SC2046,SC2086 # no name here has a space
	cat $(present $parts) $shared/postlude.lua |
		sed -e 's/^[[:space:]]*--.*$//' -e 's/^[[:space:]]*//' -e '/^$/d' > "$text"
	sha=$(sha1sum "$text" | cut -c1-40)
	printf 'const struct redis_script redis_script_%s = {"%s", "%s",\n' "$name" "$name" "$sha"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$text"
	printf ', %s};\n' "$(wc -c < "$text")"
	rm -f "$text"
	names="$names &redis_script_$name,"
done
echo "const struct redis_script *const redis_scripts[] = {$names 0};"

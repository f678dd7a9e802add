#!/bin/sh
# The tarball builds without git, and twice to the same bytes, wherever it lies and whatever the clock and the umask are.
# usage: tests/dist.sh TARBALL   (`make test-dist` makes it first)
set -eu
tarball=${1:?usage: tests/dist.sh TARBALL}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

build() { # DIRECTORY UMASK TZ
	mkdir -p "$work/$1"
	tar -xzf "$tarball" -C "$work/$1" --strip-components=1
	(umask "$2" && cd "$work/$1" && env -u MAKEFLAGS -u MAKELEVEL -u SOURCE_DATE_EPOCH CCACHE_DISABLE=1 TZ="$3" GIT_DIR=/none make -s -j2 all dist) >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
}

build one 022 UTC
build another/where/it/is/deeper 077 Asia/Tokyo
cd "$work"
for program in ipcfs ipcfs-top "$(basename "$tarball")" examples/pipe_server examples/tcp_client; do
	cmp "one/build/$program" "another/where/it/is/deeper/build/$program"
done
cmp "one/build/$(basename "$tarball")" "$OLDPWD/$tarball"
echo 'dist: the same twice'

# shellcheck shell=bash
# Where no root directory can be had: the package is installed and removed by dpkg in ROOT, beside what it depends on.
set -u
failed=0

# Called through check(): the analyser does not see it.
# shellcheck disable=SC2317
alone() {
	dpkg --root="$ROOT" --force-depends --force-script-chrootless --log=/dev/null "$@"
}
files() { (cd "$ROOT" && find . -type f ! -path './var/lib/dpkg/*' -o -type l | LC_ALL=C sort); }

check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@" >"$ROOT.out" 2>&1; then
		echo "package: $what: ok"
	else
		echo "package: $what: FAILED"
		cat "$ROOT.out"
		failed=1
	fi
}

mkdir -p "$ROOT/var/lib/dpkg/info" "$ROOT/var/lib/dpkg/updates" "$ROOT/etc"
touch "$ROOT/var/lib/dpkg/status" "$ROOT/var/lib/dpkg/available"
check 'dpkg --install' alone --install "$PACKAGE"
check 'the program runs' "$ROOT/usr/bin/ipcfs" --version
check 'the manual is there' test -e "$ROOT/usr/share/man/man1/ipcfs.1.gz" -a -e "$ROOT/usr/share/man/man7/ipcfs.7.gz"
check 'the units are there' test -e "$ROOT/lib/systemd/system/ipcfs.service" -a -e "$ROOT/usr/lib/systemd/user/ipcfs.service"
check 'dpkg --purge' alone --purge ipcfs
check 'nothing stays' test -z "$(files)"
files
exit $failed

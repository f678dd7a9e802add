#!/usr/bin/env bash
# The package on a fresh Debian 12: it installs, mounts by mount(8) and from /etc/fstab, and goes without residue.
# usage: tests/package.sh PACKAGE.deb   (as root; `make test-package` builds the package first)
set -euo pipefail

package=${1:?usage: tests/package.sh PACKAGE.deb}
suite=bookworm
[ "$(id -u)" = 0 ] || { echo "package: skipped: only root can make a root directory" >&2; exit 0; }

work=$(mktemp -d /tmp/ipcfs-package.XXXXXX)
root=$work/root
failed=0

# Called by the trap, and through check(): the analyser does not see it.
# shellcheck disable=SC2317
clean() {
	umount -l "$root/ipc" 2>/dev/null || true
	rm -rf --one-file-system "$work"
}

check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "package: $what: ok"
	else
		echo "package: $what: FAILED"
		cat "$work/out"
		failed=1
	fi
}

# shellcheck disable=SC2317
inside() { chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

files() { (cd "$root" && find . -xdev ! -path './proc/*' ! -path './sys/*' ! -path './tmp/*' ! -path './var/cache/*' \
	! -path './var/lib/apt/*' ! -path './var/lib/dpkg/*' ! -path './var/log/*' ! -path './run/*' | LC_ALL=C sort); }

trap clean EXIT
# What it depends on is there already: a root directory has no lists of packages to find it in.
depends=$(dpkg-deb -f "$package" Depends | sed -e 's/([^)]*)//g' -e 's/ //g')
mmdebstrap --quiet --variant=minbase --include="$depends,mount,systemd" $suite "$root" || {
	echo "package: mmdebstrap made no root directory: dpkg alone" >&2
	# Its scripts would speak to this system's manager, which is found in /run.
	rm -rf "$root"
	PACKAGE=$package ROOT=$root unshare -m bash -c 'mount -t tmpfs tmpfs /run && . tests/package_alone.sh'
	exit $?
}
cp "$package" "$root/tmp/ipcfs.deb"

files >"$work/before"
check "apt install" inside apt-get install -y -qq --no-install-recommends /tmp/ipcfs.deb
check "the program runs" inside ipcfs --version
check "its table, too" inside ipcfs-top --version
check "the manual is there" test -e "$root/usr/share/man/man1/ipcfs.1.gz" -a -e "$root/usr/share/man/man7/ipcfs.7.gz" \
	-a -e "$root/usr/share/man/man1/ipcfs-top.1.gz" -a -e "$root/usr/share/man/man8/mount.fuse.ipcfs.8.gz"
check "the units are there" test -e "$root/lib/systemd/system/ipcfs.service" -a -e "$root/usr/lib/systemd/user/ipcfs.service"
check "it starts at boot" test "$(systemctl --root="$root" is-enabled ipcfs)" = enabled
check "nobody's own is started unasked" test "$(systemctl --root="$root" --global is-enabled ipcfs)" = disabled
check "completion is there" test -e "$root/usr/share/bash-completion/completions/ipcfs"

mkdir -p "$root/ipc"
cat >"$root/tmp/mounts.sh" <<'SCRIPT'
set -e
mount -t proc proc /proc
[ -c /dev/fuse ] || mknod /dev/fuse c 10 229
mount -t fuse.ipcfs ipcfs /ipc -o allow_other,nofail,_netdev
echo hello > /ipc/bcast/b
[ "$(cat /ipc/bcast/b@last=1,drain)" = hello ]
umount /ipc
echo 'ipcfs /ipc fuse.ipcfs allow_other,rw,nofail,_netdev,noauto,user,x-systemd.automount 0 0' >> /etc/fstab
mount /ipc
[ "$(head -c5 /ipc/README)" = ipcfs ]
umount /ipc
if mount -t fuse.ipcfs ipcfs /ipc -o nonsense 2>/tmp/refused; then exit 1; fi
grep -q 'ipcfs: -o nonsense: no such option' /tmp/refused
sed -i '/fuse.ipcfs/d' /etc/fstab
rm -f /tmp/refused /tmp/mounts.sh
umount /proc
SCRIPT
check "mount(8), fstab, umount" unshare -mpf --kill-child chroot "$root" sh /tmp/mounts.sh
rmdir "$root/ipc" 2>/dev/null || true
rm -f "$root/dev/fuse" "$root/etc/fstab.orig"
check "purge" inside apt-get purge -y -qq ipcfs
files >"$work/after"
check "nothing stays" diff <(grep -v -e '^./dev/fuse$' -e '^./etc/fstab$' "$work/before") <(grep -v '^./etc/fstab$' "$work/after")
exit $failed

#!/usr/bin/env bash
# Both units under a real systemd: one that serves a user, in namespaces of its own. It needs root, systemd and a writable cgroup.
# IPCFS is the program (build/ipcfs).
set -u
cd "$(dirname "$0")/.." || exit 1
IPCFS=${IPCFS:-$PWD/build/ipcfs}

skip() {
	echo "units: skipped: $1" >&2
	exit 0
}

manager=/lib/systemd/systemd
cgroup=/sys/fs/cgroup/systemd
[ -d $cgroup ] || cgroup=/sys/fs/cgroup
[ "$(id -u)" = 0 ] || skip 'only root can make the namespaces'
[ -x $manager ] || skip 'systemd is missing'
command -v systemctl >/dev/null || skip 'systemctl is missing'
if [ -z "${IPCFS_UNITS-}" ]; then
	own=$cgroup/ipcfs-units-$$
	mkdir "$own" 2>/dev/null || skip "no cgroup can be made in $cgroup"
	trap 'rmdir "$own"' EXIT
	IPCFS_UNITS=1 OWN=$own unshare -imp --fork --kill-child --mount-proc bash "$0"
	exit $?
fi
echo 0 >"$OWN/cgroup.procs" || skip 'the cgroup cannot be entered'
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /dev/shm
export XDG_RUNTIME_DIR=/run/user/0 HOME=/run/home
units=$HOME/.config/systemd/user
# systemctl looks there for whether systemd runs at all.
mkdir -p "$units" /run/user/0 /run/systemd/system
chmod 700 /run/user/0
$manager --user >/run/log 2>&1 &
for ((i = 0; i < 100; i++)); do
	[ -S /run/user/0/systemd/private ] && break
	sleep 0.1
done
[ -S /run/user/0/systemd/private ] || skip "systemd does not run here: $(tail -n1 /run/log)"

passed=0
failed=0

ctl() { timeout 60 systemctl --user --no-pager "$@"; }
of() { ctl show -p "$1" --value ipcfs; }

check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@" >/run/out 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "units: $unit: $what: FAILED: $(cat /run/out)" >&2
		ctl status ipcfs >&2
	fi
}

answers() { [ "$(head -c5 "$where/README")" = ipcfs ]; }
another() { # PID: it is another process now, and the mount answers
	for ((i = 0; i < 200; i++)); do
		[ "$(of ActiveState):$(of MainPID)" != "active:$1" ] && [ "$(of ActiveState)" = active ] && answers && return
		sleep 0.1
	done
	return 1
}
same() { [ "$(of MainPID)" = "$1" ] && answers; }
told() { [ "$(of "$1")" = "$2" ]; }
gone() { [ ! -e "$where" ]; }

try_unit() { # UNIT WHERE: from start to end
	unit=$1
	where=$2
	sed -e "s|@bindir@/ipcfs|$IPCFS|" -e 's/^WatchdogSec=.*/WatchdogSec=5s/' "$unit" >"$units/ipcfs.service"
	ctl daemon-reload
	check 'starts' ctl start ipcfs
	check 'answers when it has started' answers
	check 'tells where it is mounted' told StatusText "Mounted at $where"
	pid=$(of MainPID)
	kill -HUP "$pid"
	check 'goes on after SIGHUP' same "$pid"
	kill -KILL "$pid"
	check 'is started again over the dead mount' another "$pid"
	pid=$(of MainPID)
	kill -STOP "$pid"
	check 'is started again when it hangs' another "$pid"
	check 'stops' ctl stop ipcfs
	check 'ends in success' told Result success
	check 'leaves nothing' gone
	ctl reset-failed ipcfs 2>/dev/null
}

try_unit fs/systemd/user/ipcfs.service /run/user/0/ipc
try_unit fs/systemd/ipcfs.service /run/ipc
echo "units: $passed passed, $failed failed"
[ "$failed" = 0 ]

"""README.md is true: every ```console block is typed into one bash, and prints what stands there.

usage: tests/readme.py [FILE]   IPCFS is the program (build/ipcfs).
What differs from run to run is compared by its shape: times, process numbers, the mount point, counts of shared work.
A block behind a line <!-- not run: REASON --> is skipped.
"""
import os
import re
import subprocess
import sys
import tempfile

ALIKE = [
    (r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d{4}", "WHEN"),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"\bpid[:= ]\d+", "PID"),
    (r"since:[\d.]+s", "SINCE"),
    (r"\b(in|out)_(messages|bytes)=\d+", r"\1_\2=N"),
    (r"bash: line \d+: ", "bash: "),
    (r"^\d{3,4}$", "A SHARE"),
]


def blocks(path):
    """(line number, commands, expected output) of each block that is to be run."""
    command, expected, start, skip, before = [], [], 0, False, ""
    for number, line in enumerate(open(path), 1):
        line = line.rstrip("\n")
        if not start:
            if line == "```console":
                start, skip, command, expected = number, before.startswith("<!-- not run:"), [], []
            before = line or before
        elif line == "```":
            if not skip:
                yield start, command, expected
            start = 0
        elif line.startswith("$ ") or line.startswith("> "):
            command.append(line[2:])
        else:
            expected.append(line)


def alike(lines, mount):
    """The lines by their shape, in order: what runs in the background may print at any time."""
    out = []
    # bash says what was killed: its command, which may be several lines.
    text = re.sub(r"(?m)^.*\d+ Killed .*$(\n(    |done|\)).*$)*", "Killed", "\n".join(lines))
    for line in text.split("\n"):
        line = line.replace(mount, "/run/ipc")
        for pattern, instead in ALIKE:
            line = re.sub(pattern, instead, line)
        out.append(line)
    return sorted(out)


def leave_nothing(directory):
    """Ends what a block has started in its directory and did not come to end: mounts, and a Redis."""
    for line in open("/proc/self/mounts"):
        where = line.split()[1]
        if where.startswith(directory):
            subprocess.run(["fusermount3", "-u", "-z", where], check=False)
    redis = os.path.join(directory, "redis")
    if os.path.exists(redis):
        subprocess.run(["redis-cli", "-s", redis, "shutdown", "nosave"], check=False)


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../README.md")
    program = os.environ.get("IPCFS", os.path.abspath("build/ipcfs"))
    failed = run = 0
    with tempfile.TemporaryDirectory() as directory:
        mount = os.path.join(directory, "ipc")
        # Where no mount point is given, ipcfs takes the runtime directory: here it is one that nobody else uses.
        os.mkdir(os.path.join(directory, "build"))
        wrapper = os.path.join(directory, "build/ipcfs")
        with open(wrapper, "w") as out:
            out.write(f"#!/bin/sh\n[ $# = 0 ] || exec '{program}' \"$@\"\nmkdir '{mount}' && '{program}' '{mount}' >/dev/null && echo '{mount}'\n")
        os.chmod(wrapper, 0o755)
        shell = subprocess.Popen(["bash"], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        try:
            for start, command, expected in blocks(path):
                shell.stdin.write("\n".join(command) + "\nsleep 0.1; echo '=== end'\n")
                shell.stdin.flush()
                printed = []
                while (line := shell.stdout.readline()) and line != "=== end\n":
                    printed.append(line.rstrip("\n"))
                run += 1
                if alike(printed, mount) != alike(expected, mount):
                    failed += 1
                    print(f"{path}:{start}: expected\n" + "\n".join(expected) + "\nprinted\n" + "\n".join(printed))
        finally:
            shell.kill()
            leave_nothing(directory)
    print(f"readme: {run - failed} blocks of {run} print what stands there")
    return failed != 0


# The blocks use names that are the whole system's, so they get a system of their own.
if os.geteuid():
    print("readme: skipped: only root can make the namespaces")
elif "IPCFS_ALONE" not in os.environ:
    os.environ["IPCFS_ALONE"] = "1"
    alone = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
    os.execvp("unshare", ["unshare", "-im", "sh", "-c", alone, "sh", sys.executable, "-B"] + sys.argv)
else:
    sys.exit(main())

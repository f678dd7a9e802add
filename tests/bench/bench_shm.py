"""Shared memory: M/shm against /dev/shm. Both are the kernel's own."""

import os
import subprocess

from sampling import Skip

# In a mount namespace, whose /dev/shm is empty.
INSIDE = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$@"', "inside"]

TITLE = "shm: the kernel's own path"


def run(bench):
    mount = bench.mount()
    name = f"ipcfs-bench-{os.getpid()}"
    bench.shms += [f"{name}-a", f"{name}-b"]
    paths = {"/dev/shm": f"/dev/shm/{name}-a", "ipcfs": f"{mount.path}/shm/{name}-b"}
    for mode, text, unit in (
        ("read", "read of 64 KiB", "MB/s"),
        ("write", "write of 64 KiB", "MB/s"),
        ("copy", "memcpy from a mapping", "MB/s"),
        ("line", "cache line to and fro", "ns"),
    ):
        bench.attempt(f"shm {mode}", lambda m=mode, t=text, u=unit: compare(bench, paths, m, t, u))
    bench.attempt("shm in a container", lambda: container(bench, mount, name))
    bench.unmount(mount)


def container(bench, mount, name):
    """From another mount namespace the object is a file of the mount, which the kernel serves from it."""
    probe = f"{mount.path}/shm/{name}-c"
    bench.shms.append(f"{name}-c")
    with open(probe, "w", encoding="ascii") as file:
        file.write("probe")
    if subprocess.run([*INSIDE, "cat", probe], capture_output=True, check=False).stdout != b"probe":
        raise Skip("shared memory in a container takes root, unshare(1) and Linux 6.9")
    paths = {"/dev/shm": f"/dev/shm/{name}-a", "ipcfs": probe}
    for mode, text, unit in (
        ("read", "read of 64 KiB, from a container", "MB/s"),
        ("write", "write of 64 KiB, from a container", "MB/s"),
        ("copy", "memcpy from a mapping, from a container", "MB/s"),
    ):
        compare(bench, paths, mode, text, unit, INSIDE, 0.97 if mode == "copy" else 0.9)


def compare(bench, paths, mode, text, unit, inside=(), floor=0.97):
    def side(path, command):
        return lambda n: bench.sampler.program("memory", mode, path, n, inside=command)

    sides = {name: side(path, inside if name == "ipcfs" else ()) for name, path in paths.items()}
    results, ratio = bench.sampler.sample(sides, count=1000)
    goal = ("<=", 1.03) if unit == "ns" else (">=", floor)
    bench.report.compared(f"shm, {text}", unit, results, "ipcfs", "/dev/shm", ratio("ipcfs", "/dev/shm"), goal)

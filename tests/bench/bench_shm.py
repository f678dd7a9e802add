"""Shared memory: M/shm against /dev/shm. Both are the kernel's own."""

import os

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
    bench.unmount(mount)


def compare(bench, paths, mode, text, unit):
    sides = {name: lambda n, at=path: bench.sampler.program("memory", mode, at, n) for name, path in paths.items()}
    results, ratio = bench.sampler.sample(sides, count=1000)
    goal = ("<=", 1.03) if unit == "ns" else (">=", 0.97)
    bench.report.compared(f"shm, {text}", unit, results, "ipcfs", "/dev/shm", ratio("ipcfs", "/dev/shm"), goal)

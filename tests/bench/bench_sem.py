"""Semaphores against a file system that does nothing and against flock(1), and signals against kill(2)."""

import os

from bench_shell import loop, need

TITLE = "sem and sig: a permit, a lock, a signal"

LOOP = "null FS, our loop"


def run(bench):
    mount, null = bench.mount(), bench.mount_null("loop")
    name = f"ipcfs-bench-{os.getpid()}"
    bench.shms += [f"sem.{name}", f"sem.{name}-lock"]
    for file in (name, f"{name}-lock@value=1"):
        bench.touch(f"{mount.path}/sem/{file}")
    goal = ("<=", 1.15)
    for verb, text, most in (("post", "post", goal), ("wait", "wait", goal), ("take", "open, wait, close", None)):
        bench.attempt(f"sem {text}", lambda v=verb, t=text, g=most: permits(bench, mount, null, name, v, t, g))
    bench.attempt("@hold", lambda: hold(bench, mount, f"{name}-lock"))
    bench.attempt("sig", lambda: signals(bench, mount))
    for each in (mount, null):
        bench.unmount(each)


def permits(bench, mount, null, name, verb, text, goal):
    program = bench.sampler.program
    sides = {
        LOOP: lambda n: program("permits", verb, f"{null.path}/a", n),
        "ipcfs": lambda n: program("permits", verb, f"{mount.path}/sem/{name}", n, f"/{name}"),
    }
    results, ratio = bench.sampler.sample(sides, count=200)
    bench.report.compared(f"sem, {text}", "ns", results, "ipcfs", LOOP, ratio("ipcfs", LOOP), goal)


def hold(bench, mount, name):
    need("flock")
    lock = f"{bench.tmp}/lock"
    sides = {
        "ipcfs": lambda n: loop(bench, n, 'exec 9< "$2"; exec 9<&-', f"{mount.path}/sem/{name}@hold"),
        "flock 9, a tmpfs file": lambda n: loop(bench, n, 'exec 9> "$2"; flock 9; exec 9>&-', lock),
    }
    results, ratio = bench.sampler.sample(sides, count=20)
    other = "flock 9, a tmpfs file"
    bench.report.compared("exec 9<M/sem/x@hold; exec 9<&-", "turns/s", results, "ipcfs", other, ratio("ipcfs", other), (">=", 1.0))


def signals(bench, mount):
    program = bench.sampler.program
    sides = {
        "ipcfs": lambda n: program("permits", "signal", f"{mount.path}/sig", n),
        "kill(2)": lambda n: program("permits", "kill", "-", n),
    }
    results, ratio = bench.sampler.sample(sides, count=200)
    bench.report.compared("sig, RTMIN to oneself", "ns", results, "ipcfs", "kill(2)", ratio("ipcfs", "kill(2)"))

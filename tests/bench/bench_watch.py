"""Watching: what a channel costs while nobody looks, somebody reads events or a tap, and somebody has stopped reading."""

import os
import signal
import subprocess
import time

from bench_shell import loop

TITLE = "watching: events and tap"

NOBODY, READS, STOPPED = "nobody watches", "somebody reads", "who reads is stopped"


def run(bench):
    name = f"ipcfs-bench-{os.getpid()}"
    bench.shms.append(f"sem.{name}")
    mounts = {side: bench.mount() for side in (NOBODY, READS, STOPPED)}
    bench.touch(f"{mounts[NOBODY].path}/sem/{name}")
    for mount in mounts.values():
        bench.touch(f"{mount.path}/bcast/b")
    bench.attempt("events", lambda: events(bench, mounts, name))
    bench.attempt("tap", lambda: tap(bench, mounts))
    for mount in mounts.values():
        bench.unmount(mount)


def watch(path, stop):
    child = subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    if stop:
        child.send_signal(signal.SIGSTOP)
    return child


def compare(bench, mounts, text, file, sides, unit):
    children = [watch(f"{mounts[side].path}/{file}", side == STOPPED) for side in (READS, STOPPED)]
    try:
        results, ratio = bench.sampler.sample(sides, count=20)
        for side in (READS, STOPPED):
            bench.report.compared(f"{text}, {side}", unit, results, side, NOBODY, ratio(side, NOBODY), None)
    finally:
        for child in children:
            child.kill()
            child.wait()


def events(bench, mounts, name):
    program = bench.sampler.program
    sides = {
        side: lambda n, m=mount: program("permits", "take", f"{m.path}/sem/{name}", n, f"/{name}")
        for side, mount in mounts.items()
    }
    compare(bench, mounts, "open, wait, close", "events", sides, "ns")


def tap(bench, mounts):
    sides = {
        side: lambda n, m=mount: loop(bench, n, 'echo x > "$2"', f"{m.path}/bcast/b") for side, mount in mounts.items()
    }
    compare(bench, mounts, "echo x > M/bcast/b, tapped", "bcast/b@tap,lines,meta", sides, "turns/s")

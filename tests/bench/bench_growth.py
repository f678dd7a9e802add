"""Growth: does an operation cost more when there are more channels, more who wait, more who ask at once?

Each population has a mount of its own, so that all are sampled in turn.
"""

import os
import resource
import subprocess
import time

TITLE = "growth: a 64-byte write to a queue, and an open, a write and a close of one"


def run(bench):
    queue, base, maxmsg = bench.queue("g", 1000)
    sizes = (1, 100, 10000)
    bench.attempt("clients", lambda: clients(bench, queue, base, maxmsg))
    bench.attempt("channels", lambda: channels(bench, queue, base, maxmsg, sizes))
    bench.attempt("parked readers", lambda: parked(bench, queue, base, maxmsg, (0, *sizes[1:])))


def cost(bench, mount, queue, base, maxmsg, *options):
    return lambda n: bench.sampler.program(
        "writes", "-b", maxmsg, "-q", queue, "-n", n, *options, f"{mount.path}/mq/{base}"
    )


def clients(bench, queue, base, maxmsg):
    mount = bench.mount()
    counts = (1, 2, 4, 8, 16) if maxmsg >= 16 else (1, 2, 4, 8)
    sides = {n: cost(bench, mount, queue, base, maxmsg, "-c", n) for n in counts}
    results, ratio = bench.sampler.sample(sides, count=500)
    bench.report.grew("mq write, of all clients", "clients", "ns", results, ratio)
    bench.unmount(mount)


def both(bench, mounts, queue, base, maxmsg, axis):
    for what, options, count in (("mq write", (), 500), ("mq open, write, close", ("-o",), 200)):
        sides = {x: cost(bench, mount, queue, base, maxmsg, *options) for x, mount in mounts.items()}
        results, ratio = bench.sampler.sample(sides, count=count)
        bench.report.grew(what, axis, "ns", results, ratio)


def channels(bench, queue, base, maxmsg, sizes):
    mounts = {}
    for size in sizes:
        mounts[size] = bench.mount()
        for i in range(size - 1):
            os.mkfifo(f"{mounts[size].path}/pipe/channel-{i}")
    both(bench, mounts, queue, base, maxmsg, "channels")
    kb = mounts[sizes[-1]].memory_kb() - mounts[sizes[0]].memory_kb()
    bench.report.measured("memory of a channel (FIFO)", "bytes", max(0, kb) * 1024 / sizes[-1])
    for mount in mounts.values():
        bench.unmount(mount)


def parked(bench, queue, base, maxmsg, sizes):
    """Readers wait on another queue, each with an open file of its own."""
    _, empty, _ = bench.queue("p", 10)
    # The daemon has a descriptor for each open file, and inherits our limit.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    mounts, readers, memory = {}, [], {}
    for size in sizes:
        mount = bench.mount()
        before = mount.memory_kb()
        got = 0
        if size:
            reader = bench.spawn(
                [f"{bench.programs}/parked", f"{mount.path}/mq/{empty}", str(size)], stdout=subprocess.PIPE
            )
            readers.append(reader)
            line = reader.stdout.readline()
            if not line:
                raise RuntimeError(f"{size} readers cannot be started")
            got = int(line)
            await_parked(bench, f"{mount.path}/mq/{empty}@ctl", got)
            memory[got] = (mount.memory_kb() - before) * 1024 / got
        mounts[got] = mount
    both(bench, mounts, queue, base, maxmsg, "parked readers")
    for count, each in memory.items():
        bench.report.measured(f"memory of a parked reader, of {count:,}", "bytes", each)
    for reader in readers:
        bench.end(reader)
        reader.stdout.close()
    for mount in mounts.values():
        bench.unmount(mount)


def await_parked(bench, path, count):
    deadline = time.monotonic() + bench.sampler.patience
    while True:
        with open(path, encoding="ascii", errors="replace") as ctl:
            if f"waiters={count}\n" in ctl.read():
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{count} readers do not get to wait")
        time.sleep(0.1)

"""Growth: does an operation cost more when there are more channels, more who wait, more who ask at once?

Each population has a mount of its own, so that all are sampled in turn. What a channel or one who waits costs in memory is
measured too, and what is left of it when they have gone.
"""

import errno
import os
import resource
import shutil
import stat
import subprocess
import time

from sampling import Skip, WrongData

TITLE = "growth: a 64-byte write to a queue, and an open, a write and a close of one"

TMPFS = "tmpfs"
LOOKED_UP = "the kernel looks each answer up among the requests that wait, which are in 256 lists"
MANY = "max_channels=1000000,max_handles=1000000,max_parked=1000000"  # of one user


def run(bench):
    queue, base, maxmsg = bench.queue("g", 1000)
    sizes = (1, 100, 10000) if bench.quick else (1, 100, 10000, 100000)
    bench.attempt("clients", lambda: clients(bench, queue, base, maxmsg))
    bench.attempt("channels", lambda: channels(bench, queue, base, maxmsg, sizes))
    most = min(5000 if bench.quick else 20000, raise_files() - 200)
    bench.attempt("parked readers", lambda: parked(bench, queue, base, maxmsg, (0, 100, most)))
    bench.remove_queues()
    bench.attempt("queues", lambda: queues(bench, 100 if bench.quick or os.geteuid() else 1000))
    bench.attempt("bcast readers", lambda: listeners(bench, 1000))


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


def both(bench, mounts, queue, base, maxmsg, axis, why=""):
    for what, options, count in (("mq write", (), 500), ("mq open, write, close", ("-o",), 200)):
        sides = {x: cost(bench, mount, queue, base, maxmsg, *options) for x, mount in mounts.items()}
        results, ratio = bench.sampler.sample(sides, count=count)
        bench.report.grew(what, axis, "ns", results, ratio, why)


def left_of(mount, before, most):
    """Kilobytes that are in use beyond those of before, once they do not become less, or are fewer than `most`."""
    deadline = time.monotonic() + 5
    while mount.memory_kb() - before > most and time.monotonic() < deadline:
        time.sleep(0.1)
    return max(0, mount.memory_kb() - before)


def channels(bench, queue, base, maxmsg, sizes):
    mounts, empty = {}, {}
    for size in sizes:
        mounts[size] = bench.mount("-o", MANY if os.geteuid() else f"{MANY},allow_other")
        os.stat(f"{mounts[size].path}/pipe")
        empty[size] = mounts[size].memory_kb()
        for i in range(size - 1):
            os.mkfifo(f"{mounts[size].path}/pipe/channel-{i}")
    both(bench, mounts, queue, base, maxmsg, "channels")
    most = sizes[-1]
    used = mounts[most].memory_kb() - empty[most]
    bench.report.measured("memory of a channel (FIFO)", "bytes", max(0, used) * 1024 / most, note=f"of {most:,}")
    listings(bench, {size: mounts[size] for size in sizes[1:]})
    bench.attempt("beside a listing", lambda: beside(bench, mounts[most], most))
    for i in range(most - 1):
        os.unlink(f"{mounts[most].path}/pipe/channel-{i}")
    left = left_of(mounts[most], empty[most], used / 10)
    bench.report.measured(
        f"memory left of {most:,} channels", "%", 100 * left / max(1, used), note=f"of {used:,} KiB"
    )
    for mount in mounts.values():
        bench.unmount(mount)


def listings(bench, mounts):
    """What a name costs in a listing of all, against a directory with as many FIFOs."""
    native = f"{bench.tmp}/names"
    most = max(mounts)
    os.mkdir(native)
    for i in range(most - 1):
        os.mknod(f"{native}/channel-{i}", stat.S_IFIFO | 0o600)

    def listed(path, names):
        begin = time.perf_counter()
        with os.scandir(path) as entries:
            found = sum(1 for _ in entries)
        took = time.perf_counter() - begin
        if found != names - 1:
            raise WrongData(f"a listing of {names - 1} names has {found}")
        return took * 1e9 / found

    sides = {size: lambda _, at=mount, n=size: listed(f"{at.path}/pipe", n) for size, mount in mounts.items()}
    sides[TMPFS] = lambda _: listed(native, most)
    results, ratio = bench.sampler.sample(sides, repetitions=5)
    shutil.rmtree(native)
    theirs = results.pop(TMPFS)
    bench.report.grew("listing, a name", "names", "ns", results, ratio)
    bench.report.compared(
        f"listing of {most:,}, a name", "ns", {"ipcfs": results[most], TMPFS: theirs}, "ipcfs", TMPFS, ratio(most, TMPFS)
    )


def beside(bench, mount, most):
    """How long another user's write takes at worst, but for one in a thousand, while all names are read over and over."""
    reads = {"nobody reads": (), "a listing": ("pipe",), "status": ("status",), "status@json": ("status@json",)}
    sides = {
        what: lambda _, read=read: bench.sampler.program("beside", mount.path, "bcast/beside", 3000, *read) / 1000
        for what, read in reads.items()
    }
    results, _ = bench.sampler.sample(sides, repetitions=3 if bench.quick else 7)
    os.unlink(f"{mount.path}/bcast/beside")
    for what, took in results.items():
        bench.report.measured(f"write, p99.9, beside {what}", "us", took, note=f"of {most:,} names")


def raise_files():
    """The daemon has a descriptor for each open file, and inherits our limit. Returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def park(bench, mount, channel, count):
    """Has so many readers wait for a channel, each with an open file of its own: the process, and how many they are."""
    reader = bench.spawn([f"{bench.programs}/parked", f"{mount.path}/{channel}", str(count)], stdout=subprocess.PIPE)
    line = reader.stdout.readline()
    if not line:
        raise RuntimeError(f"{count} readers cannot be started")
    await_parked(bench, f"{mount.path}/{channel}@ctl", int(line))
    return reader, int(line)


def unpark(bench, reader):
    bench.end(reader)
    reader.stdout.close()


def report_memory(bench, mount, what, count, before, used):
    """Of those that were there, and have gone."""
    bench.report.measured(f"memory of a {what}, of {count:,}", "bytes", used * 1024 / count)
    left = left_of(mount, before, used / 10)
    bench.report.measured(
        f"memory left of {count:,} {what}s", "%", 100 * left / max(1, used), note=f"of {used:,} KiB"
    )


def parked(bench, queue, base, maxmsg, sizes):
    """Readers wait on another queue."""
    _, empty, _ = bench.queue("p", 10)
    mounts, readers = {}, {}
    for size in sizes:
        mount = bench.mount("-o", MANY)
        os.stat(f"{mount.path}/mq/{empty}")
        before = mount.memory_kb()
        got = 0
        if size:
            reader, got = park(bench, mount, f"mq/{empty}", size)
            readers[got] = (reader, before, mount.memory_kb() - before)
        mounts[got] = mount
    both(bench, mounts, queue, base, maxmsg, "parked readers", LOOKED_UP)
    most = max(readers)
    for count, (reader, before, used) in readers.items():
        unpark(bench, reader)
        # Of a few it is lost among the buffers of the first use.
        if count == most:
            report_memory(bench, mounts[count], "parked reader", count, before, used)
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


def queues(bench, most):
    """So many queues, each written to by a thread of its own, all at once; the native equal has as many threads."""
    mount = bench.mount()
    name = f"ipcfs-bench-{os.getpid()}-q"

    def written(count, *where):
        def side(n):
            try:
                return bench.sampler.program("queues", name, count, max(1, n // count), *where)
            except RuntimeError as why:
                if os.strerror(errno.EMFILE) in str(why):
                    raise Skip("RLIMIT_MSGQUEUE, which all queues of a user share, has no room for so many") from why
                raise

        return side

    sides = {count: written(count, f"{mount.path}/mq") for count in (1, 10, 100, 1000) if count <= most}
    sides["mq_send"] = written(most)
    sides[most](most)  # the buffers of the first use are not what queues take
    before = mount.memory_kb()
    results, ratio = bench.sampler.sample(sides, count=1000, most=20000, repetitions=5 if bench.quick else 9)
    theirs = results.pop("mq_send")
    bench.report.grew("mq write, each to a queue of its own", "queues", "ns", results, ratio)
    bench.report.compared(
        f"mq write, {most:,} queues at once",
        "ns",
        {"ipcfs": results[most], "mq_send": theirs},
        "ipcfs",
        "mq_send",
        ratio(most, "mq_send"),
    )
    used = max(0, mount.memory_kb() - before)
    bench.report.measured(f"memory kept after {most:,} queues", "bytes", used * 1024 / most, note=f"a queue, {used:,} KiB")
    bench.unmount(mount)


def listeners(bench, count):
    """The readers of a broadcast who wait; what a message costs them is in the section bcast."""
    mount = bench.mount("-o", MANY)
    channel = "bcast/many"
    bench.touch(f"{mount.path}/{channel}")
    before = mount.memory_kb()
    reader, got = park(bench, mount, channel, count)
    used = mount.memory_kb() - before
    unpark(bench, reader)
    report_memory(bench, mount, "broadcast's reader", got, before, used)
    bench.unmount(mount)

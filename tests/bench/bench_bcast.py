"""Broadcasts: one write for all readers, against a pipe and a write for each of them."""

import filecmp
import time

from sampling import WrongData

TITLE = "bcast: 64-byte messages, the cost of a message and reader"

PIPES = "a pipe for each reader"
CATS = "cat | cat for each reader"


def run(bench):
    mount = bench.mount()
    for readers in (1, 10, 100, 1000):
        bench.attempt(f"bcast, {readers} readers", lambda n=readers: cast(bench, mount, n))
    for readers, goal in ((1, 3), (10, 0.5)):
        bench.attempt(f"bcast by cat, {readers} readers", lambda n=readers, at_most=goal: cats(bench, mount, n, at_most))
    bench.unmount(mount)


def readers_of(channel):
    with open(f"{channel}@ctl", encoding="ascii") as ctl:
        return int(dict(line.strip().split("=", 1) for line in ctl)["readers"])


def seconds_to_the_end(bench, begin, children, source, results):
    """Since begin, until all children have ended; and what the readers among them wrote is the source."""
    for child in children:
        bench.reap(child)
    spent = time.perf_counter() - begin
    for got in results:
        if not filecmp.cmp(source, got, shallow=False):
            raise WrongData("the lines that came are not those that went")
    return spent


def cats(bench, mount, readers, at_most):
    """
    A file of lines of 64 bytes by cat, to cats; against the program that writes each line to a pipe for each reader, and against a cat
    for each reader that gives the file to another one by a pipe, 128 KiB at a time.
    """
    count = 20000 if bench.quick else 200000
    channel, source = f"{mount.path}/bcast/cat{readers}", f"{bench.tmp}/lines"
    results = [f"{bench.tmp}/got{i}" for i in range(readers)]
    bench.touch(channel)
    with open(f"{channel}@ctl", "w", encoding="ascii") as ctl:
        ctl.write("buffer=64M\n")
    with open(source, "w", encoding="ascii") as out:
        out.writelines(f"{i:>63}\n" for i in range(count))

    def timed(begin, children):
        return seconds_to_the_end(bench, begin, children, source, results) * 1e9 / count / readers

    def reading(command, got):
        with open(got, "wb") as out:
            return bench.spawn(command, stdout=out)

    def mediated(_):
        children = [reading(["cat", f"{channel}@lines,n={count}"], got) for got in results]
        while readers_of(channel) < readers:
            time.sleep(0.001)
        begin = time.perf_counter()
        return timed(begin, children + [bench.spawn(["sh", "-c", 'exec cat "$0" >"$1"', source, f"{channel}@lines"])])

    def piped(_):
        begin = time.perf_counter()
        return timed(begin, [reading(["sh", "-c", 'cat "$0" | cat', source], got) for got in results])

    lines = 2000 if bench.quick else 20000
    sides = {"ipcfs": mediated, PIPES: lambda _: bench.sampler.program("cast", readers, lines), CATS: piped}
    figures, ratio = bench.sampler.sample(sides, repetitions=5 if bench.quick else 9)
    what = f"bcast @lines by cat, {readers} reader{'s' if readers > 1 else ''}"
    bench.report.compared(what, "ns", figures, "ipcfs", PIPES, ratio("ipcfs", PIPES), ("<=", at_most))
    bench.report.compared(what, "ns", figures, "ipcfs", CATS, ratio("ipcfs", CATS))


def cast(bench, mount, readers):
    program, channel = bench.sampler.program, f"{mount.path}/bcast/{readers}"
    bench.touch(channel)
    # Nobody shall miss anything here: room for 262,144 messages.
    with open(f"{channel}@ctl", "w", encoding="ascii") as ctl:
        ctl.write("buffer=16M\n")
    sides = {
        "ipcfs": lambda n: program("cast", readers, n, channel, channel),
        "batch": lambda n: program("cast", readers, n, f"{channel}@lines", f"{channel}@lines,batch"),
        PIPES: lambda n: program("cast", readers, n),
    }
    repetitions = (15, 5) if readers < 100 else (15, 3) if readers < 1000 else (7, 3)
    results, ratio = bench.sampler.sample(
        sides, count=500 if readers < 100 else 50, most=200000, repetitions=repetitions[bench.quick]
    )
    what = f"bcast, {readers} reader{'s' if readers > 1 else ''}"
    bench.report.compared(what, "ns", results, "ipcfs", PIPES, ratio("ipcfs", PIPES))
    bench.report.compared(f"{what}, @lines,batch", "ns", results, "batch", PIPES, ratio("batch", PIPES))

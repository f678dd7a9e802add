"""The native face, NAME@fifo, beside the ordinary one and beside the kernel's own pipes and calls."""

import filecmp
import os
import time

from sampling import WrongData

TITLE = "@fifo: the channel as a pipe of the opener's own"

CALLS, PIPES, FIFOS = "mq_send to mq_receive in C", "a pipe for each reader", "a pair of FIFOs"


def run(bench):
    mount = bench.mount()
    bench.attempt("lines", lambda: lines(bench, mount))
    bench.attempt("round trip", lambda: roundtrip(bench, mount))
    for readers in (1, 10, 100):
        bench.attempt(f"bcast, {readers} readers", lambda n=readers: cast(bench, mount, n))
    bench.unmount(mount)


def lines(bench, mount):
    """A file of lines from cat to cat through a queue of the kernel's usual maxmsg."""
    source, got = f"{bench.tmp}/lines", f"{bench.tmp}/got"
    queue, base, _ = bench.queue("f", 10)
    tool = f"{bench.programs}/queue"
    count = 100000 if bench.quick else 1000000
    with open(source, "w", encoding="ascii") as out:
        out.writelines(f"line number {i} of the file\n" for i in range(count))

    def timed(sender, receiver):
        begin = time.perf_counter()
        with open(got, "wb") as out:
            reading = bench.spawn(receiver, stdout=out)
        with open(source, "rb") as text:
            writing = bench.spawn(sender, stdin=text)
        bench.reap(writing)
        bench.reap(reading)
        rate = count / (time.perf_counter() - begin)
        if not filecmp.cmp(source, got, shallow=False):
            raise WrongData("the lines that came are not those that went")
        os.unlink(got)
        return rate

    def mediated(face):
        to = ["sh", "-c", 'exec cat > "$1"', "sh", f"{mount.path}/mq/{base}@{face}"]
        return lambda _: timed(to, ["cat", f"{mount.path}/mq/{base}@{face},batch,n={count}"])

    sides = {
        CALLS: lambda _: timed([tool, "send", queue], [tool, "receive", queue, str(count)]),
        "@lines": mediated("lines"),
        "@fifo": mediated("fifo"),
    }
    results, ratio = bench.sampler.sample(sides, repetitions=5 if bench.quick else 9)
    for reference in (CALLS, "@lines"):
        bench.report.compared("mq @fifo to @fifo,batch by cat", "msg/s", results, "@fifo", reference, ratio("@fifo", reference))
    os.unlink(source)


def roundtrip(bench, mount):
    fifos = [f"{bench.tmp}/to", f"{bench.tmp}/fro"]
    names = [f"{mount.path}/sock/to", f"{mount.path}/sock/fro"]
    for fifo in fifos:
        os.mkfifo(fifo)
    for name in names:
        bench.touch(name)

    def over(there, back):
        return lambda n: bench.sampler.program("roundtrip", n, there, there, back, back)

    sides = {"@fifo": over(*(f"{name}@fifo" for name in names)), FIFOS: over(*fifos)}
    results, ratio = bench.sampler.sample(sides, count=500)
    bench.report.compared("64 bytes to and fro by sock @fifo", "ns", results, "@fifo", FIFOS, ratio("@fifo", FIFOS))
    for fifo in fifos:
        os.unlink(fifo)


def cast(bench, mount, readers):
    program, channel = bench.sampler.program, f"{mount.path}/bcast/fifo{readers}"
    bench.touch(channel)
    # Nobody shall miss anything here: room for 262,144 messages.
    with open(f"{channel}@ctl", "w", encoding="ascii") as ctl:
        ctl.write("buffer=16M\n")
    sides = {
        "@fifo": lambda n: program("cast", readers, n, f"{channel}@fifo", f"{channel}@fifo"),
        PIPES: lambda n: program("cast", readers, n),
    }
    quick = 3 if readers == 100 else 5
    results, ratio = bench.sampler.sample(
        sides, count=500 if readers < 100 else 50, most=200000, repetitions=quick if bench.quick else 15
    )
    what = f"bcast @fifo, {readers} reader{'s' if readers > 1 else ''}"
    bench.report.compared(what, "ns", results, "@fifo", PIPES, ratio("@fifo", PIPES), ("<=", 2))

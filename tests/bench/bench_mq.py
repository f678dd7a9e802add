"""Message queues, and the floors below them: a system call, and a file system that does nothing."""

import filecmp
import os
import time

from sampling import WrongData

TITLE = "mq and its floors: 64-byte messages"

MT, LOOP, CALL = "null FS, libfuse's threads", "null FS, our loop", "write to /dev/null"


def run(bench):
    mount, mt, loop = bench.mount(), bench.mount_null("mt"), bench.mount_null("loop")
    queue, base, maxmsg = bench.queue("w", 1000)
    if maxmsg < 100:
        print(f"    a queue of {maxmsg} messages is all that the limits allow, so bursts are short and begin with a wake-up")
    for clients in (1, 2):
        bench.attempt(f"write, {clients} clients", lambda n=clients: writes(bench, mount, mt, loop, queue, base, maxmsg, n))
        bench.attempt("cpu_latency", lambda n=clients: drowsy_writes(bench, mt, loop, queue, base, maxmsg, n))
    bench.attempt("open, write, close", lambda: opens(bench, mount, mt, loop, queue, base, maxmsg))
    bench.attempt("lines", lambda: lines(bench, mount))
    bench.attempt("requests", lambda: requests(bench))
    for each in (mount, mt, loop):
        bench.unmount(each)


def writes(bench, mount, mt, loop, queue, base, maxmsg, clients):
    program = bench.sampler.program

    def to(*files, checked=()):
        return lambda n: program("writes", "-c", clients, "-b", maxmsg, "-n", n, *checked, *files)

    sides = {
        CALL: to("/dev/null"),
        MT: to(f"{mt.path}/a", f"{mt.path}/b"),
        LOOP: to(f"{loop.path}/a", f"{loop.path}/b"),
        "ipcfs": to(f"{mount.path}/mq/{base}", checked=("-q", queue)),
    }
    results, ratio = bench.sampler.sample(sides, count=500)
    what = f"mq write, {clients} client{'s' if clients > 1 else ''}"
    bench.report.compared(what, "ns", results, "ipcfs", MT, ratio("ipcfs", MT), ("<=", 0.75))
    bench.report.compared(what, "ns", results, "ipcfs", LOOP, ratio("ipcfs", LOOP), ("<=", 1.15))
    bench.report.compared(what, "ns", results, "ipcfs", CALL, ratio("ipcfs", CALL))


def drowsy_writes(bench, mt, loop, queue, base, maxmsg, clients):
    """The same where ipcfs lets the processors sleep meanwhile, as on other machines than small virtual ones."""
    mount, program = bench.mount("-o", "cpu_latency=any"), bench.sampler.program

    def to(*files, checked=()):
        return lambda n: program("writes", "-c", clients, "-b", maxmsg, "-n", n, *checked, *files)

    sides = {
        MT: to(f"{mt.path}/a", f"{mt.path}/b"),
        LOOP: to(f"{loop.path}/a", f"{loop.path}/b"),
        "ipcfs": to(f"{mount.path}/mq/{base}", checked=("-q", queue)),
    }
    results, ratio = bench.sampler.sample(sides, count=500)
    what = f"mq write, {clients} client{'s' if clients > 1 else ''}, cpu_latency=any"
    bench.report.compared(what, "ns", results, "ipcfs", MT, ratio("ipcfs", MT))
    bench.report.compared(what, "ns", results, "ipcfs", LOOP, ratio("ipcfs", LOOP), ("<=", 1.15))
    bench.unmount(mount)


def opens(bench, mount, mt, loop, queue, base, maxmsg):
    program = bench.sampler.program

    def to(file, *checked):
        return lambda n: program("writes", "-o", "-b", maxmsg, "-n", n, *checked, file)

    sides = {
        MT: to(f"{mt.path}/a"),
        LOOP: to(f"{loop.path}/a"),
        "ipcfs": to(f"{mount.path}/mq/{base}", "-q", queue),
    }
    results, ratio = bench.sampler.sample(sides, count=200)
    bench.report.compared("mq open, write, close", "ns", results, "ipcfs", MT, ratio("ipcfs", MT))
    bench.report.compared("mq open, write, close", "ns", results, "ipcfs", LOOP, ratio("ipcfs", LOOP))


def lines(bench, mount):
    """A file of lines from cat to cat, against two C programs; both with the kernel's usual maxmsg."""
    source, got = f"{bench.tmp}/lines", f"{bench.tmp}/got"
    queue, base, _ = bench.queue("l", 10)
    tool = f"{bench.programs}/queue"

    def timed(count, sender, receiver):
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

    def native(count):
        return lambda _: timed(count, [tool, "send", queue], [tool, "receive", queue, str(count)])

    def mediated(count, facets):
        to = ["sh", "-c", 'exec cat > "$1"', "sh", f"{mount.path}/mq/{base}@lines"]
        return lambda _: timed(count, to, ["cat", f"{mount.path}/mq/{base}@{facets},n={count}"])

    reference = "mq_send to mq_receive in C"
    for facets, count, goal in (
        ("lines,batch", 100000 if bench.quick else 1000000, (">=", 0.8)),
        ("lines", 100000 if bench.quick else 400000, (">=", 0.5)),
    ):
        with open(source, "w", encoding="ascii") as out:
            out.writelines(f"line number {i} of the file\n" for i in range(count))
        sides = {reference: native(count), "ipcfs": mediated(count, facets)}
        results, ratio = bench.sampler.sample(sides, repetitions=5 if bench.quick else 9)
        what = f"mq @lines to @{facets} by cat"
        bench.report.compared(what, "msg/s", results, "ipcfs", reference, ratio("ipcfs", reference), goal)
    os.unlink(source)


def requests(bench):
    """What the daemon is asked by `echo x > M/mq/q` in a bash loop."""
    log = f"{bench.tmp}/requests"
    queue, base, maxmsg = bench.queue("r", 1000)
    with open(log, "wb") as out:
        mount = bench.mount("-d", stderr=out)
    script = 'for ((i = 0; i < $2; i++)); do echo x > "$1"; done'
    bench.sampler.run(["bash", "-c", script, "bash", f"{mount.path}/mq/{base}", "1"])
    time.sleep(0.2)
    begin = os.path.getsize(log)
    bench.sampler.run(["bash", "-c", script, "bash", f"{mount.path}/mq/{base}", str(maxmsg - 1)])
    time.sleep(0.2)
    bench.unmount(mount)
    counts = {}
    with open(log, encoding="utf-8", errors="replace") as text:
        text.seek(begin)
        for line in text:
            if "opcode: " in line:
                name = line.partition("opcode: ")[2].split()[0]
                counts[name] = counts.get(name, 0) + 1
    if bench.sampler.program("queue", "drain", queue) != maxmsg:
        raise WrongData("messages of the loop are missing")
    each = {name: n / (maxmsg - 1) for name, n in counts.items() if name not in ("DESTROY", "FORGET", "BATCH_FORGET")}
    note = ", ".join(f"{name} {n:.3g}" for name, n in sorted(each.items()))
    # What the kernel keeps of a name and its attributes is asked for again after a second, which is far less than 0.1 a turn.
    bench.report.measured("requests of `echo x > M/mq/q`", "a turn", sum(each.values()), ("<=", 3.1), note)

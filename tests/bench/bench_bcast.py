"""Broadcasts: one write for all readers, against a pipe and a write for each of them."""

TITLE = "bcast: 64-byte messages, the cost of a message and reader"

PIPES = "a pipe for each reader"


def run(bench):
    mount = bench.mount()
    for readers in (1, 10, 100):
        bench.attempt(f"bcast, {readers} readers", lambda n=readers: cast(bench, mount, n))
    bench.unmount(mount)


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
    quick = 3 if readers == 100 else 5
    results, ratio = bench.sampler.sample(sides, count=500 if readers < 100 else 50, most=200000, repetitions=quick if bench.quick else 15)
    what = f"bcast, {readers} reader{'s' if readers > 1 else ''}"
    bench.report.compared(what, "ns", results, "ipcfs", PIPES, ratio("ipcfs", PIPES))
    bench.report.compared(f"{what}, @lines,batch", "ns", results, "batch", PIPES, ratio("batch", PIPES))

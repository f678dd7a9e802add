"""Channels in a Redis, over mounts that stand for machines, beside programs that use the same Redis themselves."""

import os
import subprocess
import time

from bench_ack import served
from bench_bcast import readers_of, seconds_to_the_end
from bench_shell import need
from sampling import Skip, WrongData

TITLE = "over Redis: mq on two mounts, bcast on four"

HIREDIS, CLI = "hiredis, pipelined LPUSH and RPOP", "redis-cli LPUSH"
TRIP, RELAYED = "hiredis LPUSH, BRPOP, there and back", "the same through a relay on each side"
WAY = "ipcfs, one way"
SUBSCRIBE = "redis-cli --pipe, redis-cli SUBSCRIBE"
# The lines that are published, up to that number; redis-cli itself would go on for ever.
SUBSCRIBER = """
mkfifo "$1" && redis-cli -s "$0" SUBSCRIBE bench-cast >"$1" &
until [ -p "$1" ]; do sleep 0.01; done
sed -n "/^line/p; /^line-number-$2-/q" <"$1"
kill $!; rm "$1"
"""
MOUNTS, READERS = 4, 10
ECHO = 'for ((i = 0; i < $1; i++)); do echo x > "$2" || exit; done'
ECHO_CLI = 'for ((i = 0; i < $1; i++)); do redis-cli -s "$2" LPUSH bench-echo x || exit; done'


def run(bench):
    need("redis-server")
    need("redis-cli")
    if not os.path.exists(f"{bench.programs}/redis_queue"):
        raise Skip("built without hiredis")
    address = f"{bench.tmp}/redis-mq"
    served(bench, ["redis-server", "--port", "0", "--unixsocket", address, "--save", "", "--dir", bench.tmp], address)
    server = bench.children.pop()  # it outlives the single comparisons
    mounts = [bench.mount("-o", f"redis={address}") for _ in range(MOUNTS)]
    try:
        for compare in (lines, trips, echoes):
            bench.attempt(compare.__name__, lambda compare=compare: compare(bench, *mounts[:2], address))
        bench.attempt("casts", lambda: casts(bench, mounts, address))
    finally:
        for mount in mounts:
            bench.unmount(mount)
        bench.children.append(server)
        bench.end(server)


def lines(bench, a, b, address):
    count = 200000 if bench.quick else 1000000
    for mount in (a, b):
        bench.touch(f"{mount.path}/mq/lines")

    def ours(_):
        begin = time.perf_counter()
        with open(f"{a.path}/mq/lines@lines", "wb") as out:
            writer = bench.spawn(["seq", str(count)], stdout=out)
        last = bench.sampler.run(["sh", "-c", f"tail -n1 < '{b.path}/mq/lines@lines,batch,n={count}'"])
        bench.reap(writer)
        if last != f"{count}\n":
            raise WrongData(f"the last line is {last!r}")
        return count / (time.perf_counter() - begin)

    sides = {HIREDIS: lambda _: bench.sampler.program("redis_queue", "lines", count, address), "ipcfs": ours}
    results, ratio = bench.sampler.sample(sides, repetitions=5)
    bench.report.compared("seq > A@lines, cat B@lines,batch", "lines/s", results, "ipcfs", HIREDIS, ratio("ipcfs", HIREDIS), (">=", 0.5))


def trips(bench, a, b, address):
    """
    A message from its write on one mount to its read on the other, beside the round trip of the C program; then ours there and back, too.
    Each way there are four wake-ups (of the writer's daemon, the Redis, the reader's daemon, the reader) where the C program has two (of the
    Redis, the reader). What that costs by itself the relays show, which do nothing but pass on commands; the rest is FUSE, and two scripts
    that Redis runs for a message.
    """
    for name in ("there", "back"):
        bench.touch(f"{a.path}/mq/{name}")
    paths = (f"{a.path}/mq/there", f"{b.path}/mq/there", f"{b.path}/mq/back", f"{a.path}/mq/back")
    sides = {
        TRIP: lambda n: bench.sampler.program("redis_queue", "trip", n, address),
        RELAYED: lambda n: bench.sampler.program("redis_queue", "relayed", n, address),
        "ipcfs": lambda n: bench.sampler.program("roundtrip", n, *paths),
        WAY: lambda n: bench.sampler.program("roundtrip", "-w", n, *paths),
    }
    results, ratio = bench.sampler.sample(sides, count=200)
    bench.report.compared("a message, write to read, 64 bytes", "ns", results, WAY, TRIP, ratio(WAY, TRIP), ("<=", 2))
    bench.report.compared("a message there and back, 64 bytes", "ns", results, "ipcfs", TRIP, ratio("ipcfs", TRIP), ("<=", 2))
    bench.report.compared("the same", "ns", results, "ipcfs", RELAYED, ratio("ipcfs", RELAYED))


def echoes(bench, a, _, address):
    count = 100

    def loop(script, where):
        begin = time.perf_counter()
        subprocess.run(["bash", "-c", script, "bash", str(count), where], stdout=subprocess.DEVNULL, check=True)
        return count / (time.perf_counter() - begin)

    sides = {CLI: lambda _: loop(ECHO_CLI, address), "ipcfs": lambda _: loop(ECHO, f"{a.path}/mq/echo")}
    results, ratio = bench.sampler.sample(sides, repetitions=5)
    bench.report.compared("echo x > M/mq/q in a loop of bash", "writes/s", results, "ipcfs", CLI, ratio("ipcfs", CLI), (">=", 20))


def casts(bench, mounts, address):
    """Lines to as many readers, from the first that is sent to the last that has come everywhere."""
    count = 10000 if bench.quick else 100000
    source, commands = f"{bench.tmp}/cast-lines", f"{bench.tmp}/cast-commands"
    results = [f"{bench.tmp}/cast-got{i}" for i in range(READERS)]
    channels = [f"{mount.path}/bcast/cast" for mount in mounts]
    bench.touch(channels[0])
    with open(f"{channels[0]}@ctl", "w", encoding="ascii") as ctl:
        ctl.write("buffer=64M\n")
    with open(source, "w", encoding="ascii") as out, open(commands, "w", encoding="ascii") as published:
        for i in range(count):
            out.write(f"line-number-{i}-of-the-file\n")
            published.write(f"PUBLISH bench-cast line-number-{i}-of-the-file\n")

    def reading(script, *args, got):
        with open(got, "wb") as out:
            return bench.spawn(["sh", "-c", script, *args], stdout=out)

    def timed(begin, children):
        return count * READERS / seconds_to_the_end(bench, begin, children, source, results)

    def ours(_):
        children = [reading('exec cat "$0"', f"{channels[i % MOUNTS]}@lines,n={count}", got=got) for i, got in enumerate(results)]
        while sum(readers_of(channel) for channel in channels) < READERS:
            time.sleep(0.001)
        begin = time.perf_counter()
        return timed(begin, [*children, bench.spawn(["sh", "-c", 'exec cat "$0" >"$1"', source, f"{channels[0]}@lines"])])

    def subscribed():
        said = subprocess.run(["redis-cli", "-s", address, "PUBSUB", "NUMSUB", "bench-cast"], capture_output=True, text=True, check=True)
        return int(said.stdout.split()[-1])

    def theirs(_):
        children = [reading(SUBSCRIBER, address, f"{got}-fifo", str(count - 1), got=got) for got in results]
        while subscribed() < READERS:
            time.sleep(0.001)
        begin = time.perf_counter()
        with open(commands, "rb") as published:
            sender = bench.spawn(["redis-cli", "-s", address, "--pipe"], stdin=published, stdout=subprocess.DEVNULL)
        return timed(begin, [*children, sender])

    sides = {SUBSCRIBE: theirs, "ipcfs": ours}
    figures, ratio = bench.sampler.sample(sides, repetitions=3 if bench.quick else 5)
    what = f"bcast @lines to {READERS} readers on {MOUNTS} mounts"
    bench.report.compared(what, "lines/s", figures, "ipcfs", SUBSCRIBE, ratio("ipcfs", SUBSCRIBE))

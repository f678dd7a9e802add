"""A queue in a Redis, over two mounts that stand for two machines, beside programs that use the same Redis themselves."""

import os
import subprocess
import time

from bench_ack import served
from bench_shell import need
from sampling import Skip, WrongData

TITLE = "mq over Redis, two mounts"

HIREDIS, CLI = "hiredis, pipelined LPUSH and RPOP", "redis-cli LPUSH"
TRIP = "hiredis LPUSH, BRPOP"
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
    a, b = (bench.mount("-o", f"redis={address}") for _ in range(2))
    try:
        for compare in (lines, trips, echoes):
            bench.attempt(compare.__name__, lambda compare=compare: compare(bench, a, b, address))
    finally:
        bench.unmount(a)
        bench.unmount(b)
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
    for name in ("there", "back"):
        bench.touch(f"{a.path}/mq/{name}")
    paths = (f"{a.path}/mq/there", f"{b.path}/mq/there", f"{b.path}/mq/back", f"{a.path}/mq/back")
    sides = {
        TRIP: lambda n: bench.sampler.program("redis_queue", "trip", n, address),
        "ipcfs": lambda n: bench.sampler.program("roundtrip", n, *paths),
    }
    results, ratio = bench.sampler.sample(sides, count=200)
    bench.report.compared("a message there and back, 64 bytes", "ns", results, "ipcfs", TRIP, ratio("ipcfs", TRIP), ("<=", 2))


def echoes(bench, a, _, address):
    count = 100

    def loop(script, where):
        begin = time.perf_counter()
        subprocess.run(["bash", "-c", script, "bash", str(count), where], stdout=subprocess.DEVNULL, check=True)
        return count / (time.perf_counter() - begin)

    sides = {CLI: lambda _: loop(ECHO_CLI, address), "ipcfs": lambda _: loop(ECHO, f"{a.path}/mq/echo")}
    results, ratio = bench.sampler.sample(sides, repetitions=5)
    bench.report.compared("echo x > M/mq/q in a loop of bash", "writes/s", results, "ipcfs", CLI, ratio("ipcfs", CLI), (">=", 20))

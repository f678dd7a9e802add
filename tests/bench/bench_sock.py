"""Sockets: bind and connect through the mount against tmpfs, and the file face against a pair of socats."""

import filecmp
import os
import shutil
import time

from sampling import Skip, WrongData

TITLE = "sock: through the mount, and the file face"


def run(bench):
    mount = bench.mount()
    for mode, text, goal in (
        ("connect", "connect, accept, close", ("<=", 1.03)),
        ("ask", "64 B to and fro on a connection", ("<=", 1.03)),
        ("bind", "bind, unlink", None),
    ):
        bench.attempt(f"sock {mode}", lambda m=mode, t=text, g=goal: native(bench, mount, m, t, g))
    bench.attempt("sock stream", lambda: stream(bench, mount))
    bench.attempt("sock round trip", lambda: roundtrip(bench, mount))
    bench.unmount(mount)


def native(bench, mount, mode, text, goal):
    paths = {"Unix socket on tmpfs": f"{bench.tmp}/s", "ipcfs": f"{mount.path}/sock/s"}
    sides = {name: lambda n, at=path: bench.sampler.program("connection", mode, at, n) for name, path in paths.items()}
    results, ratio = bench.sampler.sample(sides, count=500)
    reference = "Unix socket on tmpfs"
    bench.report.compared(f"sock, {text}", "ns", results, "ipcfs", reference, ratio("ipcfs", reference), goal)


def need_socat():
    if not shutil.which("socat"):
        raise Skip("no socat")


def await_path(path):
    deadline = time.monotonic() + 30
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{os.path.basename(path)} does not appear")
        time.sleep(0.002)


def stream(bench, mount):
    need_socat()
    megabytes = 64 if bench.quick else 256
    big, got, address, face = f"{bench.tmp}/big", f"{bench.tmp}/got", f"{bench.tmp}/s", f"{mount.path}/sock/stream"
    floor = "a daemon that hands over"
    with open(big, "wb") as out:
        block = os.urandom(1 << 20)
        for i in range(megabytes):
            out.write(i.to_bytes(8, "little") + block[8:])
    bench.touch(face)
    handover = bench.mount_handover(os.stat(face).st_blksize)

    def timed(start_writer, start_reader):
        writer = start_writer()
        begin = time.perf_counter()
        reader = start_reader()
        bench.reap(writer)
        bench.reap(reader)
        took = time.perf_counter() - begin
        if not filecmp.cmp(big, got, shallow=False):
            raise WrongData("what came is not what went")
        os.unlink(got)
        return megabytes * (1 << 20) / 1e6 / took

    def cats(at):
        def shell(text):
            return bench.spawn(["sh", "-c", text, "sh", big, got, at])

        return lambda _: timed(lambda: shell('exec cat "$1" > "$3"'), lambda: shell('exec cat "$3" > "$2"'))

    def socats(options):
        def start_listener():
            child = bench.spawn(["socat", *options, "-u", f"OPEN:{big}", f"UNIX-LISTEN:{address}"])
            await_path(address)
            return child

        return lambda _: timed(
            start_listener,
            lambda: bench.spawn(["socat", *options, "-u", f"UNIX-CONNECT:{address}", f"CREATE:{got}"]),
        )

    sides = {
        "two socats": socats(()),
        "two socats -b131072": socats(("-b131072",)),
        "ipcfs": cats(face),
        floor: cats(f"{handover.path}/F"),
    }
    results, ratio = bench.sampler.sample(sides, repetitions=5 if bench.quick else 9)
    what = "sock, a file from cat to cat"
    bench.report.compared(what, "MB/s", results, "ipcfs", "two socats", ratio("ipcfs", "two socats"), (">=", 1.0))
    other = "two socats -b131072"
    bench.report.compared(what, "MB/s", results, "ipcfs", other, ratio("ipcfs", other))
    bench.report.compared(what, "MB/s", results, "ipcfs", floor, ratio("ipcfs", floor))
    bench.report.compared(f"sock, cat to cat by {floor}", "MB/s", results, floor, other, ratio(floor, other))
    bench.unmount(handover)
    os.unlink(big)
    os.unlink(face)


def roundtrip(bench, mount):
    need_socat()
    face, address = f"{mount.path}/sock/ask", f"{bench.tmp}/s"
    fifos = [f"{bench.tmp}/fifo{i}" for i in range(4)]
    bench.touch(face)
    for fifo in fifos:
        os.mkfifo(fifo)

    def socats(n):
        """client -> f0 -> socat -> socket -> socat -> f3 -> server -> f2 -> socat -> socket -> socat -> f1 -> client"""
        first = bench.spawn(["sh", "-c", 'exec socat - "UNIX-LISTEN:$1" < "$2" > "$3"', "sh", address, *fifos[:2]])
        second = bench.spawn(
            ["sh", "-c", 'exec socat - "UNIX-CONNECT:$1,retry=500,interval=0.01" > "$3" < "$2"', "sh", address, *fifos[2:]]
        )
        try:
            return bench.sampler.program("roundtrip", n, fifos[0], fifos[3], fifos[2], fifos[1])
        finally:
            bench.end(first)
            bench.end(second)
            if os.path.exists(address):
                os.unlink(address)

    def mediated(n):
        return bench.sampler.program("roundtrip", n, face, f"{face}@listen", f"{face}@listen", face)

    results, ratio = bench.sampler.sample({"two socats": socats, "ipcfs": mediated}, count=200)
    bench.report.compared(
        "sock, 64 B to and fro, file face", "ns", results, "ipcfs", "two socats", ratio("ipcfs", "two socats"), ("<=", 0.75)
    )
    for path in (face, *fifos):
        os.unlink(path)

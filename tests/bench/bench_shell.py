"""Shell loops: what a user would pick instead is a process for each message."""

import os
import shutil
import subprocess
import time

from sampling import Skip, WrongData

TITLE = "shell loops: a redirection against a process for each message"


def run(bench):
    mount = bench.mount()
    bench.attempt("echo > M/mq", lambda: to_queue(bench, mount))
    bench.attempt("echo > M/sock", lambda: to_socket(bench, mount))
    bench.attempt("cat M/sock", lambda: from_socket(bench, mount))
    bench.unmount(mount)


def need(program):
    if not shutil.which(program):
        raise Skip(f"no {program}")


def loop(bench, n, body, *args):
    """Times bash going n times through body, whose arguments are $2, $3, ...; returns turns a second."""
    begin = time.perf_counter()
    bench.sampler.run(["bash", "-c", f"for ((i = 0; i < $1; i++)); do {body}; done", "bash", str(n), *args])
    return n / (time.perf_counter() - begin)


def collected(bench, path, n, body, *args):
    """A loop whose turns are connections to a C server at path, which checks what each says."""
    server = bench.spawn([f"{bench.programs}/connection", "collect", path, str(n)], stdout=subprocess.PIPE)
    server.stdout.readline()
    rate = loop(bench, n, body, *args)
    bench.reap(server)
    server.stdout.close()
    return rate


def by_socat(bench):
    address = f"{bench.tmp}/s"
    return lambda n: collected(bench, address, n, 'echo x | socat -u - "UNIX-CONNECT:$2"', address)


def to_queue(bench, mount):
    queue, base, _ = bench.queue("s", 10)
    got = f"{bench.tmp}/got"

    def received(n):
        with open(got, "wb") as out:
            receiver = bench.spawn([f"{bench.programs}/queue", "receive", queue, str(n)], stdout=out)
        rate = loop(bench, n, 'echo x > "$2"', f"{mount.path}/mq/{base}@lines")
        bench.reap(receiver)
        with open(got, "rb") as data:
            if data.read() != b"x\n" * n:
                raise WrongData("what came is not what went")
        return rate

    sides = {"ipcfs": received}
    if shutil.which("socat"):
        sides["echo x | socat, each"] = by_socat(bench)
    server = None
    if shutil.which("redis-server") and shutil.which("redis-cli"):
        address = f"{bench.tmp}/redis"
        server = bench.spawn(
            ["redis-server", "--port", "0", "--unixsocket", address, "--save", "", "--dir", bench.tmp],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while not os.path.exists(address) and time.monotonic() < deadline:
            time.sleep(0.01)
        sides["redis-cli RPUSH, each"] = lambda n: loop(bench, n, 'redis-cli -s "$2" RPUSH q x > /dev/null', address)
    if len(sides) == 1:
        raise Skip("neither socat nor redis")
    results, ratio = bench.sampler.sample(sides, count=20, repetitions=5 if bench.quick else 15)
    for other in sides:
        if other != "ipcfs":
            bench.report.compared("echo x > M/mq/q", "turns/s", results, "ipcfs", other, ratio("ipcfs", other))
    if server:
        bench.end(server)
    else:
        bench.report.skipped("echo x > M/mq/q, against redis", "no redis-server")


def to_socket(bench, mount):
    need("socat")
    face, bound = f"{mount.path}/sock/e", f"{mount.path}/sock/b"
    bench.touch(face)

    def read_by_shell(n):
        # One reader, as a user would write it: it accepts a connection at each turn.
        body = 'read -r line < "$2" && [ "$line" = x ] || exit 3'
        reader = bench.spawn(["bash", "-c", f"for ((i = 0; i < $1; i++)); do {body}; done", "bash", str(n), face])
        rate = loop(bench, n, 'echo x > "$2"', face)
        bench.reap(reader)
        return rate

    def io(n):
        return collected(bench, bound, n, 'echo x > "$2"', f"{bound}@io")

    other = "echo x | socat, each"
    sides = {"ipcfs": read_by_shell, "@io": io, other: by_socat(bench)}
    results, ratio = bench.sampler.sample(sides, count=20, repetitions=5 if bench.quick else 15)
    bench.report.compared("echo x > M/sock/x", "turns/s", results, "ipcfs", other, ratio("ipcfs", other), (">=", 20))
    bench.report.compared("echo x > M/sock/x@io, to a C server", "turns/s", results, "@io", other, ratio("@io", other), (">=", 20))
    os.unlink(face)


def from_socket(bench, mount):
    need("nc")
    face, address, got = f"{mount.path}/sock/c", f"{bench.tmp}/n", f"{bench.tmp}/got"
    bench.touch(face)

    def checked(side):
        def take(n):
            if os.path.exists(got):
                os.unlink(got)
            rate = side(n)
            with open(got, "rb") as data:
                if data.read() != b"hi\n" * n:
                    raise WrongData("what came is not what went")
            return rate

        return take

    # nc has to listen before the other can come; the mount keeps what was written until somebody reads.
    by_nc = 'nc -lU "$2" >> "$3" & until echo hi | nc -NU "$2" 2> /dev/null; do :; done; wait; rm -f "$2"'
    sides = {
        "ipcfs": checked(lambda n: loop(bench, n, 'echo hi > "$2"; cat "$2" >> "$3"', face, got)),
        "nc -lU and nc -NU": checked(lambda n: loop(bench, n, by_nc, address, got)),
    }
    results, ratio = bench.sampler.sample(sides, count=10, repetitions=5 if bench.quick else 15)
    other = "nc -lU and nc -NU"
    bench.report.compared("echo hi > M/sock/x; cat M/sock/x", "turns/s", results, "ipcfs", other, ratio("ipcfs", other))
    os.unlink(face)

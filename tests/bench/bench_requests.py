"""What the daemon is asked by the ways in which people use a channel: requests of a turn, in a loop."""

import os
import socket
import threading
import time

TITLE = "requests that a turn of a loop makes"

TURNS = 100
IGNORED = ("DESTROY", "FORGET", "BATCH_FORGET")  # nobody waits for them

# What the kernel keeps of a name and its attributes is asked for again after a second: far less than 0.1 a turn.
GOALS = {"python's open, write, close of mq": 3.1, "exec 9<M/sem/s@hold; exec 9<&-": 3.1}

PYTHON = """import os, sys
for _ in range(int(sys.argv[2])):
    fd = os.open(sys.argv[1], os.O_WRONLY)
    os.write(fd, b"x")
    os.close(fd)"""


def run(bench):
    log = f"{bench.tmp}/requests"
    _, base, _ = bench.queue("r", 2 * TURNS + 2)
    with open(log, "wb") as out:
        mount = bench.mount("-d", stderr=out)
    path = mount.path
    bench.touch(f"{path}/sock/x")
    for name, permits in (("s", 2 * TURNS), ("h", 1)):
        bench.touch(f"{path}/sem/{name}")
        with open(f"{path}/sem/{name}", "w", encoding="ascii") as file:
            file.write(f"{permits}\n")

    def loop(text):
        script = f"for ((i = 0; i < $2; i++)); do {text}; done"
        return lambda turns: bench.sampler.run(["bash", "-c", script, "bash", path, str(turns)])

    rows = {
        "python's open, write, close of mq": lambda turns: bench.sampler.run(
            ["python3", "-c", PYTHON, f"{path}/mq/{base}", str(turns)]
        ),
        "cat < M/mq/q@one": loop(f'cat <"$1/mq/{base}@one" >/dev/null'),
        "read < M/sem/s": loop('read -r l <"$1/sem/s"'),
        "exec 9<M/sem/s@hold; exec 9<&-": loop('exec 9<"$1/sem/h@hold"; exec 9<&-'),
        "echo x > M/sock/x; cat M/sock/x": loop('echo x >"$1/sock/x"; cat "$1/sock/x" >/dev/null'),
    }
    for what, turns in rows.items():
        bench.attempt(what, lambda w=what, t=turns: count(bench, log, w, t))
    bench.attempt("requests of echo > M/sock/x@io", lambda: to_server(bench, log, path, loop))
    bench.unmount(mount)


def to_server(bench, log, path, loop):
    """A server that has bound its socket through the mount."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{path}/sock/server")
    server.listen(64)

    def serve():
        while True:
            try:
                client = server.accept()[0]
            except OSError:
                return
            with client:
                while client.recv(64):
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        count(bench, log, "echo x > M/sock/x@io", loop('echo x >"$1/sock/server@io" 2>/dev/null'))
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        os.unlink(f"{path}/sock/server")


def requests_since(log, begin):
    counts = {}
    with open(log, encoding="utf-8", errors="replace") as text:
        text.seek(begin)
        for line in text:
            if "opcode: " in line:
                name = line.partition("opcode: ")[2].split()[0]
                counts[name] = counts.get(name, 0) + 1
    return {name: n for name, n in counts.items() if name not in IGNORED}


def count(bench, log, what, turns):
    turns(1)
    time.sleep(0.1)
    begin = os.path.getsize(log)
    turns(TURNS)
    time.sleep(0.1)
    each = {name: n / TURNS for name, n in requests_since(log, begin).items()}
    note = ", ".join(f"{name} {n:.3g}" for name, n in sorted(each.items()))
    goal = ("<=", GOALS[what]) if what in GOALS else None
    bench.report.measured(f"requests of {what}", "a turn", sum(each.values()), goal, note)

"""The README's table of costs, from what `make bench` has measured.

usage: readme.py BENCH.JSON    prints the table, and what it was measured on
       readme.py --check FILE  whether the rows of that README are these
"""

import json
import re
import sys

MT, LOOP = "null FS, libfuse's threads", "null FS, our loop"
SOCATS, WIDE, FLOOR = "two socats", "two socats -b131072", "a daemon that hands over"
SOCAT, REDIS = "echo x | socat, each", "redis-cli RPUSH, each"
NATIVE, PIPES, CATS = "mq_send to mq_receive in C", "a pipe for each reader", "cat | cat for each reader"

# The columns channel, operation and beside; then the rows of the benchmark, each with its references.
ROWS = (
    (
        ("pipe", "writes of 64 B; 4 KiB; 64 KiB", "a FIFO on tmpfs"),
        [(f"pipe, writes of {size}", ["FIFO on tmpfs"]) for size in ("64 B", "4 KiB", "64 KiB")],
    ),
    (("pipe", "round trip of 64 B", "a FIFO on tmpfs"), [("pipe, round trip of 64 B", ["FIFO on tmpfs"])]),
    (
        ("shm", "read; write; memcpy from a mapping", "/dev/shm"),
        [(f"shm, {what}", ["/dev/shm"]) for what in ("read of 64 KiB", "write of 64 KiB", "memcpy from a mapping")],
    ),
    (("sock", "connect, accept, close", "a socket on tmpfs"), [("sock, connect, accept, close", ["Unix socket on tmpfs"])]),
    (
        ("sock", "64 B to and fro on a connection", "a socket on tmpfs"),
        [("sock, 64 B to and fro on a connection", ["Unix socket on tmpfs"])],
    ),
    (
        ("sock, as a file", "a file from `cat` to `cat`", "a pair of `socat`; with `-b131072`; a FUSE daemon that hands over"),
        [("sock, a file from cat to cat", [SOCATS, WIDE, FLOOR])],
    ),
    (("sock, as a file", "64 B to and fro", "a pair of `socat`"), [("sock, 64 B to and fro, file face", [SOCATS])]),
    (("sock, as a file", "`echo x > M/sock/x` in a loop", "`echo x \\| socat`"), [("echo x > M/sock/x", [SOCAT])]),
    (
        ("mq", "a write, one client; two clients", "an empty file system on libfuse's own threads"),
        [("mq write, 1 client", [MT]), ("mq write, 2 clients", [MT])],
    ),
    (
        ("mq", "the same with `cpu_latency=any`", "the same; on our loop"),
        [(f"mq write, {clients}, cpu_latency=any", [MT, LOOP]) for clients in ("1 client", "2 clients")],
    ),
    (
        ("mq", "`@lines` to `@lines`; to `@lines,batch`, by `cat`", "mq_send to mq_receive in C"),
        [(f"mq @lines to @{to} by cat", [NATIVE]) for to in ("lines", "lines,batch")],
    ),
    (("mq", "`echo x > M/mq/q` in a loop", "`echo x \\| socat`; `redis-cli`"), [("echo x > M/mq/q", [SOCAT, REDIS])]),
    (("sem", "post; wait", "an empty file system on our loop"), [("sem, post", [LOOP]), ("sem, wait", [LOOP])]),
    (
        ("sem", "`exec 9<M/sem/x@hold; exec 9<&-` in a loop", "`flock 9`"),
        [("exec 9<M/sem/x@hold; exec 9<&-", ["flock 9, a tmpfs file"])],
    ),
    (
        ("bcast", "a message and reader, of 1; 10; 100", "a pipe for each reader"),
        [(f"bcast, {n}", [PIPES]) for n in ("1 reader", "10 readers", "100 readers")],
    ),
    (
        ("bcast", "`@lines` by `cat`, a line and reader, of 1; 10", "a pipe for each reader; `cat \\| cat` for each"),
        [(f"bcast @lines by cat, {n}", [PIPES, CATS]) for n in ("1 reader", "10 readers")],
    ),
    (("sig", "a signal to oneself", "kill(2)"), [("sig, RTMIN to oneself", ["kill(2)"])]),
)

# What the benchmark counts in, where the table shows another unit.
SHOWN = {"ns": ("us", 1e-3), "turns/s": ("/s", 1), "msg/s": ("/s", 1)}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def here(rows):
    unit, factor = SHOWN.get(rows[0]["unit"], (rows[0]["unit"], 1))
    values = [row["ours"]["median"] * factor for row in rows]
    if unit == "MB/s" and min(values) >= 2000:
        unit, values = "GB/s", [value / 1000 for value in values]
    return "; ".join(map(number, values)) + ("" if unit == "/s" else " ") + unit


def ratio(row):
    value = row["ratio"]["median"]
    return f"{value:.2f}" if value < 3 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def ratios(measured, name, references):
    return ", ".join(ratio(measured[name, reference]) for reference in references)


def table(report):
    measured = {(row["what"], row["reference"]): row for row in report["rows"] if "ratio" in row}
    print("| Channel | Operation | Here | Beside | Ratio |\n|---|---|---|---|---|")
    for (channel, operation, beside), rows in ROWS:
        missing = [f"{name} / {one}" for name, references in rows for one in references if (name, one) not in measured]
        if missing:
            raise KeyError(f"not measured: {', '.join(missing)}")
        ours = here([measured[name, references[0]] for name, references in rows])
        of = "; ".join
        print(f"| {channel} | {operation} | {ours} | {beside} | {of(ratios(measured, *row) for row in rows)} |")
    print(f"\n{report['processors']} x {report['processor']}, Linux {report['kernel']}, {report['date']}")
    print(f"disturbed: {report['disturbed']} of {report['repetitions']} repetitions")


def check(text):
    """Returns what stands in the table and not here, or here and not there."""
    rows = text.partition("\n| Channel | Operation |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [re.split(r" \| ", row.strip("| ")) for row in rows]
    there = {(cell[0], cell[1], cell[3]) for cell in cells if len(cell) == 5}
    return there ^ {labels for labels, _ in ROWS}


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--check":
        with open(arguments[1], encoding="utf-8") as readme:
            wrong = check(readme.read())
        for row in sorted(wrong):
            print("README and tests/bench/readme.py differ:", " | ".join(row), file=sys.stderr)
        return 1 if wrong else 0
    if len(arguments) != 1:
        print(__doc__.partition("\n\n")[2], end="", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            table(json.load(file))
    except (OSError, ValueError, KeyError) as why:
        print(f"readme.py: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

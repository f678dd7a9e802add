"""Pipes: M/pipe against a FIFO on tmpfs. Both are the kernel's own."""

import os

TITLE = "pipe: the kernel's own path"


def run(bench):
    mount = bench.mount()
    paths = {"FIFO on tmpfs": bench.tmp, "ipcfs": f"{mount.path}/pipe"}
    for directory in paths.values():
        for name in ("to", "fro"):
            os.mkfifo(f"{directory}/{name}")
    for size, text in ((64, "64 B"), (4096, "4 KiB"), (65536, "64 KiB")):
        bench.attempt(f"pipe {text}", lambda s=size, t=text: stream(bench, paths, s, t))
    bench.attempt("pipe round trip", lambda: roundtrip(bench, paths))
    bench.unmount(mount)
    for name in ("to", "fro"):
        os.unlink(f"{bench.tmp}/{name}")


def stream(bench, paths, size, text):
    sides = {
        name: lambda n, at=path: bench.sampler.program("stream", size, n, f"{at}/to") for name, path in paths.items()
    }
    results, ratio = bench.sampler.sample(sides, count=2000)
    reference = "FIFO on tmpfs"
    bench.report.compared(
        f"pipe, writes of {text}", "MB/s", results, "ipcfs", reference, ratio("ipcfs", reference), (">=", 0.97)
    )


def roundtrip(bench, paths):
    sides = {
        name: lambda n, at=path: bench.sampler.program("roundtrip", n, f"{at}/to", f"{at}/to", f"{at}/fro", f"{at}/fro")
        for name, path in paths.items()
    }
    results, ratio = bench.sampler.sample(sides, count=500)
    reference = "FIFO on tmpfs"
    bench.report.compared(
        "pipe, round trip of 64 B", "ns", results, "ipcfs", reference, ratio("ipcfs", reference), ("<=", 1.03)
    )

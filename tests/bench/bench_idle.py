"""What the daemon uses while nothing, or little, happens."""

import time

TITLE = "idle: processor time of the daemon"

MT = "null FS, libfuse's threads"


def run(bench):
    mount, null = bench.mount(), bench.mount_null("mt")
    queue, base, _ = bench.queue("t", 10)
    seconds = 2 if bench.quick else 10

    def used(by, action):
        """In percent of one processor."""
        cpu, begin = by.cpu_ns(), time.monotonic_ns()
        action()
        return 100 * (by.cpu_ns() - cpu) / (time.monotonic_ns() - begin)

    def trickle(rate, by, *checked):
        file = f"{mount.path}/mq/{base}" if by is mount else f"{null.path}/a"
        command = [f"{bench.programs}/trickle", str(rate), str(1 if bench.quick else 3), file, *checked]
        return lambda _: used(by, lambda: bench.sampler.run(command))

    bench.report.measured("idle, before any request", "%", used(mount, lambda: time.sleep(seconds)), ("<=", 0.0))
    for rate, goal in ((100, ("<=", 1.0)), (1000, None)):
        # What the null file system needs is the cost of a request as such, which no daemon can go below.
        sides = {"ipcfs": trickle(rate, mount, queue), MT: trickle(rate, null)}
        results, ratio = bench.sampler.sample(sides, repetitions=3)
        bench.report.measured(f"{rate} writes a second", "%", results["ipcfs"], goal)
        bench.report.compared(f"{rate} writes a second", "%", results, "ipcfs", MT, ratio("ipcfs", MT))
    time.sleep(0.1)
    bench.report.measured("idle, after them", "%", used(mount, lambda: time.sleep(seconds)), ("<=", 0.0))
    bench.unmount(mount)
    bench.unmount(null)

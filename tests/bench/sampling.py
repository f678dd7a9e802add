"""Repetitions in turn, the median, and the spread.

A side is a function that takes a count and returns one sample. All sides of a comparison are sampled one after the other,
again and again, so that a disturbance meets them all alike; a ratio is taken within each repetition, and the median of those
ratios is what counts. The spread is given by the quartiles.

Others' work on the same processors spoils a sample more than anything else, so a repetition waits, within bounds, for a
moment without it. A machine that is never quiet is measured as it is, and the report says so.
"""

import os
import statistics
import subprocess
import time


class WrongData(Exception):
    """A program moved data and found it changed, lost or doubled."""


class Skip(Exception):
    """Something that the machine lacks; the text says what."""


def summary(samples):
    ordered = sorted(samples)
    if len(ordered) < 3:
        low, high = ordered[0], ordered[-1]
    else:
        low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return {"median": statistics.median(ordered), "low": low, "high": high, "samples": samples}


def busy_seconds():
    """What all processors together have worked since the start."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _idle, _wait, irq, softirq, steal, *_ = map(int, stat.readline().split()[1:])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


class Sampler:
    def __init__(self, programs, quick):
        self.programs = programs
        self.quick = quick
        self.repetitions = 7 if quick else 25
        self.target = 0.03 if quick else 0.1  # seconds of a sample
        self.patience = 60 if quick else 300  # a slow machine is no error, a hung program is
        self.waiting = 8.0 if quick else 150.0  # seconds that may be spent on waiting for quiet, in all
        self.repeated = self.disturbed = 0

    def program(self, name, *args, inside=(), **kwargs):
        """Runs one of the programs to its end, perhaps by another command, and returns the number that it prints."""
        return float(self.run([*inside, f"{self.programs}/{name}", *map(str, args)], **kwargs))

    def run(self, command, **kwargs):
        """Runs a command to its end and returns its output."""
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=self.patience, check=False, **kwargs
        )
        if done.returncode == 3:
            raise WrongData(done.stderr.strip())
        if done.returncode != 0:
            raise RuntimeError(f"{command[0].rpartition('/')[2]}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def await_quiet(self):
        """Until the processors have been idle for a moment: all of them, as nothing of ours is running now."""
        self.repeated += 1
        while True:
            busy, begin = busy_seconds(), time.monotonic()
            time.sleep(0.03)
            load = (busy_seconds() - busy) / (time.monotonic() - begin)
            if load < 0.4:
                return
            if self.waiting <= 0:
                self.disturbed += 1
                return
            time.sleep(0.2)
            self.waiting -= time.monotonic() - begin

    def calibrate(self, side, count, most):
        """A count with which a sample takes about the time it should."""
        for _ in range(4):
            begin = time.perf_counter()
            side(count)
            took = time.perf_counter() - begin
            if took > self.target / 2 or count >= most:
                break
            count = int(count * min(20, max(2, self.target / took)))
        return min(count, most)

    def sample(self, sides, count=0, most=1 << 40, repetitions=0):
        """Returns {side: summary} and a function that compares two of them. count 0: the sides take none."""
        counts = {name: self.calibrate(side, count, most) if count else 0 for name, side in sides.items()}
        samples = {name: [] for name in sides}
        for _ in range(repetitions or self.repetitions):
            self.await_quiet()
            for name, side in sides.items():
                samples[name].append(side(counts[name]))

        def ratio(ours, theirs):
            return summary([a / b for a, b in zip(samples[ours], samples[theirs])])

        return {name: summary(values) for name, values in samples.items()}, ratio

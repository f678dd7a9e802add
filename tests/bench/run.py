"""make bench: what every channel costs, beside the kernel's own and what a user would pick instead.

IPCFS and BENCH (the daemon, and the directory of the programs) come from the Makefile; QUICK=1 makes it short. ONLY=mq,sock
runs those sections only. COMPARE=old.json, a bench.json of an earlier run, prints what moved since. The exit status tells
whether the data was right and, with COMPARE alone, whether nothing got worse beyond its spread.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile

import bench_ack
import bench_bcast
import bench_fifo
import bench_growth
import bench_idle
import bench_mq
import bench_pipe
import bench_redis
import bench_requests
import bench_sem
import bench_shell
import bench_shm
import bench_sock
import bench_watch
import compare
from mounts import Mount
from report import Report
from sampling import Sampler, Skip, WrongData

# Each is a module with TITLE, and run(bench).
SECTIONS = {
    "mq": bench_mq,
    "ack": bench_ack,
    "pipe": bench_pipe,
    "shm": bench_shm,
    "sock": bench_sock,
    "sem": bench_sem,
    "bcast": bench_bcast,
    "fifo": bench_fifo,
    "redis": bench_redis,
    "shell": bench_shell,
    "requests": bench_requests,
    "watch": bench_watch,
    "growth": bench_growth,
    "idle": bench_idle,
}

SPIN_NS = 50000  # the daemon's default, for the null file system on our loop


class Bench:
    """What a section needs: mounts, a scratch directory on tmpfs, samples, and the report."""

    def __init__(self, quick):
        self.quick = quick
        self.ipcfs = os.environ["IPCFS"]
        self.programs = os.environ["BENCH"]
        self.sampler = Sampler(self.programs, quick)
        self.mounts, self.children, self.queues, self.shms = [], [], [], []
        self.tmp = tempfile.mkdtemp(prefix="ipcfs-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.mountpoints = tempfile.mkdtemp(prefix="ipcfs-bench-")
        self.report = None
        self.failed = False

    def mount(self, *options, stderr=subprocess.DEVNULL):
        return self._mounted([self.ipcfs, "-f", *options], stderr)

    def mount_null(self, loop):
        """loop: "mt" for libfuse's own, "loop" for ours."""
        return self._mounted([f"{self.programs}/null_fuse", loop, str(SPIN_NS)], subprocess.DEVNULL)

    def mount_handover(self, block):
        """A file system whose one file, F, hands over what is written to who reads, BLOCK bytes at a time."""
        return self._mounted([f"{self.programs}/handover_fuse", str(block)], subprocess.DEVNULL)

    def _mounted(self, command, stderr):
        mount = Mount(command, f"{self.mountpoints}/{len(self.mounts)}", stderr)
        self.mounts.append(mount)
        return mount

    def unmount(self, mount):
        mount.stop()

    def queue(self, name, maxmsg, msgsize=64):
        """Makes a queue; returns its kernel name, its base name, and the maxmsg that it got."""
        base = f"ipcfs-bench-{os.getpid()}-{name}"
        self.queues.append("/" + base)
        return "/" + base, base, int(self.sampler.program("queue", "make", "/" + base, maxmsg, msgsize))

    def remove_queues(self):
        """All queues of a user share one limit, so those of a section go with it."""
        if self.queues:
            subprocess.run([f"{self.programs}/queue", "remove", *self.queues], check=False)
        self.queues = []

    def touch(self, face):
        """Makes a socket's face. Opening it to write would be a connection already, which a reader would find empty."""
        self.sampler.run(["touch", face])

    def spawn(self, command, **kwargs):
        """Starts a child that ends with the benchmark at the latest."""
        child = subprocess.Popen(command, **kwargs)
        self.children.append(child)
        return child

    def reap(self, child):
        """Waits for a child that should end by itself."""
        # wait() with a time-out polls, and would find the end too late; a pidfd tells it.
        with os.fdopen(os.pidfd_open(child.pid), "rb") as ended:
            if not select.select([ended], [], [], self.sampler.patience)[0]:
                raise subprocess.TimeoutExpired(child.args, self.sampler.patience)
        status = child.wait()
        self.children.remove(child)
        if status == 3:
            raise WrongData(os.path.basename(child.args[0]))
        if status:
            raise RuntimeError(f"{os.path.basename(child.args[0])} ended with {status}")

    def end(self, child):
        child.kill()
        child.wait()
        self.children.remove(child)

    def attempt(self, what, function):
        """Runs one comparison; what goes wrong in it is reported, and the rest goes on."""
        try:
            function()
        except Skip as why:
            self.report.skipped(what, str(why))
        except subprocess.TimeoutExpired as why:
            self.report.skipped(what, f"took longer than {why.timeout:.0f} s")
        except WrongData as why:
            self.failed = True
            self.report.skipped(what, f"WRONG DATA: {why}")
        except (OSError, RuntimeError, ValueError) as why:
            self.failed = True
            self.report.skipped(what, f"FAILED: {why}")
        finally:
            for child in self.children[:]:
                self.end(child)

    def close(self):
        for child in self.children[:]:
            self.end(child)
        for mount in reversed(self.mounts):
            mount.stop()
        self.remove_queues()
        for name in self.shms:
            if os.path.exists(f"/dev/shm/{name}"):
                os.unlink(f"/dev/shm/{name}")
        shutil.rmtree(self.tmp, ignore_errors=True)
        for i in range(len(self.mounts)):
            os.rmdir(f"{self.mountpoints}/{i}")
        os.rmdir(self.mountpoints)


def private_queues():
    """As root: an IPC namespace of our own, where queues may be long and many, and which takes all that is left in it along."""
    clone_newipc = 0x08000000
    try:
        if ctypes.CDLL(None).unshare(clone_newipc) == 0:
            for limit in ("msg_max", "queues_max"):
                with open(f"/proc/sys/fs/mqueue/{limit}", "w", encoding="ascii") as file:
                    file.write("10000")
    except (OSError, AttributeError):
        pass


def main():
    quick = os.environ.get("QUICK", "") not in ("", "0")
    only = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(SECTIONS)
    build = os.path.dirname(os.environ["BENCH"])
    worse = 0
    try:
        # Before it is written over, should it be the last one.
        old = compare.load(os.environ["COMPARE"]) if os.environ.get("COMPARE") else None
    except (OSError, ValueError) as why:
        print(f"bench: COMPARE: {why}", file=sys.stderr)
        return 2

    def ended(_number, _frame):
        raise KeyboardInterrupt

    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in stopping:
        signal.signal(number, ended)
    private_queues()
    bench = Bench(quick)
    try:
        bench.report = Report(build, quick)
        for name in only:
            bench.report.section(SECTIONS[name].TITLE)
            bench.attempt(name, lambda section=SECTIONS[name]: section.run(bench))
            bench.remove_queues()
        bench.report.finish(bench.sampler.repeated, bench.sampler.disturbed)
        if old:
            worse = compare.compare(old, bench.report.whole())
    except KeyboardInterrupt:
        print("\nbench: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    finally:
        for number in stopping:
            signal.signal(number, signal.SIG_IGN)
        bench.close()
    return 1 if bench.failed or worse else 0


if __name__ == "__main__":
    sys.exit(main())

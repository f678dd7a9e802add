"""
soak_jobs.py [JOBS]: a job queue with ack whose workers and whose daemon are killed all the time. JOBS jobs (100,000) go through
one queue; native senders and file writers send them, eight workers in bash, dash and python do them. The workers die by SIGKILL,
SIGTERM, SIGSEGV and `exit 1`, and the daemon is killed 50 times and started again.

Each job must be done at least once; and twice only if it was owed at a kill, that is, if it was the last one which a worker had. A
worker does a job by writing its number into a file of its own. $IPCFS names the program. Ends with a table, and status 1 if
anything is wrong.
"""
import contextlib
import ctypes
import glob
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

SHELL = 'n=$2; while IFS= read -r j; do echo "$j" >>"$3"; n=$((n-1)); [ $n != 0 ] || exit 1; done <"$1"; exit 1'
PYTHON = """
import sys
n = int(sys.argv[2])
with open(sys.argv[3], "ab", buffering=0) as log:
    for job in open(sys.argv[1], "rb"):
        log.write(job)
        n -= 1
        if n == 0:
            raise SystemExit(1)
"""
WRITER = 'exec 3>"$1" || exit; for ((i = $2; i < $3; i++)); do printf "%07d\\n" $i >&3 || exit; printf "%07d\\n" $i >>"$4"; done'
WORKERS = [["bash", "-c", SHELL, "bash"]] * 3 + [["dash", "-c", SHELL, "dash"]] * 2 + [[sys.executable, "-c", PYTHON]] * 3
DEATHS = [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]
DAEMON_KILLS, PATIENCE, LINE = 50, 60, 8

libc = ctypes.CDLL(None, use_errno=True)


class Attr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("flags", "maxmsg", "msgsize", "curmsgs", "r1", "r2", "r3", "r4")]


class Daemon:
    def __init__(self, directory, *options):
        self.dir, self.options, self.kills = directory, options, 0
        os.mkdir(directory)
        self.start()

    def start(self):
        self.process = subprocess.Popen([os.environ["IPCFS"], "-f", *self.options, self.dir])
        end = time.monotonic() + PATIENCE
        while not os.path.exists(f"{self.dir}/README"):
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit("soak: the daemon does not mount")
            time.sleep(0.002)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1
        subprocess.run(["umount", "-l", self.dir] if os.geteuid() == 0 else ["fusermount3", "-uz", self.dir], check=True)
        self.start()

    def stop(self):
        self.process.terminate()
        return self.process.wait(PATIENCE)


class Worker:
    """One life of a worker after the other, each with a file of what it did."""

    def __init__(self, command, queue, tmp, number):
        self.command, self.queue, self.base = command, queue, f"{tmp}/{number}-"
        self.lives, self.ends = [], {}
        self.start()

    def start(self):
        self.lives.append(f"{self.base}{len(self.lives)}")
        turns = random.choice([0, 0, 0, random.randrange(1, 500)])
        self.process = subprocess.Popen([*self.command, self.queue, str(turns or 1 << 30), self.lives[-1]],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def tend(self):
        status = self.process.poll()
        if status is not None:
            self.ends[status] = self.ends.get(status, 0) + 1
            self.start()

    def done(self, life):
        try:
            with open(life, "rb") as log:
                return log.read().split()
        except FileNotFoundError:
            return []


def send_natively(name, numbers):
    queue = libc.mq_open(name.encode(), os.O_WRONLY)
    for number in numbers:
        while libc.mq_send(queue, b"%07d" % number, LINE - 1, 0) < 0:
            pass


def send_by_file(path, numbers, unsure):
    """A write that fails as the daemon dies may have been made. It is made again, and the number noted."""
    fd = -1
    for number in numbers:
        while True:
            try:
                if fd < 0:
                    fd = os.open(path, os.O_WRONLY)
                os.write(fd, b"%07d\n" % number)
                break
            except OSError:
                with open(unsure, "ab", buffering=0) as out:
                    out.write(b"%07d\n" % number)
                if fd >= 0:
                    with contextlib.suppress(OSError):
                        os.close(fd)
                fd = -1
                time.sleep(0.01)


def send_by_bash(path, numbers, unsure, sent):
    first, end = numbers[0], numbers[-1] + 1
    while first < end:
        subprocess.run(["bash", "-c", WRITER, "bash", path, str(first), str(end), sent], stderr=subprocess.DEVNULL, check=False)
        if os.path.exists(sent):
            first = numbers[0] + os.path.getsize(sent) // LINE
        with open(unsure, "ab", buffering=0) as out:
            out.write(b"%07d\n" % first)
        time.sleep(0.01)


def fork(fn, *args):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            fn(*args)
            status = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def start_senders(name, path, tmp, jobs):
    cut = [jobs * i // 4 for i in range(5)]
    parts = [range(begin, end) for begin, end in zip(cut, cut[1:])]
    return [
        fork(send_natively, name, parts[0]),
        fork(send_natively, name, parts[1]),
        fork(send_by_file, path, parts[2], f"{tmp}/unsure-file"),
        fork(send_by_bash, path, parts[3], f"{tmp}/unsure-bash", f"{tmp}/sent-bash"),
    ]


def progress(workers, seen):
    """How many jobs are done; doubled ones count twice."""
    for worker in workers:
        for life in worker.lives[-2:]:
            seen[life] = os.path.getsize(life) // LINE if os.path.exists(life) else 0
    return sum(seen.values())


def all_done(workers, jobs):
    return len({job for worker in workers for life in worker.lives for job in worker.done(life)}) >= jobs


def work(workers, jobs, often, kill, most, patience=PATIENCE):
    """
    Until each job is done, or none has been for `patience` seconds. A worker is killed at each look with the likelihood `often`,
    and kill() called `most` times while the jobs are done. Returns how many workers were killed.
    """
    seen, last, moved, kills, others = {}, 0, time.monotonic(), 0, 0
    while True:
        time.sleep(0.005)
        for worker in workers:
            worker.tend()
        done = progress(workers, seen)
        if done != last:
            last, moved = done, time.monotonic()
        if done >= jobs and all_done(workers, jobs):
            return kills
        if time.monotonic() > moved + patience:
            print("soak: WRONG: nothing moves any more", file=sys.stderr)
            return kills
        if random.random() < often:
            random.choice(workers).process.send_signal(random.choice(DEATHS))
            kills += 1
        if others < most and done >= jobs * (others + 1) // (most + 2):
            others += 1
            kill()


def end(workers, senders):
    for worker in workers:
        worker.process.kill()
        worker.process.wait()
    for pid in senders:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def read_unsure(tmp):
    """The numbers whose senders could not know whether they had been sent, and how often."""
    numbers = {}
    for name in glob.glob(f"{tmp}/unsure-*"):
        with open(name, "rb") as text:
            for number in text.read().split():
                numbers[number] = numbers.get(number, 0) + 1
    return numbers


def count(workers, jobs, unsure):
    """Prints the table. Returns whether all is right."""
    times, last = {}, {}
    for worker in workers:
        for life in worker.lives:
            done = worker.done(life)
            for job in done:
                times[job] = times.get(job, 0) + 1
            if done and life != worker.lives[-1]:
                last[done[-1]] = last.get(done[-1], 0) + 1
    expected = {b"%07d" % i for i in range(jobs)}
    lost, invented = expected - times.keys(), times.keys() - expected
    doubled = {job for job, n in times.items() if n > 1}
    wrong = {job for job in doubled if times[job] > 1 + last.get(job, 0) + unsure.get(job, 0)}
    resent = {job for job in doubled if times[job] > 1 + last.get(job, 0)} - wrong
    print(f"  done at least once {len(times)} of {jobs}, lost {len(lost)}, invented {len(invented)}")
    print(f"  done more than once {len(doubled)}: owed at a kill {len(doubled) - len(wrong) - len(resent)}, "
          f"sent again as the daemon died {len(resent)}, otherwise {len(wrong)}")
    for what, which in (("lost", lost), ("invented", invented), ("doubled", wrong)):
        if which:
            print("soak: WRONG:", what, sorted(which)[:20], file=sys.stderr)
    return not (lost or invented or wrong)


def main(jobs):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tmp = tempfile.mkdtemp(prefix="ipcfs-jobs-")
    name = f"/soak-jobs-{os.getpid()}"
    attr = Attr(maxmsg=10, msgsize=64)
    if libc.mq_open(name.encode(), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, ctypes.byref(attr)) < 0:
        sys.exit(f"soak: mq_open: {os.strerror(ctypes.get_errno())}")
    daemon = Daemon(f"{tmp}/m")
    begin = time.monotonic()
    senders = start_senders(name, f"{daemon.dir}/mq{name}@lines", tmp, jobs)
    workers = [Worker(command, f"{daemon.dir}/mq{name}@lines,ack", tmp, i) for i, command in enumerate(WORKERS)]
    kills = work(workers, jobs, 0.5, daemon.kill, DAEMON_KILLS)
    end(workers, senders)
    ends = {}
    for worker in workers:
        for status, n in worker.ends.items():
            ends[status] = ends.get(status, 0) + n
    print(f"soak: {jobs} jobs in {time.monotonic() - begin:.0f} s, {kills} signals to workers, {daemon.kills} kills of the daemon; "
          "workers ended by " + ", ".join(f"{n} x {f'signal {-status}' if status < 0 else f'exit {status}'}"
                                           for status, n in sorted(ends.items())))
    right = count(workers, jobs, read_unsure(tmp))
    right &= daemon.stop() == 0
    libc.mq_unlink(name.encode())
    shutil.rmtree(tmp)
    print("soak:", "all right" if right else "FAILED")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100000))

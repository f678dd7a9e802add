"""Mounts, and what their daemons use."""

import os
import signal
import subprocess
import time


class Mount:
    """A file system in the foreground, as a child of ours, from its start to stop()."""

    def __init__(self, command, path, stderr=subprocess.DEVNULL):
        os.makedirs(path, exist_ok=True)
        self.path = path
        before = os.stat(path).st_dev
        # A session of its own: Ctrl-C is for us, who unmount in order.
        self.process = subprocess.Popen(
            [*command, path], stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, start_new_session=True
        )
        deadline = time.monotonic() + 60
        while not self.answers(before):
            if self.process.poll() is not None:
                raise RuntimeError(f"{os.path.basename(command[0])} ended with {self.process.returncode} before it mounted")
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{os.path.basename(command[0])} does not mount")
            time.sleep(0.005)

    def answers(self, before):
        try:
            return os.stat(self.path).st_dev != before
        except OSError:
            return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if os.path.ismount(self.path) or not os.path.isdir(self.path):
            unmount = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
            subprocess.run([*unmount, self.path], stderr=subprocess.DEVNULL, check=False)

    def cpu_ns(self):
        """Processor time that the daemon's threads have used, to the nanosecond where the kernel tells."""
        base = f"/proc/{self.process.pid}"
        try:
            return sum(
                int(open(f"{base}/task/{task}/schedstat", encoding="ascii").read().split()[0])
                for task in os.listdir(f"{base}/task")
            )
        except OSError:
            fields = open(f"{base}/stat", encoding="ascii").read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) * 1000000000 // os.sysconf("SC_CLK_TCK")

    def memory_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

"""
soak.py SECONDS: all kinds at once on a mount of its own, among random signals, kills, renames and unlinks. Each message has
a number and a digest, and is looked for at the end: exactly once, unless its sender or its taker was killed with it in hand.

Programs in pairs through files (mq lines, raw, batch and fifo; sock dgram and stream; pipe; bcast; sem; shm) and natively (mq); through
descriptors that are shared and passed; and, where there are the means, through a bind mount beside the mount, as a second user,
and by BusyBox. A worker that is killed is started again. $IPCFS names the program. Ends with a table, and status 1 if anything is
wrong.
"""
import ctypes
import errno
import hashlib
import mmap
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SLOTS, CAP = 8192, 32768  # a sender numbers so many messages, then it gets another slot
STREAM_BATCH = 20
READ_MAX = 4096
PATIENCE = 30
MEMORY_SLACK_KB = 4096
SENDERS = {"lines sender", "raw sender", "native sender", "batch sender", "dgram sender", "stream sender", "pipe sender",
           "shared sender", "bind sender", "other sender", "busybox sender", "fifo sender",
           "sem poster", "guard", "cast", "churn"}
NOBODY = 65534
PR_SET_PDEATHSIG = 1
STOP_SENDING, STOP_TAKING = 1, 2

libc = ctypes.CDLL(None, use_errno=True)
prefix = f"soak-{os.getpid()}-"


def shared(size):
    return mmap.mmap(-1, size)


class Counters:
    """Numbers that all processes see. A slot has one writer at a time, or is only approximate."""

    def __init__(self, *names):
        self.at = {name: 8 * i for i, name in enumerate(names)}
        self.map = shared(8 * len(names))

    def __getitem__(self, name):
        return struct.unpack_from("q", self.map, self.at[name])[0]

    def __setitem__(self, name, value):
        struct.pack_into("q", self.map, self.at[name], value)


run = Counters("stop", "errors")


def wrong(*what):
    run["errors"] += 1
    print("soak: WRONG:", *what, file=sys.stderr, flush=True)


class Flow:
    """A stream of messages. `unit`: how many a taker can have in hand when it is killed."""

    def __init__(self, name, unit):
        self.name, self.unit = name, unit
        self.state, self.seen = shared(SLOTS * CAP), shared(SLOTS * CAP)  # state: 1 being sent, 2 sent
        self.slots = self.killed_takers = self.killed_senders = 0
        self.fragments = Counters("n")
        flows.append(self)

    def message(self, slot, seq):
        body = f"{slot} {seq} {'x' * ((slot * 7 + seq * 13) % 60)} "
        return (body + hashlib.sha1(body.encode()).hexdigest()[:12]).encode()

    def take(self, data):
        try:
            slot, seq = map(int, data.split(b" ")[:2])
            whole = self.message(slot, seq)
        except ValueError:
            slot, whole = -1, b""
        if slot >= 0 and data == whole:
            at = slot * CAP + seq
            self.seen[at] = min(self.seen[at] + 1, 255)
        else:
            # What a killed sender had begun of a line ends at its last close. Counted, and compared with the kills.
            self.fragments["n"] += 1

    def check(self):
        size = self.slots * CAP
        state, seen = self.state[:size], self.seen[:size]
        lost = doubled = invented = 0
        sent, got = state.count(2), size - seen.count(0)
        for at in range(size):
            s, n = state[at], seen[at]
            lost += s == 2 and n == 0
            doubled += n > 1
            invented += n > 0 and s == 0
        may = self.unit * self.killed_takers
        fragments = self.fragments["n"]
        print(f"  {self.name:12} sent {sent:9} taken {got:9} lost {lost} (at most {may} by {self.killed_takers} kills) "
              f"doubled {doubled} cut by kills {fragments}/{self.killed_senders}")
        if lost > may or doubled or invented or fragments > self.killed_senders:
            wrong(self.name, "lost", lost, "doubled", doubled, "invented", invented, "fragments", fragments)
        if sent == 0 or got == 0:
            wrong(self.name, "nothing was sent")


flows = []


class Worker:
    def __init__(self, role, fn, *args, flow=None, sender=False, mortal=True):
        self.role, self.fn, self.args, self.flow, self.sender, self.mortal = role, fn, args, flow, sender, mortal
        self.pid, self.blocked_since, self.mark = 0, 0, None

    def start(self):
        slot = None
        if self.sender:
            if self.flow.slots == SLOTS:
                return
            slot, self.flow.slots = self.flow.slots, self.flow.slots + 1
        self.pid = os.fork()
        if self.pid:
            return
        status = 1
        try:
            random.seed()
            if self.sender:
                self.fn(self.flow, slot, *self.args)
            elif self.flow:
                self.fn(self.flow, *self.args)
            else:
                self.fn(*self.args)
            status = 0
        except BaseException as e:  # the parent must not go on twice
            print(f"soak: {self.role}: {e!r}", file=sys.stderr, flush=True)
        os._exit(status)


# --- senders and takers -----------------------------------------------------------------------------------------------


def sending():
    return run["stop"] == 0


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def send_raw(flow, slot, path):
    fd = os.open(path, os.O_WRONLY)
    for seq in range(CAP):
        if not sending():
            break
        at = slot * CAP + seq
        flow.state[at] = 1
        os.write(fd, flow.message(slot, seq))
        flow.state[at] = 2


def send_lines(flow, slot, path):
    """Some lines a write, at times cut in the middle as stdio would."""
    fd = os.open(path, os.O_WRONLY)
    seq = 0
    while sending() and seq + 8 < CAP:
        n = random.randint(1, 8)
        data = b"".join(flow.message(slot, seq + i) + b"\n" for i in range(n))
        for i in range(n):
            flow.state[slot * CAP + seq + i] = 1
        cut = random.randint(0, len(data)) if random.random() < 0.3 else 0
        write_all(fd, data[:cut])
        write_all(fd, data[cut:])
        for i in range(n):
            flow.state[slot * CAP + seq + i] = 2
        seq += n


def send_whole_lines(flow, slot, path):
    """For the kernel's FIFO: a line of at most PIPE_BUF is written whole."""
    fd = os.open(path, os.O_WRONLY)
    for seq in range(CAP):
        if not sending():
            break
        flow.state[slot * CAP + seq] = 1
        os.write(fd, flow.message(slot, seq) + b"\n")
        flow.state[slot * CAP + seq] = 2
        if seq % 64 == 0:
            time.sleep(0.001)


def send_streams(flow, slot, path):
    seq = 0
    while sending() and seq + STREAM_BATCH < CAP:
        numbers = range(seq, seq + STREAM_BATCH)
        data = b"".join(flow.message(slot, n) + b"\n" for n in numbers)
        for n in numbers:
            flow.state[slot * CAP + n] = 1
        try:
            fd = os.open(path, os.O_WRONLY)
            try:
                write_all(fd, data[:300])
                write_all(fd, data[300:])
            finally:
                os.close(fd)
            for n in numbers:
                flow.state[slot * CAP + n] = 2
        except (BrokenPipeError, ConnectionResetError):
            pass  # its taker was killed
        seq += STREAM_BATCH


def read_or_none(fd):
    """None: @timeout has come, and it is not yet the end."""
    try:
        return os.read(fd, READ_MAX)
    except TimeoutError:
        return None


def take(flow, path, lines):
    fd = os.open(path, os.O_RDONLY)
    while True:
        data = read_or_none(fd)
        if data is None:
            if run["stop"] == STOP_TAKING:
                return
            continue
        for message in data.splitlines() if lines else [data]:
            flow.take(message)


def take_streams(flow, path):
    while True:
        fd, text = os.open(path, os.O_RDONLY), b""
        while True:
            data = read_or_none(fd)
            if data == b"":
                break
            if data is not None:
                text += data
            elif not text and run["stop"] == STOP_TAKING:
                return
        os.close(fd)
        # A killed sender's last line is cut, anywhere.
        for message in text.splitlines():
            flow.take(message)


def take_pipe(flow, path):
    fd, text = os.open(path, os.O_RDWR | os.O_NONBLOCK), b""
    while True:
        try:
            text += os.read(fd, READ_MAX)
        except BlockingIOError:
            if run["stop"] == STOP_TAKING:
                return
            time.sleep(0.002)
            continue
        *whole, text = text.split(b"\n")
        for message in whole:
            flow.take(message)


def take_fifo(flow, path):
    """A pipe of its own for each open, which ends when nothing has come for a while."""
    while run["stop"] != STOP_TAKING:
        fd = os.open(path, os.O_RDONLY)
        while data := os.read(fd, READ_MAX):
            for message in data.splitlines():
                flow.take(message)
        os.close(fd)


def native_open(name):
    q = libc.mq_open(name.encode(), os.O_RDWR)
    if q < 0:
        raise OSError(ctypes.get_errno(), name)
    return q


def native_send(flow, slot, name):
    q = native_open(name)
    for seq in range(CAP):
        if not sending():
            break
        text = flow.message(slot, seq)
        flow.state[slot * CAP + seq] = 1
        while libc.mq_send(q, text, len(text), 0) < 0:
            if ctypes.get_errno() != errno.EINTR:
                raise OSError(ctypes.get_errno(), name)
        flow.state[slot * CAP + seq] = 2


def native_take(flow, name):
    q, text = native_open(name), ctypes.create_string_buffer(8192)
    while True:
        until = time.time() + 0.5
        end = struct.pack("qq", int(until), int(until % 1 * 1e9))
        n = libc.mq_timedreceive(q, text, len(text), None, end)
        if n >= 0:
            flow.take(text.raw[:n])
        elif ctypes.get_errno() == errno.ETIMEDOUT and run["stop"] == STOP_TAKING:
            return
        elif ctypes.get_errno() not in (errno.ETIMEDOUT, errno.EINTR):
            raise OSError(ctypes.get_errno(), name)


# --- descriptors that several processes have -----------------------------------------------------------------------------


def fork_bound(fn, *args):
    """fn in a child that ends with us, however we end."""
    parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    status = 1
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            fn(*args)
        status = 0
    except BaseException as e:
        print(f"soak: {fn.__name__}: {e!r}", file=sys.stderr, flush=True)
    os._exit(status)


def join(pid, what):
    if os.waitpid(pid, 0)[1]:
        wrong(what, "failed")


def send_some(flow, slot, fd, numbers):
    for seq in numbers:
        if not sending():
            break
        flow.state[slot * CAP + seq] = 1
        os.write(fd, flow.message(slot, seq) + b"\n")
        flow.state[slot * CAP + seq] = 2


def send_shared(flow, slot, path):
    """Two processes write to one open file, a line a write."""
    fd = os.open(path, os.O_WRONLY)
    child = fork_bound(send_some, flow, slot, fd, range(1, CAP, 2))
    send_some(flow, slot, fd, range(0, CAP, 2))
    join(child, "a shared sender's other half")


def take_polled(flow, fd):
    while True:
        select.select([fd], [], [])
        try:
            data = read_or_none(fd)
        except BlockingIOError:  # somebody else had it
            continue
        if data is not None:
            for message in data.splitlines():
                flow.take(message)
        elif run["stop"] == STOP_TAKING:
            return


def take_shared(flow, path):
    """Two processes poll and read one open file."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    child = fork_bound(take_polled, flow, fd)
    take_polled(flow, fd)
    join(child, "a shared taker's other half")


def pass_on(path, there):
    socket.send_fds(there, [b"x"], [os.open(path, os.O_RDONLY)])


def take_passed(flow, path):
    """Another process opens, passes the descriptor, and ends."""
    here, there = socket.socketpair()
    join(fork_bound(pass_on, path, there), "passing a descriptor")
    fd = socket.recv_fds(here, 1, 1)[1][0]
    while True:
        data = read_or_none(fd)
        if data is not None:
            for message in data.splitlines():
                flow.take(message)
        elif run["stop"] == STOP_TAKING:
            return


def as_nobody(fn):
    def run_as(*args):
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        fn(*args)
    return run_as


# --- BusyBox, whose cat splices and whose shell polls -----------------------------------------------------------------------


def bound():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def busybox_send(flow, slot, path):
    """dd cuts lines anywhere; they are sent when it has ended."""
    seq = 0
    while sending() and seq + STREAM_BATCH < CAP:
        numbers = range(seq, seq + STREAM_BATCH)
        for n in numbers:
            flow.state[slot * CAP + n] = 1
        text = b"".join(flow.message(slot, n) + b"\n" for n in numbers)
        done = subprocess.run(["busybox", "dd", "bs=50", f"of={path}"], input=text, stderr=subprocess.PIPE, check=False,
                              preexec_fn=bound)
        if done.returncode:
            wrong("busybox dd:", done.stderr.decode())
        for n in numbers:
            flow.state[slot * CAP + n] = 2
        seq += STREAM_BATCH


def busybox_take(flow, *command):
    """Runs until idle, again and again."""
    while True:
        done = subprocess.run(["busybox", *command], stdout=subprocess.PIPE, check=False, preexec_fn=bound)
        if done.returncode:
            wrong("busybox", command, "ended with", done.returncode)
        for message in done.stdout.splitlines():
            flow.take(message)
        if run["stop"] == STOP_TAKING and not done.stdout:
            return


# --- semaphores and the memory they guard -------------------------------------------------------------------------------

sems = Counters("posts", "takes", "other posts", "other takes", "killed", "inside", "dirty", "rounds", "torn")


def post(path, count):
    fd = os.open(path, os.O_WRONLY)
    while sending():
        os.write(fd, b"1\n")
        sems[count] += 1
        time.sleep(0.001)


def wait(path, count):
    while run["stop"] != STOP_TAKING:
        fd = os.open(path + "@timeout=300ms", os.O_RDONLY)
        if read_or_none(fd):
            sems[count] += 1
        os.close(fd)


def record(number):
    body = struct.pack("q", number)
    return body + hashlib.sha1(body).digest()


def lives(pid):
    """Who was killed has given the lock back before he is waited for, and may be a zombie yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def guard(lock, memory):
    """Alone behind the lock, or something is wrong; a record that is not whole was left by one that was killed."""
    fd = os.open(memory, os.O_RDWR)
    while sending():
        try:
            held = os.open(lock + "@hold,timeout=1s", os.O_RDONLY)
        except TimeoutError:
            continue
        if sems["inside"] and lives(sems["inside"]):
            wrong("two behind the lock")
        sems["inside"] = os.getpid()
        old = os.pread(fd, 28, 0)
        number = struct.unpack_from("q", old)[0]
        if old != record(number) and number and not sems["dirty"]:
            wrong("a torn record")
        sems["dirty"] = 1
        os.pwrite(fd, record(number + 1), 0)
        sems["dirty"] = 0
        sems["rounds"] += 1
        sems["inside"] = 0
        os.close(held)


# --- broadcast -----------------------------------------------------------------------------------------------------------

casts = Counters("next", "heard", "overruns")


def cast(path):
    fd = os.open(path, os.O_WRONLY)
    while sending():
        number = casts["next"]
        # One that was killed may have sent this number already: numbers go up, and none is missing.
        os.write(fd, record(number))
        casts["next"] = number + 1
        if number % 32 == 0:
            time.sleep(0.001)


def hear(path):
    fd, last = os.open(path, os.O_RDONLY | os.O_NONBLOCK), None
    while run["stop"] != STOP_TAKING:
        try:
            text = os.read(fd, READ_MAX)
        except BlockingIOError:
            time.sleep(0.005)
            continue
        except OSError as e:
            if e.errno != errno.ENOBUFS:
                raise
            casts["overruns"] += 1
            last = None
            continue
        number = struct.unpack_from("q", text)[0]
        if text != record(number) or (last is not None and number not in (last, last + 1)):
            wrong("bcast:", number, "behind", last)
        last = number
        casts["heard"] += 1


# --- names ---------------------------------------------------------------------------------------------------------------

churns = Counters("n")


def churn(mnt, number):
    """Makes, opens, renames and removes, with something open meanwhile."""
    while sending():
        kind = random.choice(("pipe", "shm", "mq", "sock", "sem", "bcast"))
        a, b = f"{mnt}/{kind}/a{number}", f"{mnt}/{kind}/b{number}"
        try:
            if kind == "pipe":
                os.mkfifo(a)
            else:
                os.close(os.open(a, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o600))
            fd = os.open(a, os.O_RDONLY | os.O_NONBLOCK)
            if kind != "mq" and random.random() < 0.5:
                try:
                    os.rename(a, b)
                except OSError as e:
                    if e.errno != errno.EOPNOTSUPP:
                        raise
            os.listdir(f"{mnt}/{kind}")
            os.stat(f"{mnt}/status")
            for name in (a, b):
                if os.path.lexists(name):
                    os.unlink(name)
            os.close(fd)
        except FileExistsError:
            os.unlink(a)  # of one that was killed
        except OSError as e:
            if kind != "mq" or e.errno not in (errno.EMFILE, errno.ENOSPC):
                raise
        churns["n"] += 1


# --- the supervisor --------------------------------------------------------------------------------------------------------


class Daemon:
    def __init__(self):
        self.place = None
        self.dir = tempfile.mkdtemp(prefix="ipcfs-soak-")
        program = os.environ.get("IPCFS", "build/ipcfs")
        # Small queues: those of all programs of a user count together.
        options = f"prefix={prefix},mq_maxmsg=8,mq_msgsize=256"
        if os.geteuid() == 0:
            options += ",allow_other"
            os.chmod(self.dir, 0o711)
        self.process = subprocess.Popen([program, "-f", "-o", options, self.dir], stdin=subprocess.DEVNULL)
        end = time.time() + PATIENCE
        while not os.path.exists(f"{self.dir}/README"):
            if time.time() > end or self.process.poll() is not None:
                sys.exit("soak: ipcfs does not mount")
            time.sleep(0.01)

    def figures(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = dict(line.split(":", 1) for line in f)
        return len(os.listdir(f"/proc/{pid}/fd")), int(status["RssAnon"].split()[0])

    def bind(self):
        """The mount's other place, or None."""
        place = tempfile.mkdtemp(prefix="ipcfs-soak-")
        os.chmod(place, 0o711)
        if os.geteuid() == 0 and subprocess.call(["mount", "--bind", self.dir, place]) == 0:
            self.place = place
            return place
        os.rmdir(place)
        return None

    def stop(self):
        if self.place:
            subprocess.check_call(["umount", self.place])
            os.rmdir(self.place)
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        os.rmdir(self.dir)
        if status:
            wrong("the daemon ended with", status)


def kernel_clean():
    for name in os.listdir("/dev/shm"):
        if name.startswith((prefix, "sem." + prefix)):
            os.unlink("/dev/shm/" + name)


def touch(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o666))


def names_make(mnt):
    os.umask(0)
    for name in ("mq/lines", "mq/raw", "mq/batch", "mq/shared", "mq/bind", "mq/other", "mq/busybox", "mq/fifo", "sock/dgram@dgram", "sock/stream", "sem/post", "sem/lock@value=1",
                 "bcast/cast", "shm/memory@size=4096"):
        touch(f"{mnt}/{name}")
    os.mkfifo(f"{mnt}/pipe/p")


def names_remove(mnt):
    for kind in ("mq", "sock", "sem", "bcast", "shm", "pipe"):
        for name in os.listdir(f"{mnt}/{kind}"):
            os.unlink(f"{mnt}/{kind}/{name}")


def workers_beside(mnt, place):
    """Those that need a bind mount, a second user, or BusyBox."""
    bind, other, busybox = Flow("mq bind", 1), Flow("mq 2nd user", 1), Flow("mq busybox", 0)
    workers, lacking = [], []
    if place:
        workers += [
            Worker("bind sender", send_lines, f"{place}/mq/bind@lines", flow=bind, sender=True),
            Worker("bind taker", take, f"{mnt}/mq/bind@lines,timeout=500ms", True, flow=bind),
            Worker("bind taker", take, f"{place}/mq/bind@lines,timeout=500ms", True, flow=bind),
            Worker("guard", guard, f"{place}/sem/lock", f"{mnt}/shm/memory"),
            Worker("hear", hear, f"{place}/bcast/cast"),
        ]
    else:
        lacking.append("a bind mount")
        flows.remove(bind)
    if os.geteuid() == 0:
        workers += [
            Worker("other sender", as_nobody(send_lines), f"{mnt}/mq/other@lines", flow=other, sender=True),
            Worker("other taker", as_nobody(take), f"{mnt}/mq/other@lines,timeout=500ms", True, flow=other),
            Worker("other taker", take, f"{mnt}/mq/other@lines,timeout=500ms", True, flow=other),
            Worker("sem poster", as_nobody(post), f"{mnt}/sem/post", "other posts"),
            Worker("sem taker", as_nobody(wait), f"{mnt}/sem/post", "other takes"),
            Worker("hear", as_nobody(hear), f"{mnt}/bcast/cast"),
        ]
    else:
        lacking.append("a second user")
        flows.remove(other)
    if shutil.which("busybox"):
        loop = 'while read -r line; do echo "$line"; done <"$0"'
        path = f"{mnt}/mq/busybox@lines,idle=300ms"
        workers += [
            Worker("busybox sender", busybox_send, f"{mnt}/mq/busybox@lines", flow=busybox, sender=True, mortal=False),
            Worker("busybox taker", busybox_take, "cat", path, flow=busybox, mortal=False),
            Worker("busybox taker", busybox_take, "sh", "-c", loop, path, flow=busybox, mortal=False),
        ]
    else:
        lacking.append("busybox")
        flows.remove(busybox)
    if lacking:
        print("soak: without", " and ".join(lacking))
    return workers


def workers_of(mnt):
    lines, raw, batch = Flow("mq lines", 1), Flow("mq raw", 1), Flow("mq batch", READ_MAX // 20)
    common = Flow("mq shared", 2)
    fifo = Flow("mq fifo", 1)
    dgram, stream, pipe = Flow("sock dgram", 1), Flow("sock stream", STREAM_BATCH), Flow("pipe", 0)

    def sender(role, flow, fn, *args):
        return Worker(role, fn, *args, flow=flow, sender=True)

    def taker(role, flow, fn, *args, mortal=True):
        return Worker(role, fn, *args, flow=flow, mortal=mortal)

    return [
        sender("lines sender", lines, send_lines, f"{mnt}/mq/lines@lines"),
        sender("lines sender", lines, send_lines, f"{mnt}/mq/lines@lines"),
        taker("lines taker", lines, take, f"{mnt}/mq/lines@lines,timeout=500ms", True),
        taker("lines raw taker", lines, take, f"{mnt}/mq/lines@timeout=500ms", False),
        sender("raw sender", raw, send_raw, f"{mnt}/mq/raw"),
        sender("native sender", raw, native_send, f"/{prefix}raw"),
        taker("raw taker", raw, take, f"{mnt}/mq/raw@timeout=500ms", False),
        taker("native taker", raw, native_take, f"/{prefix}raw"),
        sender("batch sender", batch, send_lines, f"{mnt}/mq/batch@lines"),
        taker("batch taker", batch, take, f"{mnt}/mq/batch@lines,batch,timeout=500ms", True),
        sender("shared sender", common, send_shared, f"{mnt}/mq/shared@lines"),
        taker("shared taker", common, take_shared, f"{mnt}/mq/shared@lines,timeout=500ms"),
        taker("passed taker", common, take_passed, f"{mnt}/mq/shared@lines,timeout=500ms"),
        sender("fifo sender", fifo, send_lines, f"{mnt}/mq/fifo@fifo"),
        taker("fifo taker", fifo, take_fifo, f"{mnt}/mq/fifo@fifo,idle=300ms"),
        taker("fifo taker", fifo, take_fifo, f"{mnt}/mq/fifo@fifo,idle=300ms"),
        sender("dgram sender", dgram, send_raw, f"{mnt}/sock/dgram"),
        taker("dgram taker", dgram, take, f"{mnt}/sock/dgram@timeout=500ms", False),
        taker("dgram taker", dgram, take, f"{mnt}/sock/dgram@timeout=500ms", False),
        sender("stream sender", stream, send_streams, f"{mnt}/sock/stream"),
        taker("stream taker", stream, take_streams, f"{mnt}/sock/stream@timeout=500ms"),
        sender("pipe sender", pipe, send_whole_lines, f"{mnt}/pipe/p"),
        taker("pipe taker", pipe, take_pipe, f"{mnt}/pipe/p", mortal=False),
        Worker("sem poster", post, f"{mnt}/sem/post", "posts"),
        Worker("sem taker", wait, f"{mnt}/sem/post", "takes"),
        Worker("guard", guard, f"{mnt}/sem/lock", f"{mnt}/shm/memory"),
        Worker("guard", guard, f"{mnt}/sem/lock", f"{mnt}/shm/memory"),
        Worker("cast", cast, f"{mnt}/bcast/cast"),
        Worker("hear", hear, f"{mnt}/bcast/cast"),
        Worker("hear", hear, f"{mnt}/bcast/cast"),
        Worker("churn", churn, mnt, 1),
        Worker("churn", churn, mnt, 2),
    ]


class Supervisor:
    def __init__(self, workers):
        self.workers = workers
        self.kills = self.signals = self.samples = 0
        self.longest_d = 0.0
        self.blocked_elsewhere = 0

    def kill(self, w):
        os.kill(w.pid, signal.SIGKILL)
        self.kills += 1
        if w.flow and w.sender:
            w.flow.killed_senders += 1
        elif w.flow:
            w.flow.killed_takers += 1
        elif w.role.startswith("sem"):
            sems["killed"] += 1

    def reap(self, again):
        for w in self.workers:
            pid, status = os.waitpid(w.pid, os.WNOHANG) if w.pid else (0, 0)
            if pid == 0:
                continue
            if status not in (0, signal.SIGKILL):
                wrong(w.role, "ended with", status)
            w.pid = 0
            if again:
                w.start()

    def signal(self, mnt, w):
        self.signals += 1
        if random.random() < 0.5:
            os.kill(w.pid, signal.SIGUSR1)
            return
        with open(f"{mnt}/sig/{w.pid}", "wb", buffering=0) as f:
            f.write(b"USR1\n")

    def watch(self):
        """Who is in an uninterruptible sleep, and has been without a change since when."""
        self.samples += 1
        now = time.monotonic()
        for w in self.workers:
            try:
                with open(f"/proc/{w.pid}/stat", encoding="utf-8") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                with open(f"/proc/{w.pid}/status", encoding="utf-8") as f:
                    mark = [line for line in f if "ctxt_switches" in line]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "D" or mark != w.mark:
                w.blocked_since, w.mark = now, mark
                continue
            self.longest_d = max(self.longest_d, now - w.blocked_since)
            if now - w.blocked_since > 1:
                w.blocked_since = now
                self.blocked(w)

    def blocked(self, w):
        """Fork and exit wait for each other's locks in the memory management, which has nothing to do with a mount."""
        try:
            with open(f"/proc/{w.pid}/stack", encoding="ascii") as f:
                stack = f.read()
        except OSError:
            return
        if "fuse" in stack or "pos" in stack:
            wrong(w.role, "in D state for more than a second:", stack)
        else:
            self.blocked_elsewhere += 1

    def work(self, mnt, seconds):
        run["stop"] = 0
        for w in self.workers:
            w.start()
        end, next_watch = time.monotonic() + seconds, 0.0
        while time.monotonic() < end:
            time.sleep(0.02)
            self.reap(True)
            w = random.choice(self.workers)
            if w.pid and random.random() < 0.1 and w.mortal:
                self.kill(w)
            elif w.pid:
                try:
                    self.signal(mnt, w)
                except (ProcessLookupError, FileNotFoundError):
                    pass
            if time.monotonic() > next_watch:
                self.watch()
                next_watch = time.monotonic() + 0.2

        self.finish(STOP_SENDING, SENDERS)
        self.finish(STOP_TAKING, {w.role for w in self.workers})

    def finish(self, stop, senders):
        """Waits for those who end by that."""
        run["stop"] = stop
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.reap(False)
            self.watch()
            if not any(w.pid for w in self.workers if w.role in senders):
                return
            time.sleep(0.05)
        for w in self.workers:
            if w.pid and w.role in senders:
                wrong(w.role, "does not end")
                os.kill(w.pid, signal.SIGKILL)


def check_sems(mnt):
    with open(f"{mnt}/sem/post@ctl", encoding="ascii") as f:
        value = int(dict(line.strip().split("=", 1) for line in f if "=" in line)["value"])
    with open(f"{mnt}/sem/lock@ctl", encoding="ascii") as f:
        lock = int(dict(line.strip().split("=", 1) for line in f if "=" in line)["value"])
    posts, takes, killed = sems["posts"] + sems["other posts"], sems["takes"] + sems["other takes"], sems["killed"]
    print(f"  sem          posted {posts} taken {takes} left {value}, {killed} kills; "
          f"behind the lock {sems['rounds']}, left {lock}")
    if not -killed <= posts - takes - value <= killed:
        wrong("sem: posts and takes do not add up")
    if lock != 1:
        wrong("the lock was not given back:", lock)


def figures_idle(daemon, fds=0):
    """
    RELEASE comes a little later than the end of a process. The journal of a queue, which the first reader with ack makes, or the first message
    that comes back, stays as long as the daemon knows the queue: so each has one.
    """
    for name in os.listdir(f"{daemon.dir}/mq"):
        with open(f"{daemon.dir}/mq/{name}@drain,ack", "rb", buffering=0) as queue:
            if queue.read(READ_MAX):
                wrong("mq:", name, "was not empty at the end")
    now = daemon.figures()
    for _ in range(100):
        before, now = now, daemon.figures()
        if now == before and (not fds or now[0] <= fds):
            break
        time.sleep(0.05)
    return now


def check_figures(before, after):
    print(f"  daemon       descriptors {before[0]} -> {after[0]}, memory {before[1]} kB -> {after[1]} kB")
    if after[0] > before[0]:
        wrong("descriptors leak")
    if after[1] > before[1] + MEMORY_SLACK_KB:
        wrong("memory leaks")


def main(seconds):
    signal.signal(signal.SIGUSR1, lambda *unused: None)  # the workers': from their first moment on
    daemon = Daemon()
    names_make(daemon.dir)
    supervisor = Supervisor(workers_of(daemon.dir) + workers_beside(daemon.dir, daemon.bind()))
    # What each kind makes for good at its first use, and the memory that a busy daemon needs at most, are there soon.
    supervisor.work(daemon.dir, seconds * 0.2)
    before = figures_idle(daemon)
    supervisor.work(daemon.dir, seconds * 0.8)
    after = figures_idle(daemon, before[0])
    print(f"soak: {seconds} s, {supervisor.kills} kills, {supervisor.signals} signals, {churns['n']} names made and removed, "
          f"longest D state {supervisor.longest_d:.1f} s, {supervisor.blocked_elsewhere} above 1 s outside of FUSE")
    for flow in flows:
        flow.check()
    check_sems(daemon.dir)
    print(f"  bcast        sent {casts['next']} heard {casts['heard']} overruns {casts['overruns']}")
    check_figures(before, after)
    names_remove(daemon.dir)
    daemon.stop()
    kernel_clean()
    print("soak:", "FAILED" if run["errors"] else "all right")
    return 1 if run["errors"] else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60))

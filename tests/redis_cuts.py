"""
redis_cuts.py [CUTS]: two mounts over one Redis. What the second one says to it, or hears, goes through a proxy, which cuts all connections
at a byte of an operation: at CUTS bytes (12) all over it in either direction, for each operation, so that commands and answers are cut in two,
lost, or done and not heard of; and those of one connection later, so that commands that follow are done and not heard of, too. After each cut the first mount, which goes straight to the Redis, must find that the operation has
happened exactly once. $IPCFS names the program.
"""
import mmap
import os
import re
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time

from soak_jobs import Daemon
from soak_redis import Redis

PATIENCE = 30
# In shared memory: how many bytes may pass until the cut in each direction, -1: as many as like to; how many have passed; cuts; whether it
# is one connection's, whose commands pass for LATE seconds more; whether that is so now.
STATE = struct.Struct("=qqqqqqq")
LATE = 0.02
# Behind it: where answers ended, the number of such places before them.
MARKS = struct.Struct("=257q")


class Proxy:
    """A process that hands on what comes at its socket."""

    def __init__(self, directory, target):
        self.socket, self.target = f"{directory}/proxy", target
        self.state = mmap.mmap(-1, STATE.size + MARKS.size)
        self.arm(-1, -1)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen()
        self.pid = os.fork()
        if self.pid == 0:
            self.serve(listener)
        listener.close()

    def arm(self, there, back, late=False):
        # Whose answers are lost must not hear what comes behind them.
        while self.is_deaf():
            time.sleep(0.001)
        STATE.pack_into(self.state, 0, there, back, 0, 0, 0, late, False)
        struct.pack_into("=q", self.state, STATE.size, 0)

    def passed(self):
        return STATE.unpack_from(self.state)[2:4]

    def answers(self):
        """Behind which bytes an answer ended, as far as there is room to remember it."""
        count, *ends = MARKS.unpack_from(self.state, STATE.size)
        return ends[:count]

    def mark(self, at):
        count = MARKS.unpack_from(self.state, STATE.size)[0]
        if count < 256:
            struct.pack_into("=q", self.state, STATE.size, count + 1)
            struct.pack_into("=q", self.state, STATE.size + 8 * (count + 1), at)

    def has_cut(self):
        return STATE.unpack_from(self.state)[4] > 0

    def is_deaf(self):
        return STATE.unpack_from(self.state)[6] > 0

    def serve(self, listener):
        peers, self.deaf, self.end = {}, None, None
        while True:
            found = select.select([listener, *peers], [], [], max(0, self.end - time.monotonic()) if self.deaf else None)[0]
            if self.deaf and time.monotonic() >= self.end:
                self.cut(peers, [self.deaf, peers[self.deaf][0]] if self.deaf in peers else [])
                continue
            for ready in found:
                if ready is listener:
                    near, far = listener.accept()[0], socket.socket(socket.AF_UNIX)
                    try:
                        far.connect(self.target)
                    except OSError:
                        near.close()
                        continue
                    peers[near], peers[far] = (far, 0), (near, 1)
                elif ready in peers:
                    self.hand_on(ready, peers)

    def hand_on(self, source, peers):
        sink, way = peers[source]
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        # Before the data go: who has them may arm the next cut.
        data, cut, late = self.count(data, way)
        if data and source is not self.deaf:
            try:
                sink.sendall(data)
            except OSError:
                data = b""
        if cut and late:
            self.deaf, self.end = source, time.monotonic() + LATE
        elif cut:
            self.cut(peers, list(peers))
        elif not data:
            self.close(peers, (source, sink))

    def count(self, data, way):
        """Returns what of it is to go, whether the connection is to be cut behind it, and whether that is to be later."""
        state = list(STATE.unpack_from(self.state))
        cut, late = data and 0 <= state[way] <= len(data), state[5]
        if cut:
            data = data[: state[way]]
        if state[way] >= 0:
            state[way] -= len(data)
        state[2 + way] += len(data)
        if cut:
            state[0] = state[1] = -1
            state[6] = late
        STATE.pack_into(self.state, 0, *state)
        if way == 1:
            self.mark(state[3])
        return data, cut, late

    def cut(self, peers, ends):
        self.close(peers, ends)
        self.deaf = None
        state = list(STATE.unpack_from(self.state))
        state[4] += 1
        state[6] = 0
        STATE.pack_into(self.state, 0, *state)

    def close(self, peers, ends):
        for end in ends:
            end.close()
            peers.pop(end, None)


class Wrong(Exception):
    pass


def expect(what, got, wanted):
    if got != wanted:
        raise Wrong(f"{what}: {got!r}, not {wanted!r}")


def await_that(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Wrong(f"not within {PATIENCE} s: {what}")
        time.sleep(0.002)


def write(path, *texts, flags=os.O_WRONLY):
    fd = os.open(path, flags, 0o600)
    try:
        for text in texts:
            os.write(fd, text)
    finally:
        os.close(fd)


def read(path, size=4096):
    fd = os.open(path, os.O_RDONLY)
    try:
        return read_all(fd, size)
    finally:
        os.close(fd)


def close_and_read(fd, path):
    os.close(fd)
    return read(path)


def read_all(fd, size=4096):
    pieces = []
    while piece := os.read(fd, size):
        pieces.append(piece)
    return b"".join(pieces)


def refused_then_waits(path, text, refused):
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(fd, text)
    except BlockingIOError:
        os.write(refused, b"x")
        os.set_blocking(fd, True)
        os.write(fd, text)
        return text
    return b"there was room"


class Child:
    """function(*args) in a process of its own, whose result, bytes, is got()."""

    def __init__(self, function, *args):
        self.pipe, out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(2 * PATIENCE)
            try:
                os.write(out, function(*args))
            except OSError as error:
                os.write(out, str(error).encode())
            os._exit(0)
        os.close(out)

    def got(self):
        with open(self.pipe, "rb") as pipe:
            result = pipe.read()
        os.waitpid(self.pid, 0)
        return result


class Operations:
    """Each leaves the channels as it has found them. a: the mount at which nothing is cut."""

    def __init__(self, a, b, redis):
        self.a, self.b, self.redis, self.count = a, b, redis, 0
        write(f"{a}/mq/q", flags=os.O_WRONLY | os.O_CREAT)
        write(f"{a}/bcast/c", flags=os.O_WRONLY | os.O_CREAT)
        write(f"{a}/sem/s", flags=os.O_WRONLY | os.O_CREAT)
        self.token = 0

    def text(self):
        self.count += 1
        return b"%d" % self.count

    def ctl(self, channel, key):
        return int(re.search(rf"^{key}=(\d+)", read(f"{self.a}/{channel}@ctl").decode(), re.M)[1])

    def queue_is_empty(self):
        return [self.ctl("mq/q", key) for key in ("messages", "owed", "given_back")] == [0, 0, 0]

    def check_queue(self):
        expect("left in the queue", read(f"{self.a}/mq/q@lines,drain"), b"")
        await_that("the queue is empty, and nothing is owed", self.queue_is_empty)

    def a_message_is_written(self):
        text = self.text()
        write(f"{self.b}/mq/q", text)
        expect("written", read(f"{self.a}/mq/q@lines,drain"), text + b"\n")

    def lines_are_written_in_several_writes(self):
        write(f"{self.b}/mq/q@lines", b"1\n2\nthr", b"ee\n", b"4")
        expect("written", read(f"{self.a}/mq/q@lines,drain"), b"1\n2\nthree\n4\n")

    def a_message_is_read(self):
        text = self.text()
        write(f"{self.a}/mq/q", text)
        expect("read", read(f"{self.b}/mq/q@one"), text)
        self.check_queue()

    def a_reader_who_waits_is_sent_one(self):
        text = self.text()
        child = Child(read, f"{self.b}/mq/q@one")
        await_that("the reader waits, or has been cut", lambda: self.ctl_waiters() or self.cut())
        write(f"{self.a}/mq/q", text)
        expect("read", child.got(), text)
        self.check_queue()

    def a_writer_leaves_the_line_and_comes_back(self):
        write(f"{self.b}/mq/full@maxmsg=1", b"1", flags=os.O_WRONLY | os.O_CREAT)
        heard, refused = os.pipe()
        child = Child(refused_then_waits, f"{self.b}/mq/full", b"2", refused)
        os.close(refused)
        expect("refused", os.read(heard, 9), b"x")
        os.close(heard)
        await_that("the writer waits", lambda: self.ctl("mq/full", "writers_in_line") == 1)
        await_that("the connection is cut", lambda: not self.is_deaf())
        read(f"{self.b}/mq/full@ctl")
        expect("writers in line, when all is repeated", self.ctl("mq/full", "writers_in_line"), 1)
        expect("the first", read(f"{self.a}/mq/full@one"), b"1")
        expect("written", child.got(), b"2")
        expect("the second", read(f"{self.a}/mq/full@drain"), b"2")
        os.unlink(f"{self.b}/mq/full")

    def a_reader_gives_up_and_the_next_is_sent_one(self):
        child = Child(read, f"{self.b}/mq/q@one")
        await_that("the reader waits, or has been cut", lambda: self.ctl_waiters() or self.cut())
        os.kill(child.pid, signal.SIGKILL)
        expect("read by who was killed", child.got(), b"")
        text = self.text()
        child = Child(read, f"{self.b}/mq/q@one")
        await_that("the next waits, or has been cut", lambda: self.ctl_waiters() or self.cut())
        write(f"{self.a}/mq/q", text)
        expect("read", child.got(), text)
        self.check_queue()

    def ctl_waiters(self):
        return self.redis.say("LLEN", "ipcfs:{mq/q}:t") == "1\n"

    def jobs_are_done(self):
        write(f"{self.a}/mq/q@lines", b"1\n2\n3\n")
        expect("done", read(f"{self.b}/mq/q@lines,ack,drain"), b"1\n2\n3\n")
        self.check_queue()

    def a_batch_of_jobs_is_done(self):
        lines = b"".join(b"%d\n" % i for i in range(1000, 1100))
        write(f"{self.a}/mq/q@lines", lines)
        expect("done", read(f"{self.b}/mq/q@lines,ack,batch,drain", 200), lines)
        self.check_queue()

    def a_job_is_given_back(self):
        write(f"{self.a}/mq/q@lines", b"job\n")
        fd = os.open(f"{self.b}/mq/q@lines,ack", os.O_RDONLY)
        expect("taken", os.read(fd, 99), b"job\n")
        os.close(fd)
        expect("given back", read(f"{self.a}/mq/q@lines,ack,meta,one"), b"0\t2\tjob\n")
        await_that("it is owed by nobody", lambda: self.ctl("mq/q", "owed") == 0)
        # An explicit close does not settle what n= has ended.
        read(f"{self.a}/mq/q@drain")
        self.check_queue()

    def a_permit_is_posted(self):
        write(f"{self.b}/sem/s", b"1")
        expect("permits", self.ctl("sem/s", "value"), 1)
        expect("left", read(f"{self.a}/sem/s"), b"0\n")

    def a_permit_is_taken(self):
        write(f"{self.a}/sem/s", b"1")
        expect("left", read(f"{self.b}/sem/s"), b"0\n")
        expect("permits", self.ctl("sem/s", "value"), 0)

    def a_permit_is_held_and_comes_back(self):
        write(f"{self.a}/sem/s", b"1")
        fd = os.open(f"{self.b}/sem/s@hold", os.O_RDONLY)
        token = int(os.read(fd, 99))
        if token <= self.token:
            raise Wrong(f"the fencing number {token} came after {self.token}")
        self.token = token
        expect("permits while it is held", self.ctl("sem/s", "value"), 0)
        os.close(fd)
        await_that("it is back", lambda: self.ctl("sem/s", "value") == 1)
        read(f"{self.a}/sem/s")

    def a_lock_is_passed_on(self):
        write(f"{self.a}/sem/s", b"1")
        for _ in range(2):
            fd = os.open(f"{self.b}/sem/s@hold", os.O_RDONLY)
            child = Child(close_and_read, fd, f"{self.a}/sem/s@hold,timeout={PATIENCE}s")
            first = int(os.read(fd, 99))
            os.close(fd)
            second = int(child.got())
            if not self.token < first < second:
                raise Wrong(f"the fencing numbers {first}, {second} came after {self.token}")
            self.token = second
        await_that("it is back", lambda: self.ctl("sem/s", "value") == 1)
        expect("holders", b"holder=" in read(f"{self.a}/sem/s@ctl"), False)
        read(f"{self.a}/sem/s")

    def a_broadcast_is_sent(self):
        fd = os.open(f"{self.a}/bcast/c@lines", os.O_RDONLY | os.O_NONBLOCK)
        write(f"{self.b}/bcast/c@lines", b"1\n2\n")
        write(f"{self.a}/bcast/c@lines", b"end\n")
        got = b""
        while not got.endswith(b"end\n"):
            select.select([fd], [], [], PATIENCE)
            got += os.read(fd, 99)
        os.close(fd)
        expect("heard", got, b"1\n2\nend\n")

    def a_broadcast_is_heard(self):
        fd = os.open(f"{self.b}/bcast/c@lines,n=3", os.O_RDONLY)
        write(f"{self.a}/bcast/c@lines", b"1\n2\n", b"3\n")
        expect("heard", read_all(fd), b"1\n2\n3\n")
        os.close(fd)

    def a_queue_is_made_and_removed(self):
        write(f"{self.b}/mq/new", b"x", flags=os.O_WRONLY | os.O_CREAT)
        await_that("it is listed", lambda: sorted(os.listdir(f"{self.a}/mq")) == ["new", "q"])
        expect("in it", read(f"{self.a}/mq/new@drain"), b"x")
        os.chmod(f"{self.b}/mq/new", 0o640)
        # What is remembered of names is put right when the other mount has heard of the change.
        await_that("its mode is seen", lambda: os.stat(f"{self.a}/mq/new").st_mode & 0o777 == 0o640)
        os.unlink(f"{self.b}/mq/new")
        await_that("it is not listed", lambda: os.listdir(f"{self.a}/mq") == ["q"])

    def it_is_looked_at(self):
        expect("listed", os.listdir(f"{self.b}/mq"), ["q"])
        expect("messages", re.search(r"^messages=.*", read(f"{self.b}/mq/q@ctl").decode(), re.M)[0], "messages=0")
        expect("in status", len(re.findall(rb"^mq .* q$", read(f"{self.b}/status"), re.M)), 1)


def sweep(operation, proxy, cuts):
    """Twice without a cut, the second time for the number of bytes; then cut after as many, or as few, of them. Returns how many cuts there were."""
    operation()
    proxy.arm(1 << 40, 1 << 40)
    operation()
    lengths, answers, done = proxy.passed(), proxy.answers(), 0
    steps = [max(1, length // cuts) for length in lengths]
    there, back = (range(step // 2, length, step) for step, length in zip(steps, lengths))
    late = answers[:: max(1, len(answers) // (4 * cuts))]
    for way, places in (("to", there), ("from", back), ("late from", late)):
        for at in places:
            proxy.arm(*((at, -1) if way == "to" else (-1, at)), way == "late from")
            try:
                operation()
            except (Wrong, OSError) as error:
                raise Wrong(f"cut behind byte {at} of {lengths[way != 'to']} {way} the Redis: {error}") from error
            done += proxy.has_cut()
            proxy.arm(-1, -1)
    return done


def main(cuts):
    tmp = tempfile.mkdtemp(prefix="ipcfs-cuts-")
    redis = Redis(tmp)
    proxy = Proxy(tmp, redis.socket)
    a = Daemon(f"{tmp}/a", "-o", f"redis={redis.socket}")
    b = Daemon(f"{tmp}/b", "-o", f"redis={proxy.socket}")
    operations, total, right = Operations(a.dir, b.dir, redis), 0, True
    operations.cut, operations.is_deaf = proxy.has_cut, proxy.is_deaf
    for name in [name for name in vars(Operations) if re.match("(a|lines|jobs|it)_", name)]:
        try:
            done = sweep(getattr(operations, name), proxy, cuts)
        except (Wrong, OSError) as error:
            print(f"cuts: WRONG: {name}: {error}", file=sys.stderr)
            right = False
            break
        print(f"cuts: {name.replace('_', ' ')}: {done}")
        total += done
    right &= all([mount.stop() == 0 for mount in (a, b)])
    os.kill(proxy.pid, signal.SIGKILL)
    os.waitpid(proxy.pid, 0)
    redis.process.kill()
    redis.process.wait()
    shutil.rmtree(tmp)
    print(f"cuts: {total},", "all right" if right else "FAILED")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 12))

"""Jobs with ack: what settling adds to a read, and beside the job queues that a user would pick instead."""

import shutil
import socket
import subprocess
import sys
import time

from bench_shell import need
from sampling import Skip, WrongData

TITLE = "mq with ack: jobs that survive the worker"

PLAIN, ACK = "the same without ack", "ipcfs"
BEANSTALK, REDIS = "beanstalkd: put, reserve, delete", "redis-cli BLMOVE, LREM"

# A sender and a worker in python: argv[1] is which, argv[2] where, argv[3] how many.
IPCFS_JOBS = """
import os, sys
side, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
if side == "send":
    fd = os.open(path + "@lines", os.O_WRONLY)
    for i in range(count):
        os.write(fd, b"job %d\\n" % i)
else:
    with open(f"{path}@lines,ack,n={count}", "rb") as jobs:
        for i, job in enumerate(jobs):
            assert job == b"job %d\\n" % i
    assert i == count - 1
"""
BEANSTALK_JOBS = """
import socket, sys
side, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
server = socket.socket(socket.AF_UNIX)
server.connect(path)
answers = server.makefile("rb")
for i in range(count):
    if side == "send":
        body = b"job %d" % i
        server.sendall(b"put 0 0 60 %d\\r\\n%s\\r\\n" % (len(body), body))
        assert answers.readline().startswith(b"INSERTED")
    else:
        server.sendall(b"reserve\\r\\n")
        _, number, size = answers.readline().split()
        assert answers.read(int(size) + 2) == b"job %d\\r\\n" % i
        server.sendall(b"delete %s\\r\\n" % number)
        assert answers.readline() == b"DELETED\\r\\n"
"""

# A worker in bash: $1 is how many, $2 where.
IPCFS_LOOP = 'n=0; while IFS= read -r job; do n=$((n+1)); done < "$2@lines,ack,n=$1"; [ $n = $1 ]'
REDIS_LOOP = """for ((i = 0; i < $1; i++)); do
    job=$(redis-cli -s "$2" BLMOVE jobs busy LEFT RIGHT 0); redis-cli -s "$2" LREM busy 1 "$job" >/dev/null
done; [ -n "$job" ]"""


def run(bench):
    mount = bench.mount()
    queue, base, _ = bench.queue("ack", 1000)
    path = f"{mount.path}/mq/{base}"
    bench.attempt("read", lambda: reads(bench, queue, path))
    bench.attempt("beanstalkd", lambda: beside_beanstalkd(bench, path))
    bench.attempt("redis", lambda: beside_redis(bench, queue, path))
    bench.unmount(mount)


def reads(bench, queue, path):
    program = bench.sampler.program
    sides = {
        PLAIN: lambda n: program("reads", n, queue, path),
        ACK: lambda n: program("reads", n, queue, f"{path}@ack"),
    }
    results, ratio = bench.sampler.sample(sides, count=2000)
    bench.report.compared("mq read with ack", "ns", results, ACK, PLAIN, ratio(ACK, PLAIN), ("<=", 1.3))


def served(bench, command, path):
    """Starts a server, and returns it when it listens at path."""
    server = bench.spawn(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(1000):
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(path) == 0:
                return server
        time.sleep(0.01)
    raise RuntimeError(f"{command[0]} does not listen")


def pairs(bench, script, path, count):
    """Jobs a second from a sender in python to a worker in python."""
    begin = time.perf_counter()
    worker = bench.spawn([sys.executable, "-c", script, "take", path, str(count)])
    bench.reap(bench.spawn([sys.executable, "-c", script, "send", path, str(count)]))
    bench.reap(worker)
    return count / (time.perf_counter() - begin)


def beside_beanstalkd(bench, path):
    if not shutil.which("beanstalkd"):
        raise Skip("no beanstalkd (Debian: beanstalkd)")
    address = f"{bench.tmp}/beanstalkd"
    served(bench, ["beanstalkd", "-l", f"unix:{address}"], address)
    count = 10000 if bench.quick else 50000
    sides = {
        BEANSTALK: lambda _: pairs(bench, BEANSTALK_JOBS, address, count),
        "ipcfs": lambda _: pairs(bench, IPCFS_JOBS, path, count),
    }
    results, ratio = bench.sampler.sample(sides, repetitions=7)
    bench.report.compared("jobs with ack, python to python", "jobs/s", results, "ipcfs", BEANSTALK, ratio("ipcfs", BEANSTALK), (">=", 2))


def loop(bench, script, count, path):
    begin = time.perf_counter()
    done = subprocess.run(["bash", "-c", script, "bash", str(count), path], timeout=bench.sampler.patience, check=False)
    if done.returncode:
        raise WrongData("the loop in bash did not get its jobs")
    return count / (time.perf_counter() - begin)


def beside_redis(bench, queue, path):
    need("redis-server")
    need("redis-cli")
    address = f"{bench.tmp}/redis"
    served(bench, ["redis-server", "--port", "0", "--unixsocket", address, "--save", "", "--dir", bench.tmp], address)
    fed, count = f"{bench.tmp}/jobs", 500
    with open(fed, "w", encoding="ascii") as jobs:
        jobs.writelines(f"job {i}\n" for i in range(count))

    def ours(_):
        with open(fed, "rb") as jobs:
            bench.reap(bench.spawn([f"{bench.programs}/queue", "send", queue], stdin=jobs))
        return loop(bench, IPCFS_LOOP, count, path)

    def theirs(_):
        with open(fed, "rb") as jobs:
            text = b"".join(b"RPUSH jobs '%s'\n" % job.strip() for job in jobs)
        subprocess.run(["redis-cli", "-s", address], input=text, stdout=subprocess.DEVNULL, check=True)
        return loop(bench, REDIS_LOOP, count, address)

    results, ratio = bench.sampler.sample({REDIS: theirs, "ipcfs": ours}, repetitions=5)
    bench.report.compared("a worker in bash with ack", "jobs/s", results, "ipcfs", REDIS, ratio("ipcfs", REDIS), (">=", 2))

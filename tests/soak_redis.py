"""
soak_redis.py [JOBS [KILLS [SEED]]]: a job queue with ack in a Redis, over four mounts that stand for four machines, while workers, daemons and the Redis
itself are killed all the time, KILLS times (40) a daemon or the Redis. JOBS jobs (100,000) are written through all mounts; eight workers do them.

Each job must be done at least once; and twice only if it was owed at a kill, that is, if it was the last one which a worker had. What
a killed daemon's readers owed comes back when its lease of 30 s is over. $IPCFS names the program; the rest is as in soak_jobs.py.
"""
import itertools
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from soak_jobs import PATIENCE, WORKERS, Daemon, Worker, count, end, fork, read_unsure, send_by_bash, send_by_file, work

MOUNTS, KILLS, PATIENCE_LEASE = 4, 40, 90


class Redis:
    def __init__(self, directory):
        self.dir, self.kills = directory, 0
        self.socket = f"{directory}/socket"
        self.start()

    def say(self, *words):
        return subprocess.run(["redis-cli", "-s", self.socket, *words], capture_output=True, text=True, check=False).stdout

    def start(self):
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.dir, "--save", "",
                                         "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while self.say("PING") != "PONG\n":
            if time.monotonic() > end:
                sys.exit("soak: the Redis does not start")
            time.sleep(0.01)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start()


def start_senders(mounts, tmp, jobs):
    cut = [jobs * i // MOUNTS for i in range(MOUNTS + 1)]
    parts = [range(begin, end) for begin, end in zip(cut, cut[1:])]
    paths = [f"{mount.dir}/mq/jobs@lines" for mount in mounts]
    return [
        fork(send_by_file, paths[0], parts[0], f"{tmp}/unsure-0"),
        fork(send_by_file, paths[1], parts[1], f"{tmp}/unsure-1"),
        fork(send_by_file, paths[2], parts[2], f"{tmp}/unsure-file"),
        fork(send_by_bash, paths[3], parts[3], f"{tmp}/unsure-bash", f"{tmp}/sent-bash"),
    ]


def main(jobs, most, seed):
    random.seed(seed)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not shutil.which("redis-server"):
        sys.exit("soak: no redis-server here")
    tmp = tempfile.mkdtemp(prefix="ipcfs-redis-")
    redis = Redis(tmp)
    mounts = [Daemon(f"{tmp}/m{i}", "-o", f"redis={redis.socket}") for i in range(MOUNTS)]
    with open(f"{mounts[0].dir}/mq/jobs@maxmsg=200", "wb"):
        pass
    begin = time.monotonic()
    senders = start_senders(mounts, tmp, jobs)
    workers = [Worker(command, f"{mounts[i % MOUNTS].dir}/mq/jobs@lines,ack", tmp, i) for i, command in enumerate(WORKERS)]
    turns = itertools.cycle([lambda: redis.kill(), lambda: random.choice(mounts).kill()])
    kills = work(workers, jobs, 0.1, lambda: next(turns)(), most, PATIENCE_LEASE)
    end(workers, senders)
    print(f"soak: {jobs} jobs in {time.monotonic() - begin:.0f} s, {kills} signals to workers, "
          f"{sum(mount.kills for mount in mounts)} kills of daemons, {redis.kills} of the Redis (seed {seed})")
    right = count(workers, jobs, read_unsure(tmp))
    right &= all([mount.stop() == 0 for mount in mounts])
    redis.process.kill()
    redis.process.wait()
    shutil.rmtree(tmp)
    print("soak:", "all right" if right else "FAILED")
    return 0 if right else 1


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    sys.exit(main(*numbers, *(100000, KILLS, random.randrange(1 << 30))[len(numbers):]))

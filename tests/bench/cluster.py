"""What three nodes with three copies cost and how fast they follow each other, on one machine, beside one node alone. Each
case prints one JSON line.

  commands   durable commands over HTTP, through one of three nodes, and at a node alone
  failover   kill -9 and SIGSTOP of the owner of a task: until the first command of that task is answered through another node
  move       one shard of 100,000 events, half of them of one task: from `drain` to the next owner's first answer
  proxy      commands and reads sent to the owner of all shards, and to another node
  catch_up   a node that was down while 50,000 commands were written: until it shows all, by entries and by checkpoints

    python3 tests/bench/cluster.py [--build DIR] [--seconds N] [--lease-ms N] [CASE …]
"""

import argparse
import http.client
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
sys.path.insert(0, str(HERE))

import run  # noqa: E402
from run import MESSAGE, Node, create_tasks, drive, emit, say  # noqa: E402
from tests.system.cluster import Etcd, Member  # noqa: E402

TASKS = 1000
ROUNDS = 5
MOVED_EVENTS = 100_000
MISSED_RECORDS = 50_000


class Nodes:
    """etcd and three nodes, that share a new cluster."""

    def __init__(self, options, folder, shards=256):
        self.folder = pathlib.Path(folder, f"nodes-{shards}")
        self.folder.mkdir()
        self.etcd = Etcd(self.folder)
        subprocess.run([options.build / "troupe", "cluster", "init", self.folder / "cluster", "--insecure", "--shards",
                        str(shards), "--etcd", self.etcd.endpoints[0]], capture_output=True, check=True)
        file = self.folder / "cluster" / "cluster.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "lease_ms": options.lease_ms}))
        self.all = [Member(self.folder, f"n{i + 1}", file, "--sandbox", "none", program=(options.build / "troupe", "serve"))
                    for i in range(3)]

    def __enter__(self):
        for one in self.all:
            one.launch()
        for one in self.all:
            one.ready(120)
        self.rest()
        return self

    def rest(self):
        """Until all is well, and shards are where they belong."""
        while self.all[0].client().read("/cluster")["status"] != "ok":
            time.sleep(0.2)
        time.sleep(3)

    def pids(self):
        return [one.process.pid for one in self.all if one.process] + [p.pid for p in self.etcd.processes]

    def led_by(self, name):
        asked = next(one for one in self.all if one.name != name)
        return next(n["shards_led"] for n in asked.client().read("/cluster")["nodes"] if n["name"] == name)

    def drained(self, name):
        """Seconds until that node led nothing."""
        began = time.monotonic()
        asked = next(one for one in self.all if one.name != name)
        done = asked.cli("cluster", "drain", name, seconds=120)
        if done.returncode != 0:
            raise run.Failed(f"drain {name}: {done.stderr}")
        while self.led_by(name):
            time.sleep(0.02)
        return time.monotonic() - began

    def __exit__(self, *_):
        for one in self.all:
            if one.process:
                one.go_on()
            one.kill9()
        self.etcd.end()


class Asked:
    """A member, as `run.drive` knows nodes."""

    def __init__(self, member):
        self.url, self.key, self.pid = member.url, member.key, member.process.pid
        self.host = self.url.removeprefix("http://")

    ask = Node.ask


def commands(options, folder):
    with Node(options.build / "troupe", pathlib.Path(folder, "alone")) as alone:
        messages = [t + "/messages" for t in create_tasks(alone, TASKS)]
        for connections in (1, 64):
            drive("one_node", alone, folder, "POST", messages, connections, options.seconds, MESSAGE)
    with Nodes(options, folder) as nodes:
        asked = Asked(nodes.all[0])
        tasks = create_tasks(asked, TASKS)
        messages = [t + "/messages" for t in tasks]
        for connections in (1, 64):
            drive("three_nodes", asked, folder, "POST", messages, connections, options.seconds, MESSAGE)
        drive("three_nodes_read", asked, folder, "GET", tasks, 64, options.seconds)


def failover(options, folder):
    with Nodes(options, folder) as nodes:
        for how in (signal.SIGKILL, signal.SIGSTOP):
            times = []
            for number in range(ROUNDS):
                owner, other = nodes.all[number % 3], nodes.all[(number + 1) % 3]
                # A task of each shard, more or less: the slowest of them counts.
                tasks = create_tasks(Asked(other), 200)
                owner.process.send_signal(how)
                began = time.monotonic()
                for task in tasks:
                    while True:
                        connection = http.client.HTTPConnection(other.url.removeprefix("http://"), timeout=2)
                        try:
                            if Asked(other).ask("POST", task + "/messages", MESSAGE, connection)[0] < 300:
                                break
                        except OSError:
                            pass
                        finally:
                            connection.close()
                times.append(time.monotonic() - began)
                if how == signal.SIGSTOP:
                    owner.go_on()
                else:
                    owner.forget()
                    owner.launch().ready(120)
                while other.client().read("/cluster")["status"] != "ok":
                    time.sleep(0.1)
                time.sleep(2)
            emit("failover", signal=how.name, lease_ms=options.lease_ms, rounds=ROUNDS,
                 all_shards_s=[round(t, 2) for t in times])


class Load(run.Meter):
    """What programs took beside our nodes, etcd and clients that ended."""

    def __init__(self, pids):
        super().__init__()
        self.pid, self.cpu = pids, {pid: run.process_cpu_s(pid) for pid in pids}
        self.own = time.process_time()

    def process_s(self):
        return time.process_time() - self.own + sum(run.process_cpu_s(pid) - s for pid, s in self.cpu.items())


def write(asked, folder, paths, count):
    """At least so many messages to these tasks, as fast as they are taken; how many."""
    written = 0
    while written < count:
        written += 5 * drive("seed", asked, folder, "POST", paths, 64, 5, MESSAGE, warm_up_s=0)["ops_per_s"]
    return written


class Prober:
    """One client that sends a command again and again and notes when it was answered."""

    def __init__(self, asked, path):
        self.asked, self.path, self.times, self.stopping, self.refused = asked, path, [], threading.Event(), 0
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        connection = http.client.HTTPConnection(self.asked.host, timeout=30)
        while not self.stopping.is_set():
            if self.asked.ask("POST", self.path, MESSAGE, connection)[0] < 300:
                self.times.append(time.monotonic())
            else:
                self.refused += 1
        connection.close()

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def longest_gap(self, since):
        times = [t for t in self.times if t >= since]
        return max(b - a for a, b in zip([since, *times], times))


def move(options, folder):
    with Nodes(options, folder, shards=1) as nodes:
        asked = Asked(nodes.all[0])
        tasks = [t + "/messages" for t in create_tasks(asked, TASKS)]
        events = sum(write(asked, folder, paths, MOVED_EVENTS // 2) for paths in (tasks, tasks[:1]))
        load, drains, gaps, refused = Load(nodes.pids()), [], [], 0
        for _ in range(2 * ROUNDS):
            owner = next(one for one in nodes.all if nodes.led_by(one.name))
            prober = Prober(Asked(next(one for one in nodes.all if one is not owner)), tasks[0])
            try:
                time.sleep(1)
                began = time.monotonic()
                drains.append(nodes.drained(owner.name))
                time.sleep(1)
            finally:
                prober.stop()
            gaps.append(prober.longest_gap(began))
            refused += prober.refused
            owner.cli("cluster", "resume", owner.name)
            nodes.rest()
        emit("move", shards=1, events=events, drain_s=rounded(drains), longest_wait_s=rounded(gaps), refused=refused,
             foreign_cores=load.foreign_cores())


def rounded(seconds):
    return [round(s, 3) for s in seconds]


def proxy(options, folder):
    with Nodes(options, folder) as nodes:
        owner, other = nodes.all[0], nodes.all[1]
        for name in ("n2", "n3"):
            nodes.drained(name)
        tasks = create_tasks(Asked(owner), TASKS)
        messages = [t + "/messages" for t in tasks]
        for connections in (1, 16):
            load = Load(nodes.pids())
            for _ in range(3):  # in turns, since the machine changes
                for through, node in (("owner", owner), ("another", other)):
                    drive("proxy", Asked(node), folder, "POST", messages, connections, options.seconds, MESSAGE, through=through)
                    drive("proxy_read", Asked(node), folder, "GET", tasks, connections, options.seconds, through=through)
            emit("proxy_all", connections=connections, foreign_cores=load.foreign_cores())


def catch_up(options, folder):
    for shards, by in ((256, "entries"), (1, "checkpoints")):  # a shard keeps 16 MiB of changes for who was away
        with Nodes(options, folder, shards) as nodes:
            asked, away = Asked(nodes.all[0]), nodes.all[2]
            tasks = [t + "/messages" for t in create_tasks(asked, TASKS)]
            away.kill9()
            records = write(asked, folder, tasks, MISSED_RECORDS)
            size = stored_bytes(nodes.all[0])
            began = time.monotonic()
            away.launch()
            load = Load(nodes.pids())
            away.ready(120)
            ready = time.monotonic() - began
            client = away.client()
            while client.get("/tasks?limit=1", seconds=60).status != 200:  # shows what all owners have answered
                time.sleep(0.02)
            took = time.monotonic() - began
            emit("catch_up", shards=shards, by=by, records=records, ready_s=round(ready, 2), all_s=round(took, 2),
                 records_per_s=round(records / took), donor_mb=size >> 20, foreign_cores=load.foreign_cores())


def stored_bytes(member):
    return sum(p.stat().st_size for p in member.directory.rglob("*") if p.is_file())


CASES = {f.__name__: f for f in (commands, failover, move, proxy, catch_up)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build" / "release")
    parser.add_argument("--seconds", type=int, default=5, help="of a measured run")
    parser.add_argument("--lease-ms", type=int, default=2000)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], metavar="CASE")
    options = parser.parse_args()
    options.build = options.build.resolve()
    for case in options.cases or CASES:
        say(case)
        with tempfile.TemporaryDirectory(prefix="bench-cluster-") as folder:
            CASES[case](options, folder)


if __name__ == "__main__":
    main()

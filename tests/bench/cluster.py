"""What three nodes with three copies cost and how fast they follow each other, on one machine, beside one node alone. Each
case prints one JSON line.

  commands   durable commands over HTTP, through one of three nodes, and at a node alone
  failover   kill -9 and SIGSTOP of the owner of a task: until the first command of that task is answered through another node

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
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
sys.path.insert(0, str(HERE))

from run import MESSAGE, Node, create_tasks, drive, emit, say  # noqa: E402
from tests.system.cluster import Etcd, Member  # noqa: E402

TASKS = 1000
ROUNDS = 5


class Nodes:
    """etcd and three nodes, that share a new cluster."""

    def __init__(self, options, folder):
        self.folder = pathlib.Path(folder)
        self.etcd = Etcd(self.folder)
        subprocess.run([options.build / "troupe", "cluster", "init", self.folder / "cluster", "--insecure", "--etcd",
                        self.etcd.endpoints[0]], capture_output=True, check=True)
        file = self.folder / "cluster" / "cluster.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "lease_ms": options.lease_ms}))
        self.all = [Member(self.folder, f"n{i + 1}", file, "--sandbox", "none", program=(options.build / "troupe", "serve"))
                    for i in range(3)]

    def __enter__(self):
        for one in self.all:
            one.launch()
        for one in self.all:
            one.ready(120)
        while self.all[0].client().read("/cluster")["status"] != "ok":
            time.sleep(0.2)
        time.sleep(3)  # shards still go where they belong
        return self

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


CASES = {f.__name__: f for f in (commands, failover)}


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

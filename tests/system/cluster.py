"""etcd and nodes of a cluster for the tests: real processes on loopback, in folders of their own."""

import http.client
import json
import shutil
import signal
import subprocess
import threading
import time
import unittest
import urllib.request

from tests.system.node import Client, Node, NodeTest, TROUPE, free_port, new_key, poll


class Etcd:
    """One member, or several; `inside` is what their command lines begin with."""

    def __init__(self, folder, members=1, address="127.0.0.1", inside=()):
        self.folder, self.address, self.inside = folder, address, inside
        self.places = [(f"m{i}", free_port(), free_port()) for i in range(members)]
        self.processes = [None] * members
        for i in range(members):
            self.start(i)
        for i in range(members):
            poll("etcd is well", lambda i=i: self.is_well(i))

    @property
    def endpoints(self):
        return [f"http://{self.address}:{client}" for _, client, _ in self.places]

    def start(self, i):
        name, client, peer = self.places[i]
        cluster = ",".join(f"{n}=http://127.0.0.1:{p}" for n, _, p in self.places)
        with open(self.folder / f"etcd-{name}.log", "ab") as log:
            self.processes[i] = subprocess.Popen(
                [*self.inside, "etcd", "--name", name, "--data-dir", self.folder / f"etcd-{name}",
                 "--listen-client-urls", f"http://{self.address}:{client}",
                 "--advertise-client-urls", f"http://{self.address}:{client}",
                 "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                 "--initial-cluster", cluster, "--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap"],
                stdout=log, stderr=log)

    def is_well(self, i):
        try:
            with urllib.request.urlopen(f"http://{self.address}:{self.places[i][1]}/health", timeout=2) as answer:
                return json.load(answer).get("health") == "true"
        except OSError:
            return False

    def leader(self):
        """The number of the member that leads; None: none that is well says so."""
        for client in (port for i, (_, port, _) in enumerate(self.places) if self.is_well(i)):
            asked = urllib.request.Request(f"http://{self.address}:{client}/v3/maintenance/status", b"{}")
            with urllib.request.urlopen(asked, timeout=2) as answer:
                said = json.load(answer)
                if said["leader"] == said["header"]["member_id"]:
                    return next(i for i, place in enumerate(self.places) if place[1] == client)
        return None

    def send(self, i, what):
        if self.processes[i] and self.processes[i].poll() is None:
            self.processes[i].send_signal(what)

    def kill(self, i):
        self.send(i, signal.SIGKILL)
        if self.processes[i]:
            self.processes[i].wait()

    def end(self):
        for i in range(len(self.processes)):
            self.kill(i)


class Member(Node):
    """A node of a cluster; the ports of its edge and of its links stay the same when it is started again."""

    def __init__(self, folder, name, cluster_file, *flags, address="127.0.0.1", **more):
        self.name, self.edge_port, self.link_port = name, free_port(), free_port()
        super().__init__(folder / name, "--cluster.file", cluster_file, "--cluster.name", name,
                         "--cluster.listen", f"{address}:{self.link_port}", "--listen", f"{address}:{self.edge_port}",
                         *flags, **more)

    def ready(self, seconds=60):
        """Of one that was launched: waits for its line."""
        line = self.process.stdout.readline().decode().strip()
        if not line.startswith("troupe ready "):
            raise AssertionError(f"{self.name} did not start: {line!r}\n{self.log.read_text(errors='replace')[-3000:]}")
        self.url = line.removeprefix("troupe ready ")
        return self

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def answers(self):
        """Whether it shows what the cluster has, within three seconds."""
        client = Client(self.url, self.key)
        try:
            return client.get("/projects", seconds=3).status == 200
        except OSError:
            return False
        finally:
            client.close()


@unittest.skipUnless(shutil.which("etcd"), "there is no etcd on this machine")
class ClusterTest(NodeTest):
    """etcd and `nodes` members, which share a folder that `troupe cluster init` made."""

    nodes_count = 3
    etcd_members = 1
    shards = 16
    lease_ms = 2000

    def setUp(self):
        super().setUp()
        self.etcd = self.start_etcd()
        self.addCleanup(self.etcd.end)
        flags = [word for url in self.etcd.endpoints for word in ("--etcd", url)]
        made = subprocess.run([TROUPE, "cluster", "init", self.folder / "cluster", "--insecure", "--shards", str(self.shards),
                               *flags], capture_output=True, text=True, check=False)
        self.assertEqual(made.returncode, 0, made)
        self.cluster_file = self.folder / "cluster" / "cluster.json"
        said = json.loads(self.cluster_file.read_text())
        said["lease_ms"] = self.lease_ms
        self.cluster_file.write_text(json.dumps(said))
        self.members = [self.member(f"n{i + 1}") for i in range(self.nodes_count)]

    def start_etcd(self):
        return Etcd(self.folder, self.etcd_members)

    def member(self, name, *flags):
        made = Member(self.folder, name, self.cluster_file, "--sandbox", "none", *flags)
        self.nodes.append(made)
        return made

    def start_all(self):
        for m in self.members:
            m.launch()
        for m in self.members:
            m.ready()
        return self.members

    def leads(self, asked, name):
        """How many shards the node of that name leads, as another one sees it."""
        return next(n["shards_led"] for n in asked.client().read("/cluster")["nodes"] if n["name"] == name)


class Writers:
    """Clients that make tasks and change one project, each through any node that answers, and note what was answered. A
    request that fails is sent again with the same key, so that it is done once."""

    def __init__(self, members, threads=4):
        self.members, self.stopping = members, threading.Event()
        self.answered = {}  # title -> id
        self.versions = []  # of the project, as they were answered
        self.times = []  # of answers
        self.errors = []
        self.lock = threading.Lock()
        self.project = members[0].client().create("/projects", {"name": "shared"})["id"]
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def once(self, method, path, body, node):
        """One request with a key of its own, at any node, until it is answered or the test ends."""
        headers = {"Idempotency-Key": new_key()}
        while True:
            member = self.members[node[0] % len(self.members)]
            client = Client(member.url, member.key)
            try:
                reply = client.request(method, path, body, headers=headers, seconds=3)
                if reply.status < 300:
                    return reply
                if reply.status < 500 and reply.status != 429:
                    self.errors.append(f"{method} {path} at {member.name}: {reply}")
                    return None
            except (OSError, http.client.HTTPException):
                pass
            finally:
                client.close()
            if self.stopping.is_set():
                return None
            node[0] += 1
            time.sleep(0.02)

    def work(self, number):
        node = [number]
        count = 0
        while not self.stopping.is_set():
            count += 1
            title = f"task {number}/{count}"
            made = self.once("POST", "/tasks", {"title": title}, node)
            changed = self.once("PATCH", f"/projects/{self.project}", {"description": title}, node)
            with self.lock:
                if made:
                    self.answered[title] = made.json["id"]
                    self.times.append(time.monotonic())
                if changed:
                    self.versions.append(changed.json["version"])
            node[0] += 1

    def wait_for(self, more, seconds=60):
        """Until so many more tasks were answered."""
        wanted = len(self.answered) + more
        poll(f"{more} more answers", lambda: len(self.answered) >= wanted, seconds)

    def longest_gap(self):
        """Between two answers, in seconds."""
        return max((b - a for a, b in zip(self.times, self.times[1:])), default=0)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def check(self, test, members):
        """What was answered is there, once, whoever is asked."""
        test.assertEqual(self.errors, [])
        for member in members:
            tasks = member.client().all("/tasks")
            titles = [t["title"] for t in tasks]
            test.assertEqual(len(titles), len(set(titles)), f"{member.name} shows a task twice")
            known = {t["title"]: t["id"] for t in tasks}
            lost = {title: id for title, id in self.answered.items() if known.get(title) != id}
            test.assertEqual(lost, {}, f"{member.name} lost what was answered")
        test.assertEqual(len(self.versions), len(set(self.versions)), "two changes were given one version")

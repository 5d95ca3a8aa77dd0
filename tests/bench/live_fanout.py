"""The case "websocket": fan-out to 1,000 subscribers beside node's `ws` in the same run, latency at 50 events a second,
and idle connections. The clients are those of fanout.cpp for both."""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
SUBSCRIBERS = 1000
IDLE = 10_000
EVENTS_PER_S = 50
PEER_BYTES = 200


class Clients:
    """bench_fanout: connects, waits to be told to begin, and says what came."""

    def __init__(self, binary, port, connections, seconds, rate, path, subscribe="", posts=None, key=""):
        arguments = [binary, port, connections, seconds, rate, path, subscribe] + ([posts] if posts else [])
        self.process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=dict(os.environ, BENCH_KEY=key))
        self._line()

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"bench_fanout: {self.process.stderr.read().strip()}")
        return json.loads(line)

    def run(self, bench, server):
        """What came, with what the server used; `foreign_cores` is without both."""
        meter = bench.Meter(server)
        before, began = bench.process_cpu_s(self.process.pid), time.monotonic()
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        found = self._line()
        own = bench.process_cpu_s(self.process.pid) - before
        took = time.monotonic() - began
        return found, {"server_cores": round(meter.process_s() / took, 2), "client_cores": round(own / took, 2),
                       "foreign_cores": round(max(0.0, meter.foreign_cores() - own / took), 2)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has no VmRSS")


def find_ws():
    """The package `ws` as bin/install-packages puts it there; none: the peer is left out, and that is said."""
    tools = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "troupe" / "node-tools"
    found = pathlib.Path(os.environ.get("BENCH_WS") or tools / "node_modules" / "ws")
    there = shutil.which("node") and found.is_dir()
    return found if there and int(ws_version(found).split(".")[0]) >= 8 else None


def ws_version(folder):
    return json.loads((folder / "package.json").read_text())["version"]


def peer(bench, clients, ws, connections, seconds, rate, size):
    server = subprocess.Popen(["node", str(HERE / "ws_peer.cjs"), str(ws), str(rate), str(size)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        before = resident_kb(server.pid)
        with Clients(clients, port, connections, seconds, rate, "/") as them:
            each = round((resident_kb(server.pid) - before) * 1024 / connections)
            server.stdin.write("go\n")
            server.stdin.flush()
            found, used = them.run(bench, server.pid)
        bench.emit("websocket_fanout", system="node-ws-" + ws_version(ws), rate=rate, **found, rss_bytes_each=each, **used)
        return found
    finally:
        server.stdin.close()
        server.terminate()
        server.wait()
        server.stdout.close()


def troupe(bench, options, folder, clients, name, tasks, seconds, rate, more=()):
    with bench.Node(options.build / "troupe", pathlib.Path(folder, name), more) as node:
        paths = pathlib.Path(folder, name + ".paths")
        paths.write_text("".join(t + "/messages\n" for t in bench.create_tasks(node, tasks)))
        port = node.host.rsplit(":", 1)[1]
        before = resident_kb(node.pid)
        subscribe = '{"op":"subscribe","channels":["tasks/*"]}'
        with Clients(clients, port, SUBSCRIBERS, seconds, rate, "/api/v1/ws", subscribe, paths, node.key) as them:
            each = round((resident_kb(node.pid) - before) * 1024 / SUBSCRIBERS)
            found, used = them.run(bench, node.pid)
        bench.emit("websocket_fanout", system="troupe", rate=rate, tasks=tasks, **found, rss_bytes_each=each, **used)
        return found


def idle(bench, options, folder, clients):
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if allowed < IDLE + 1000:
        bench.emit("websocket_idle", skipped=f"only {allowed} open files are allowed here (ulimit -Hn)")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    with bench.Node(options.build / "troupe", pathlib.Path(folder, "idle")) as node:
        port = node.host.rsplit(":", 1)[1]
        for subscribe in ("", '{"op":"subscribe","channels":["agent_status"]}'):
            before = resident_kb(node.pid)
            with Clients(clients, port, IDLE, options.seconds, 0, "/api/v1/ws", subscribe, None, node.key) as them:
                each = round((resident_kb(node.pid) - before) * 1024 / IDLE)
                found, used = them.run(bench, node.pid)
            bench.emit("websocket_idle", connections=IDLE, subscribed=bool(subscribe),
                       lost_connections=found["lost_connections"], rss_bytes_each=each, **used)


def websocket(bench, options, folder):
    clients = options.build / "bench_fanout"
    ws = find_ws()
    if not ws:
        bench.emit("websocket_fanout", system="node-ws", skipped="`ws` is not installed: bin/install-packages test")
    for _ in range(options.rounds):
        ours = troupe(bench, options, folder, clients, f"fan{_}", 1, options.seconds, 0)
        troupe(bench, options, folder, clients, f"wide{_}", 1000, options.seconds, 0)
        for size in (PEER_BYTES, round(ours["bytes_each"])) if ws else ():
            peer(bench, clients, ws, SUBSCRIBERS, options.seconds, 0, size)
    troupe(bench, options, folder, clients, "slow", 1, options.seconds, EVENTS_PER_S)
    if ws:
        peer(bench, clients, ws, SUBSCRIBERS, options.seconds, EVENTS_PER_S, PEER_BYTES)
    idle(bench, options, folder, clients)

#!/usr/bin/env python3
"""Benchmarks of Troupe: one JSON line a case on stdout, what goes on meanwhile on stderr.

Usage: run.py [--build DIR] [--data DIR] [--seconds N] [CASE ...]     (bin/bench builds release first)

Cases, in the order in which they run when none is named:
  fsync          fdatasync of 4 kB appends: what a durable command with one client cannot be faster than
  start_up       exec to "troupe ready" and to the first 200, on an empty directory and on one million events
  http_commands  durable commands over HTTP with a key, 1 to 512 connections; one hot task; reads; health
  overload       durable commands of 512 connections, then of 2,000 and of twice, four and eight times as many
  steady         --steady-minutes at half of the maximum: memory, p99.9, stalls
  million        a million agents: memory, the first page of the list, ten thousand active
  actors         calls, spawning and memory of actors
  entities       durable commands without HTTP; memory of active and passivated entities
  recovery       a million events after a crash: to the first answer, and until all is replayed
  websocket      fan-out to 1,000 WebSockets beside node's `ws`, 50 events a second, 10,000 idle connections

foreign_cores says how much of the processors other programs took while a case ran: above 0.25 the figures are provisional.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import live_fanout

HERE = pathlib.Path(__file__).resolve().parent
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
TASKS = 1000
MESSAGE = json.dumps({"content": "x" * 200})
READY_S = 60
EVENTS = 1_000_000


class Failed(Exception):
    """A case that could not be measured."""


def emit(case, **fields):
    print(json.dumps({"case": case, **fields}), flush=True)


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# ---- processors and memory


def busy_s():
    """Processor seconds of the whole machine, without idle and iowait."""
    ticks = [int(t) for t in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) * TICK_S


def process_cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise Failed(f"process {pid} has no VmRSS")


def children_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Meter:
    """How many cores other programs took, beside our children (after they ended) and one running process."""

    def __init__(self, pid=None):
        self.pid = pid
        self.began = time.monotonic()
        self.busy = busy_s()
        self.children = children_cpu_s()
        self.process = process_cpu_s(pid) if pid else 0.0

    def process_s(self):
        return process_cpu_s(self.pid) - self.process

    def foreign_cores(self):
        ours = children_cpu_s() - self.children + (self.process_s() if self.pid else 0.0)
        return round(max(0.0, busy_s() - self.busy - ours) / (time.monotonic() - self.began), 2)


# ---- a node


class Node:
    """`troupe serve` on a free port; stopped by its pid."""

    def __init__(self, binary, data, more=()):
        self.data = pathlib.Path(data)
        self.data.mkdir(parents=True, exist_ok=True)
        self.log_path = self.data.parent / (self.data.name + ".log")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TROUPE_", "OPENAI_"))}
        began = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [binary, "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", *more],
                stdout=subprocess.PIPE, stderr=log, env=environment)
        self.pid = self.process.pid
        try:
            self.url = self._ready_line(began)
            self.ready_s = time.monotonic() - began
            self.host = self.url.removeprefix("http://")
            status = self.ask("GET", "/health")[0]
            if status != 200:
                raise Failed(f"GET /health answered {status}")
            self.first_200_s = time.monotonic() - began
        except BaseException:
            self.stop()
            raise
        self.key = (self.data / "admin.key").read_text().strip()

    def _ready_line(self, began):
        os.set_blocking(self.process.stdout.fileno(), False)
        text = b""
        while b"\n" not in text:
            text += self.process.stdout.read() or b""
            if self.process.poll() is not None or time.monotonic() - began > READY_S:
                raise Failed(f"the node did not get ready: {self.log_path.read_text()[-2000:]}")
            time.sleep(0.0002)
        line = text.decode().splitlines()[0]
        if not line.startswith("troupe ready http://"):
            raise Failed(f"the node said {line!r}")
        return line.split()[-1]

    def ask(self, method, path, body=None, connection=None):
        kept = connection or http.client.HTTPConnection(self.host, timeout=30)
        headers = {"Content-Type": "application/json"}
        if hasattr(self, "key"):
            headers["Authorization"] = f"Bearer {self.key}"
        kept.request(method, path, body, headers)
        answer = kept.getresponse()
        text = answer.read()
        if not connection:
            kept.close()
        return answer.status, text

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                say(f"the node {self.pid} did not end after SIGTERM; killed")
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def create_tasks(node, count, connections=8):
    """The paths of new tasks, made over a few kept connections."""
    kept = queue.SimpleQueue()
    for _ in range(connections):
        kept.put(http.client.HTTPConnection(node.host, timeout=30))

    def create(number):
        connection = kept.get()
        try:
            status, text = node.ask("POST", "/api/v1/tasks", json.dumps({"title": f"Task {number}"}), connection)
        finally:
            kept.put(connection)
        if status != 201:
            raise Failed(f"POST /api/v1/tasks answered {status}: {text[:300]!r}")
        return "/api/v1/tasks/" + json.loads(text)["id"]

    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        return list(pool.map(create, range(count)))


# ---- cases


def drive(case, node, folder, method, paths, connections, seconds, body=None, warm_up_s=2.0, environ=(), **more):
    """A warm-up, then the measured run; prints its line and returns what it found."""
    path_file = pathlib.Path(folder, "paths")
    path_file.write_text("\n".join(paths) + "\n")
    environment = dict(os.environ, BENCH_METHOD=method, BENCH_PATHS=str(path_file), BENCH_KEY=node.key,
                       **dict(environ))
    if body:
        environment["BENCH_BODY"] = body

    def wrk(duration):
        command = ["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{duration}s", "--timeout", "20s",
                   "-s", str(HERE / "run.lua"), node.url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=duration + 60)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode != 0 or not lines:
            raise Failed(f"wrk: {done.stderr[-500:] or done.stdout[-500:]}")
        return json.loads(lines[-1])

    if warm_up_s:
        wrk(max(1, round(warm_up_s)))
    meter = Meter(node.pid)
    found = wrk(seconds)
    cpu_s = meter.process_s()
    requests = max(1, found.pop("requests"))
    if not found["overloaded"]:
        found.pop("overloaded")
    emit(case, connections=connections, **more, **found, cpu_us_per_op=round(cpu_s / requests * 1e6, 1),
         rss_mb=resident_mb(node.pid), foreign_cores=meter.foreign_cores())
    return found


def http_commands(options, folder):
    with Node(options.build / "troupe", pathlib.Path(folder, "data")) as node:
        say(f"creating {TASKS} tasks")
        tasks = create_tasks(node, TASKS)
        messages = [t + "/messages" for t in tasks]

        def run(case, method, paths, connections, body=None, **more):
            drive(case, node, folder, method, paths, connections, options.seconds, body, **more)

        run("http_health", "GET", ["/health"], 64)
        run("http_read_task", "GET", tasks, 64)
        for connections in (1, 64, 512):
            run("http_command", "POST", messages, connections, MESSAGE, tasks=TASKS)
        run("http_command", "POST", messages[:1], 64, MESSAGE, tasks=1)


def steady(options, folder):
    """Half of what the node can do, for minutes: the memory has to be flat."""
    with Node(options.build / "troupe", pathlib.Path(folder, "data")) as node:
        messages = [t + "/messages" for t in create_tasks(node, TASKS)]
        best = drive("steady_maximum", node, folder, "POST", messages, 64, options.seconds, MESSAGE)["ops_per_s"]
        connections, wanted = 256, best / 2
        resident, stop = [], threading.Event()

        def watch():
            while not stop.wait(10):
                resident.append(resident_mb(node.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            drive("steady", node, folder, "POST", messages, connections, round(options.steady_minutes * 60), MESSAGE,
                  environ={"BENCH_DELAY_MS": f"{connections / wanted * 1000:.1f}"}, wanted_ops_per_s=round(wanted))
        finally:
            stop.set()
            watcher.join()
        emit("steady_memory", rss_mb=resident)


def million(options, folder):
    with Node(options.build / "troupe", pathlib.Path(folder, "data")) as node:
        agent = '{"name": "agent-%d", "model": "rehearsal/default", "instructions": "Answer in one sentence."}'
        made = 0
        while made < options.agents:
            seconds = min(30, max(1, round((options.agents - made) / 12000)))
            made += round(seconds * drive("million_agents_made", node, folder, "POST", ["/api/v1/agents"], 128, seconds,
                                          agent.replace("agent-", f"agent-{made}-"), warm_up_s=0,
                                          environ={"BENCH_NAMED": "1"})["ops_per_s"])
        took = []
        for _ in range(50):
            began = time.perf_counter()
            status, text = node.ask("GET", "/api/v1/agents?limit=50")
            took.append((time.perf_counter() - began) * 1e3)
            if status != 200 or len(json.loads(text)["items"]) != 50:
                raise Failed(f"the list answered {status}")
        took.sort()
        emit("million_agents", agents=made, rss_mb=resident_mb(node.pid), first_page_p50_ms=round(took[25], 2),
             first_page_max_ms=round(took[-1], 2))


def overload(options, folder):
    """Goodput and memory when more is asked for than can be done."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with Node(options.build / "troupe", pathlib.Path(folder, "data")) as node:
        messages = [t + "/messages" for t in create_tasks(node, TASKS)]
        best = 0
        for times, connections in ((0.25, 512), (1, 2000), (2, 4000), (4, 8000), (8, 16000)):
            # Thousands of connections take seconds to be made.
            found = drive("overload", node, folder, "POST", messages, connections, max(10, options.seconds), MESSAGE,
                          times=times)
            best = max(best, found["ops_per_s"])
            say(f"{connections} connections: {found['ops_per_s'] / best:.0%} of the best goodput")


def fsync(options, folder):
    took = []
    block = b"x" * 4096
    file = os.open(pathlib.Path(folder, "appended"), os.O_CREAT | os.O_RDWR, 0o600)
    meter = Meter(os.getpid())
    until = time.monotonic() + min(3, options.seconds)
    while time.monotonic() < until:
        began = time.perf_counter()
        os.write(file, block)
        os.fdatasync(file)
        took.append(time.perf_counter() - began)
    os.close(file)
    took.sort()
    emit("fsync", bytes=len(block), ops_per_s=round(len(took) / sum(took)), p50_ms=round(took[len(took) // 2] * 1e3, 3),
         p99_ms=round(took[len(took) * 99 // 100] * 1e3, 3), foreign_cores=meter.foreign_cores())


def start_up(options, folder):
    def measure(data, runs, **more):
        """The median of some starts: the first one on a directory also makes keys."""
        found = []
        meter = Meter()
        for _ in range(runs):
            with Node(options.build / "troupe", data() if callable(data) else data) as node:
                found.append((node.first_200_s, node.ready_s, resident_mb(node.pid)))
        first, ready, rss = sorted(found)[runs // 2]
        emit("start_up", **more, ready_ms=round(ready * 1e3, 1), first_200_ms=round(first * 1e3, 1), rss_mb=rss, runs=runs,
             foreign_cores=meter.foreign_cores())

    measure(lambda: tempfile.mkdtemp(dir=folder), 5, events=0)
    full = pathlib.Path(folder, "full")
    say(f"writing {EVENTS} events")
    program(options, "recovery", "write", str(full), str(EVENTS), "1000")
    measure(full, 1, events=EVENTS, after="kill -9")
    measure(full, 5, events=EVENTS, after="SIGTERM")


def program(options, name, *arguments):
    """Runs bench_NAME and passes its lines on."""
    meter = Meter()
    with subprocess.Popen([options.build / f"bench_{name}", *arguments], stdout=subprocess.PIPE, text=True) as process:
        lines = [json.loads(line) for line in process.stdout]
    if process.returncode != 0:
        raise Failed(f"bench_{name} ended with {process.returncode}")
    foreign = meter.foreign_cores()
    for line in lines:
        emit(**line, foreign_cores=foreign)


def actors(options, _):
    program(options, "actors")


def entities(options, folder):
    program(options, "entities", folder, str(options.seconds))


def recovery(options, folder):
    program(options, "recovery", folder, str(EVENTS))


def agent_runs(options, folder):
    program(options, "agent_runs", folder)


def sandbox(options, _):
    program(options, "sandbox", options.build / "troupe-runner")


def websocket(options, folder):
    live_fanout.websocket(sys.modules[__name__], options, folder)


CASES = {f.__name__: f for f in (fsync, start_up, http_commands, overload, steady, million, actors, entities, recovery,
                                 agent_runs, sandbox, websocket)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent.parent / "build" / "release")
    parser.add_argument("--data", type=pathlib.Path, help="where data goes; default: the build folder")
    parser.add_argument("--seconds", type=int, default=5, help="of a measured run")
    parser.add_argument("--steady-minutes", type=float, default=10, help="of the case steady")
    parser.add_argument("--agents", type=int, default=1_000_000, help="of the case million")
    parser.add_argument("--rounds", type=int, default=1, help="of the case websocket: peer and node in turn")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    options = parser.parse_args()
    unknown = [c for c in options.cases if c not in CASES]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    options.build = options.build.resolve()
    failures = 0
    for case in options.cases or CASES:
        folder = tempfile.mkdtemp(prefix="bench-", dir=options.data or options.build)
        say(case)
        try:
            CASES[case](options, folder)
        except (Failed, RuntimeError, OSError, subprocess.SubprocessError, http.client.HTTPException) as e:
            failures += 1
            emit(case, error=str(e))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

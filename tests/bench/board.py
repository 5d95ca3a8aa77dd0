#!/usr/bin/env python3
"""Benchmarks of the board: one JSON line a case on stdout, as run.py.

Usage: board.py [--build DIR] [--data DIR] [--tasks N] [--seconds N]     (bin/bench builds release first)

  create_task    POST /tasks until there are N: a number from the board, then the task, both on disk
  board          GET /board, 50 tasks a column, over N tasks
  working_text   GET /state/working-md over N tasks
  move           POST /tasks/{id}/status: within a column, in front of another task
  message        POST /tasks/{id}/messages; message_mention: with an @name in it
  activities     GET /activities, the newest 50 of all that happened
  search         GET /search over all tasks: a rare word, a common one, and a phrase; once the index has all of them
  heartbeats     N agents of --agents whose heartbeat is due every 30 s: what the node's processor does in a minute
"""

import argparse
import http.client
import json
import pathlib
import shutil
import tempfile
import time

from run import Failed, Meter, Node, drive, emit, resident_mb, say

HERE = pathlib.Path(__file__).resolve().parent


def fill(node, folder, count, seconds):
    """Tasks until there are that many; their ids of the newest page."""
    made = 0
    while made < count:
        drive("create_task", node, folder, "POST", ["/api/v1/tasks"], 64, seconds, '{"title":"Task %d"}', warm_up_s=0,
              environ={"BENCH_NAMED": "1"})
        status, text = node.ask("POST", "/api/v1/tasks", '{"title":"the last one"}')
        if status != 201:
            raise Failed(f"POST /tasks answered {status}: {text[:300]!r}")
        made = int(json.loads(text)["key"].split("-")[1])
        say(f"{made} tasks")
    status, text = node.ask("GET", "/api/v1/tasks?limit=200")
    return made, [task["id"] for task in json.loads(text)["items"]]


def searches(node, folder, seconds, count):
    began = time.monotonic()
    last = f"/api/v1/search?q=%22Task+{count - 1}%22"
    while True:  # the index follows the journal
        status, text = node.ask("GET", "/api/v1/search?q=last")
        if status == 200 and json.loads(text)["items"]:
            break
        time.sleep(0.2)
    say(f"the index has all after {time.monotonic() - began:.1f} s more")
    for words, path in (("rare", "/api/v1/search?q=last"), ("common", "/api/v1/search?q=task"), ("phrase", last)):
        drive("search", node, folder, "GET", [path], 1, seconds, words=words, tasks=count)


def heartbeats(node, agents, interval_ms=30_000):
    kept = http.client.HTTPConnection(node.host, timeout=30)
    for n in range(agents):
        body = json.dumps({"name": f"a{n}", "heartbeat": {"interval_ms": interval_ms}})
        status, text = node.ask("POST", "/api/v1/agents", body, kept)
        if status != 201:
            raise Failed(f"POST /agents answered {status}: {text[:300]!r}")
    say(f"{agents} agents")
    time.sleep(interval_ms / 1000)  # all have begun
    meter = Meter(node.pid)
    time.sleep(2 * interval_ms / 1000)
    took = time.monotonic() - meter.began
    emit("heartbeats", agents=agents, interval_ms=interval_ms, processor_percent=round(100 * meter.process_s() / took, 1),
         rss_mb=resident_mb(node.pid), foreign_cores=meter.foreign_cores())
    kept.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent.parent / "build" / "release")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--agents", type=int, default=10_000)
    options = parser.parse_args()
    folder = options.data or pathlib.Path(tempfile.mkdtemp(prefix="troupe-bench-"))
    try:
        with Node(options.build / "troupe", folder / "data") as node:
            count, ids = fill(node, folder, options.tasks, options.seconds)
            status, _ = node.ask("POST", "/api/v1/agents", '{"name":"scout"}')
            if status != 201:
                raise Failed(f"POST /agents answered {status}")

            def run(case, method, paths, connections, body=None):
                drive(case, node, folder, method, paths, connections, options.seconds, body, tasks=count)

            run("board", "GET", ["/api/v1/board"], 1)
            run("board", "GET", ["/api/v1/board"], 16)
            run("working_text", "GET", ["/api/v1/state/working-md"], 1)
            run("activities", "GET", ["/api/v1/activities"], 1)
            paths = [f"/api/v1/tasks/{task}" for task in ids]
            run("move", "POST", [p + "/status" for p in paths[1:]], 16,
                json.dumps({"status": "inbox", "before": ids[0]}))
            run("message", "POST", [p + "/messages" for p in paths], 64, json.dumps({"content": "x" * 200}))
            searches(node, folder, options.seconds, count)
            run("message_mention", "POST", [p + "/messages" for p in paths], 64,
                json.dumps({"content": "Look, @scout: " + "x" * 186}))
        with Node(options.build / "troupe", folder / "agents") as node:
            heartbeats(node, options.agents)
    finally:
        if not options.data:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

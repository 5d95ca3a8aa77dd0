#!/usr/bin/env python3
"""Benchmarks of the board: one JSON line a case on stdout, as run.py.

Usage: board.py [--build DIR] [--data DIR] [--tasks N] [--seconds N]     (bin/bench builds release first)

  create_task    POST /tasks until there are N: a number from the board, then the task, both on disk
  board          GET /board, 50 tasks a column, over N tasks
  working_text   GET /state/working-md over N tasks
  move           POST /tasks/{id}/status: within a column, in front of another task
  message        POST /tasks/{id}/messages; message_mention: with an @name in it
  activities     GET /activities, the newest 50 of all that happened
"""

import argparse
import json
import pathlib
import shutil
import tempfile

from run import Failed, Node, drive, say

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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent.parent / "build" / "release")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=5)
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
            run("message_mention", "POST", [p + "/messages" for p in paths], 64,
                json.dumps({"content": "Look, @scout: " + "x" * 186}))
    finally:
        if not options.data:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

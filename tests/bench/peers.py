#!/usr/bin/env python3
"""Durable commands of Troupe beside its peers, in one run on one machine: one JSON line a case.

Usage: tests/bench/peers.py [--drivers DIR] [--lab DIR] [--seconds N] [PEER ...]     (default: restate erlang)

The drivers (shared/peers) install Restate from npm and Erlang from Debian into the lab (as root), start a fresh server
for each case and end it. A peer that cannot be had is named, and the others are measured. The ports of the drivers are
fixed: one at a time. Troupe's lines are those of the case http_commands (tests/bench/run.py).
"""

import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONNECTIONS = (1, 64, 512)


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def emit(**fields):
    print(json.dumps(fields), flush=True)


def set_up(drivers, lab, peers):
    """Those of the peers that can be had here."""
    there = []
    for peer in peers:
        say(f"installing {peer} into {lab}")
        done = subprocess.run(["bash", str(drivers / "setup.sh"), str(lab), peer], capture_output=True, text=True)
        if done.returncode == 0:
            there.append(peer)
        else:
            emit(case="durable-command", system=peer, error=(done.stderr or done.stdout).strip()[-300:])
    return there


def measure(lab, peer, connections, seconds):
    command = ["bash", str(lab / "peers" / peer / "bench.sh"), str(connections), str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 4 + 120)
    except subprocess.TimeoutExpired:
        emit(case="durable-command", system=peer, concurrency=connections, error="did not end in time")
        return
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if lines:
        print(lines[-1], flush=True)
    else:
        emit(case="durable-command", system=peer, concurrency=connections, error=done.stderr.strip()[-300:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=pathlib.Path, default=ROOT.parent / "shared" / "peers")
    parser.add_argument("--lab", type=pathlib.Path, default=pathlib.Path("/opt/lab"), help="where peers are installed")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--seconds", type=int, default=5, help="of a measured run")
    parser.add_argument("peers", nargs="*", default=["restate", "erlang"], metavar="PEER")
    options = parser.parse_args()
    if not (options.drivers / "setup.sh").is_file():
        parser.error(f"no drivers in {options.drivers}; name the folder with --drivers")
    there = set_up(options.drivers, options.lab, options.peers)
    subprocess.run([sys.executable, str(HERE / "run.py"), "--build", str(options.build), "--seconds",
                    str(options.seconds), "fsync", "http_commands"], check=False)
    for connections in CONNECTIONS:
        for peer in there:
            measure(options.lab, peer, connections, options.seconds)
    return 0 if len(there) == len(options.peers) else 1


if __name__ == "__main__":
    sys.exit(main())

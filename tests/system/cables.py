"""Machines on one machine: a network namespace for each, all at one switch, with cables that can be pulled."""

import os
import subprocess


def ip(*words):
    return subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, check=False)


def why_not():
    """Why namespaces cannot be had here; empty: they can."""
    name = f"trp{os.getpid()}x"
    try:
        made = ip("netns", "add", name)
    except FileNotFoundError:
        return "there is no `ip` on this machine"
    if made.returncode != 0:
        return f"network namespaces cannot be made here: {made.stderr.strip()}"
    bridge = ip("link", "add", f"{name}b", "type", "bridge")
    ip("link", "del", f"{name}b")
    ip("netns", "del", name)
    return "" if bridge.returncode == 0 else f"bridges cannot be made here: {bridge.stderr.strip()}"


class Switch:
    """This machine is plugged in with `address`; others with `plug`. Everything goes with `end`."""

    def __init__(self):
        self.name = f"trp{os.getpid() % 100_000}"
        self.net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.address = f"{self.net}.1"
        self.places = {}  # name -> (namespace, cable, address)
        self.must("link", "add", self.name, "type", "bridge")
        self.must("addr", "add", f"{self.address}/24", "dev", self.name)
        self.must("link", "set", self.name, "up")

    def must(self, *words):
        done = ip(*words)
        if done.returncode != 0:
            raise AssertionError(f"ip {' '.join(map(str, words))}: {done.stderr}")

    def plug(self, name):
        """A machine of that name; its address."""
        number = len(self.places) + 2
        space, cable = f"{self.name}{name}", f"{self.name}c{number}"
        address = f"{self.net}.{number}"
        self.places[name] = (space, cable, address)
        self.must("netns", "add", space)
        self.must("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        self.must("link", "set", cable, "master", self.name)
        self.must("link", "set", cable, "up")
        self.must("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        self.must("-n", space, "link", "set", "eth0", "up")
        self.must("-n", space, "link", "set", "lo", "up")
        return address

    def inside(self, name):
        """What a command line begins with that is run at that machine."""
        return ("ip", "netns", "exec", self.places[name][0])

    def cut(self, name):
        self.must("link", "set", self.places[name][1], "down")

    def mend(self, name):
        self.must("link", "set", self.places[name][1], "up")

    def lose(self, sender, receiver):
        """What one machine sends to the other goes to a card that nobody has; the other way all is as before."""
        self.must("-n", self.places[sender][0], "neigh", "replace", self.places[receiver][2], "lladdr", "02:00:00:00:00:99",
                  "dev", "eth0", "nud", "permanent")

    def find(self, sender, receiver):
        """After `lose`: it is sent to the right one again."""
        ip("-n", self.places[sender][0], "neigh", "del", self.places[receiver][2], "dev", "eth0")

    def part(self, one, others):
        """Neither sends to the other."""
        for other in others:
            self.lose(one, other)
            self.lose(other, one)

    def join(self, one, others):
        for other in others:
            self.find(one, other)
            self.find(other, one)

    def end(self):
        for space, cable, _ in self.places.values():
            ip("link", "del", cable)
            ip("netns", "del", space)
        ip("link", "del", self.name)

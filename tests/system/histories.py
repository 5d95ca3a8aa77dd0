"""What clients saw of a cluster while it was disturbed, and whether one entity at a time could have answered so.

`Clients` change and read projects through all nodes and write down each operation. Two checkers judge what they wrote:
`violations` compares it with the versions that were told and with the journal, `is_linearizable` knows neither: it
looks for an order of the operations that explains all answers."""

import collections
import dataclasses
import http.client
import itertools
import math
import random
import threading
import time

from tests.system.node import Client, new_key, poll

NEVER = math.inf  # answered: not while anybody watched


@dataclasses.dataclass(frozen=True)
class Operation:
    """Times are of the one clock of all clients. The values of all writes and swaps differ."""

    entity: str
    kind: str  # "write"; "swap": a write under the condition that the entity is at version `expected`; "read"
    outcome: str  # "ok"; "refused": a swap that found another version; "unknown": done at any time since, or never
    invoked: float
    answered: float = NEVER
    value: str = None  # written, or seen by a read
    version: int = None  # told with "ok": the entity's, with this value
    expected: int = None
    replaces: str = None  # the value that a swap knew at version `expected`
    node: str = ""  # that answered; for people

    @property
    def writes(self):
        return self.kind != "read"


# ---- with versions and the journal


class History:
    """Of one entity: its operations, and the values that its journal has in the end, those of version 1 first."""

    def __init__(self, operations, journal):
        self.operations, self.journal = operations, journal
        self.versions = {value: i for i, value in enumerate(journal, 1)}

    def value_at(self, version):
        return self.journal[version - 1] if 1 <= version <= len(self.journal) else None

    def version_of(self, operation):
        """Which the operation saw or made; None where it made none. Of an unknown write the journal tells."""
        if operation.outcome == "ok":
            return operation.version
        return self.versions.get(operation.value) if operation.outcome == "unknown" else None


def lost_writes(history):
    for o in history.operations:
        if o.writes and o.outcome == "ok" and history.value_at(o.version) != o.value:
            yield f"the journal has {history.value_at(o.version)!r} at the version of {o}"


def doubled_writes(history):
    for value, times in collections.Counter(history.journal).items():
        if times > 1:
            yield f"{value!r} is {times} times in the journal"


def doubled_versions(history):
    told = collections.Counter(o.version for o in history.operations if o.writes and o.outcome == "ok")
    for version, times in told.items():
        if times > 1:
            yield f"version {version} was told for {times} writes"


def foreign_events(history):
    asked = {o.value for o in history.operations if o.writes and o.outcome != "refused"}
    for value in history.journal[1:]:  # the first one made the entity, before the clients came
        if value not in asked:
            yield f"{value!r} is in the journal, and nobody asked for it, or was refused"


def wrong_reads(history):
    for o in history.operations:
        if o.kind == "read" and history.value_at(o.version) != o.value:
            yield f"the journal has {history.value_at(o.version)!r} at the version of {o}"


def wrong_swaps(history):
    for o in history.operations:
        if o.kind != "swap":
            continue
        if o.outcome == "ok" and o.version != o.expected + 1:
            yield f"another write came between what it knew and {o}"
        if o.outcome == "refused" and not any((history.version_of(other) or 0) > o.expected and other.invoked < o.answered
                                              for other in history.operations):
            yield f"the entity was at the version that it asked for during all of {o}"


def out_of_order(history):
    """What was answered before another one was asked came before it."""
    ends = sorted((o for o in history.operations if history.version_of(o) and o.answered != NEVER), key=lambda o: o.answered)
    newest, next_end = None, 0
    for o in sorted(history.operations, key=lambda o: o.invoked):
        while next_end < len(ends) and ends[next_end].answered < o.invoked:
            if newest is None or history.version_of(ends[next_end]) > history.version_of(newest):
                newest = ends[next_end]
            next_end += 1
        version = history.version_of(o)
        if newest is None or version is None:
            continue
        least = history.version_of(newest) + (1 if o.writes else 0)
        if version < least:
            yield f"{o} has version {version}, after {newest} was answered"


RULES = (lost_writes, doubled_writes, doubled_versions, foreign_events, wrong_reads, wrong_swaps, out_of_order)


def violations(operations, journals, rules=RULES):
    """What one entity at a time cannot have answered, a sentence each. `journals`: {entity: values}."""
    found = []
    for entity, history in by_entity(operations).items():
        judged = History(history, journals.get(entity, []))
        found += [f"{rule.__name__}: {sentence}" for rule in rules for sentence in rule(judged)]
    return found


def by_entity(operations):
    found = collections.defaultdict(list)
    for o in operations:
        found[o.entity].append(o)
    return found


# ---- without them


def is_linearizable(operations, first):
    """Whether a register that holds `first` could have answered these operations of one entity (Wing and Gong, with the
    memory of Lowe: what was done with which value left is tried once)."""
    operations = sorted((o for o in operations if may_matter(o, operations)), key=lambda o: o.invoked)
    all_known = sum(1 << i for i, o in enumerate(operations) if o.outcome != "unknown")
    start = (0, first)
    seen, stack = {start}, [start]
    while stack:
        done, value = stack.pop()
        if done & all_known == all_known:
            return True
        for further in steps(operations, done, value):
            if further not in seen:
                seen.add(further)
                stack.append(further)
    return False


def may_matter(o, operations):
    """Of an unknown write that nobody saw nothing follows, but that a swap may have been refused for it."""
    return o.outcome != "unknown" or any(other.outcome == "refused" or o.value in (other.value, other.replaces)
                                         for other in operations if other is not o)


def steps(operations, done, value):
    """Where one more operation leads: (which are done, what the register holds)."""
    first_answer = min((o.answered for i, o in enumerate(operations) if not done >> i & 1), default=NEVER)
    writes = []
    for i, o in enumerate(operations):
        if o.invoked > first_answer:
            break
        if done >> i & 1:
            continue
        fits, left = perform(o, value)
        if fits and left == value and o.outcome != "unknown":
            return [(done | 1 << i, value)]  # it changes nothing: it may as well come now
        if fits:
            writes.append((done | 1 << i, left))
    return writes


def perform(o, value):
    """(whether a register with this value answers so, what it holds then)"""
    if o.kind == "read":
        return o.value == value, value
    if o.outcome == "refused":
        return o.replaces != value, value
    return o.kind == "write" or o.replaces == value, o.value


# ---- clients


class Clients:
    """Threads that change and read some projects through all nodes until `stop`. A request that gets no answer is sent
    again with the same key, at the next node, for as long as the clients work."""

    def __init__(self, members, threads=6, entities=12, seed=1, seconds=1.5):
        self.members, self.seconds, self.stopping = members, seconds, threading.Event()
        self.operations, self.errors, self.lock = [], [], threading.Lock()
        self.values = itertools.count(1)
        self.known = {}  # entity -> (version, value), as somebody was told last
        for i in range(entities):
            made = members[i % len(members)].client().create("/projects", {"name": f"entity {i}", "description": "first"})
            self.known[made["id"]] = (made["version"], made["description"])
        self.entities = sorted(self.known)
        self.threads = [threading.Thread(target=self.work, args=(random.Random(f"{seed}/{i}"),)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def work(self, chance):
        open_clients = {}
        try:
            while not self.stopping.is_set():
                for entity in chance.sample(self.entities, len(self.entities)):
                    kind = chance.choice(("write", "write", "swap", "read", "read"))
                    self.note(self.operate(kind, entity, chance, open_clients))
                    if self.stopping.is_set():
                        break
        except Exception as e:  # pylint: disable=broad-except
            self.errors.append(repr(e))  # a test that lost a client proves less than it says
            raise
        finally:
            for client in open_clients.values():
                client.close()

    def note(self, operation):
        if operation is None:
            return
        with self.lock:
            self.operations.append(operation)
            if operation.outcome == "ok" and operation.version > self.known[operation.entity][0]:
                self.known[operation.entity] = (operation.version, operation.value)

    def operate(self, kind, entity, chance, clients):
        """One operation; None: a read that nobody answered, or an answer that cannot be (see `errors`)."""
        path, headers, value, version, old = f"/projects/{entity}", {}, None, None, None
        method, body = "GET", None
        if kind != "read":
            value = f"value {next(self.values)}"
            method, body, headers = "PATCH", {"description": value}, {"Idempotency-Key": new_key()}
        if kind == "swap":
            with self.lock:
                version, old = self.known[entity]
            headers["If-Match"] = f'"{version}"'
        began = time.monotonic_ns()
        reply, node = self.once(method, path, body, headers, chance, clients)
        told = {"entity": entity, "kind": kind, "invoked": began, "value": value, "expected": version, "replaces": old}
        if reply is None:
            return None if kind == "read" else Operation(outcome="unknown", **told)
        told |= {"answered": time.monotonic_ns(), "node": node}
        if kind == "swap" and reply.status == 412:
            return Operation(outcome="refused", **told)
        if reply.status != 200 or kind != "read" and reply.json["description"] != value:
            self.errors.append(f"{method} {path} {body} at {node}: {reply}")
            return None
        return Operation(outcome="ok", **{**told, "version": reply.json["version"], "value": reply.json["description"]})

    def once(self, method, path, body, headers, chance, clients):
        """(the answer and who gave it); a read is sent once, a write until it is answered or the clients have to end."""
        member = chance.choice(self.members)
        while True:
            client = clients.get(member.url)
            if client is None or client.key != member.key:
                client = clients[member.url] = Client(member.url, member.key)
            try:
                reply = client.request(method, path, body, headers=headers, seconds=self.seconds)
                if reply.status < 500 and reply.status != 429:
                    return reply, member.name
            except (OSError, http.client.HTTPException):
                client.close()
            if self.stopping.is_set() or method == "GET":
                return None, member.name
            time.sleep(0.02)
            member = self.members[(self.members.index(member) + 1) % len(self.members)]

    def wait_for(self, more, seconds=60):
        """Until so many more writes were acknowledged of each entity: each shard of theirs has an owner that works."""
        def counts():
            with self.lock:
                made = collections.Counter(o.entity for o in self.operations if o.writes and o.outcome == "ok")
            return [made[e] for e in self.entities]
        wanted = [count + more for count in counts()]
        poll(f"{more} more writes of each entity", lambda: all(a >= b for a, b in zip(counts(), wanted)), seconds)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def check(self, test, members):
        """After `stop`: every node has the same journal, and it explains all that was seen."""
        test.assertEqual(self.errors, [])
        journals = [journals_of(member, set(self.entities)) for member in members]
        for member, journal in zip(members, journals):
            test.assertEqual(journal, journals[0], f"{member.name} and {members[0].name} show different pasts")
        test.assertEqual(violations(self.operations, journals[0]), [])
        for entity, history in by_entity(self.operations).items():
            test.assertTrue(is_linearizable(history, "first"), history)
        for member in members:
            for entity in self.entities:
                shown, journal = member.client().read(f"/projects/{entity}"), journals[0][entity]
                test.assertEqual((shown["version"], shown["description"]), (len(journal), journal[-1]), member.name)


def journals_of(member, entities):
    """{entity: the values that its events gave it, in order}"""
    found, ids = collections.defaultdict(list), set()
    for event in member.client().all("/events"):
        kind, _, entity = event["channel"].partition("/")
        if kind == "projects" and entity in entities:
            if event["id"] in ids:
                raise AssertionError(f"{member.name} shows an event twice: {event}")
            ids.add(event["id"])
            found[entity].append(event["data"]["description"])
    return dict(found)

"""Two releases of one program, which store differently, in one cluster: node by node, under load, and back."""

import json
import threading
import uuid

from tests.system.cluster import ClusterTest
from tests.system.examples_test import build_examples
from tests.system.node import SECONDS_MAX, poll

BOOKS = [f"018f3c5e-0000-7000-8000-{i:012d}" for i in range(1, 9)]
FEATURES_AFTER_MS = 1000


class Guests:
    """They sign all books, through any node that answers, each guest once in each."""

    def __init__(self, members):
        self.members, self.stopping, self.signed, self.errors = members, threading.Event(), [], []
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        count = 0
        while not self.stopping.is_set():
            count += 1
            book, guest = BOOKS[count % len(BOOKS)], f"guest {count}"
            if self.sign(book, guest, count):
                self.signed.append((book, guest))

    def sign(self, book, guest, at):
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        while not self.stopping.is_set():
            at += 1
            client = self.members[at % len(self.members)].client()
            try:
                reply = client.post(f"/guestbooks/{book}/sign", {"guest": guest}, headers=headers, seconds=3)
                if reply.status < 300:
                    return True
                if reply.status < 500 and reply.status != 429:
                    self.errors.append(repr(reply))
                    return False
            except OSError:
                pass
            finally:
                client.close()
            self.stopping.wait(0.02)
        return False

    def wait_for(self, more):
        wanted = len(self.signed) + more
        poll(f"{more} more guests", lambda: len(self.signed) >= wanted, SECONDS_MAX)

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Features(ClusterTest):
    @classmethod
    def setUpClass(cls):
        build_examples(cls, "guestbook_1", "guestbook_2")

    def setUp(self):
        super().setUp()
        said = json.loads(self.cluster_file.read_text())
        said["features_after_ms"] = FEATURES_AFTER_MS
        self.cluster_file.write_text(json.dumps(said))
        for m in self.members:
            self.release(m, 1)
        self.start_all()
        self.guests = Guests(self.members)
        self.addCleanup(self.guests.stop)

    def release(self, member, number):
        member.program = (self.built / f"guestbook_{number}",)

    def change(self, member, number):
        """The node ends and comes back as that release, and serves."""
        member.stop()
        self.release(member, number)
        member.launch()
        member.ready()
        self.guests.wait_for(30)

    def view(self, member=None):
        return (member or self.members[0]).client().read("/cluster")

    def names(self, member, book):
        said = member.client().read(f"/guestbooks/{book}")
        return said["guests"] if "guests" in said else [e["guest"] for e in said["entries"]]

    def check_all_nodes_show_all(self):
        self.guests.stop()
        self.assertEqual(self.guests.errors, [])
        self.assertGreater(len(self.guests.signed), 100)
        for member in self.members:
            shown = [(book, guest) for book in BOOKS for guest in self.names(member, book)]
            self.assertEqual(len(shown), len(set(shown)), f"{member.name} shows a guest twice")
            self.assertEqual(set(self.guests.signed) - set(shown), set(), f"{member.name} lost guests")

    def sign(self, member, book, guest, mood):
        return member.client().ok("POST", f"/guestbooks/{book}/sign", {"guest": guest, "mood": mood})

    def test_node_by_node_and_what_is_new_is_on_when_all_can_read_it(self):
        n1, n2, n3 = self.members
        self.change(n1, 2)
        self.change(n2, 2)
        view = self.view(n1)
        self.assertEqual(view["features"], [])
        self.assertEqual(view["features_waiting"], [{"feature": "moods", "nodes": ["n3"]}])
        said = n1.cli("cluster", "status").stdout
        self.assertIn("The feature moods is off until a program that knows it runs at n3.", said)
        for book in BOOKS:  # the owner may be any node: what the old one cannot read is left out
            last = self.sign(n1, book, "early", "glad")
            self.assertNotIn("glad", json.dumps(last))
        closed = [n1.client().post(f"/guestbooks/{book}/close") for book in BOOKS]
        refused = [r for r in closed if r.status == 503]
        self.assertTrue(refused, closed)  # by the owners that know of it
        self.assertTrue(all("'moods'" in r.json["detail"] for r in refused), refused)
        self.assertTrue(all(r.status in (422, 503) for r in closed), closed)

        self.change(n3, 2)
        for m in self.members:
            poll(f"moods are on at {m.name}", lambda m=m: self.view(m)["features"] == ["moods"], SECONDS_MAX)
        for book in BOOKS:
            last = self.sign(n2, book, "late", "glad")
            self.assertEqual(last["entries"][-1], {"guest": "late", "mood": "glad"})
        closed = n3.client().post(f"/guestbooks/{BOOKS[0]}/close")
        self.assertEqual((closed.status, closed.json["closed"]), (200, True), closed)
        self.guests.stop()
        self.guests.errors = [e for e in self.guests.errors if "This book is closed" not in e]
        self.check_all_nodes_show_all()

        n3.stop()  # nobody goes back from here
        self.release(n3, 1)
        n3.launch()
        n3.process.wait(timeout=SECONDS_MAX)
        self.assertNotEqual(n3.process.returncode, 0)
        self.assertIn("the feature 'moods' is on", n3.log.read_text(errors="replace"))
        self.release(n3, 2)
        n3.launch()
        n3.ready()
        self.assertEqual(n3.client().read(f"/guestbooks/{BOOKS[0]}")["closed"], True)

    def test_the_old_release_comes_back_and_reads_what_the_new_one_wrote(self):
        n1, n2, n3 = self.members
        for member in (n1, n2):
            self.change(member, 2)
        for member in (n1, n2):
            self.change(member, 1)
        for member in self.members:  # each as the only one that has just read all from its disk
            member.kill9()
            member.launch()
            member.ready()
        self.guests.wait_for(30)
        self.check_all_nodes_show_all()

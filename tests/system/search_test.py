"""Search: tasks, messages, documents and runs are found by their words, by those who may read them, also after a kill."""

import shutil
from urllib.parse import quote

from tests.system.cluster import ClusterTest
from tests.system.identity_test import IdentityTest
from tests.system.node import poll


class SearchTest(IdentityTest):
    def setUp(self):
        super().setUp()
        self.one = self.node("--sandbox", "none").start()
        self.api = self.one.client()

    def again(self, *, meanwhile=None):
        self.one.kill9()
        if meanwhile:
            meanwhile()
        self.one.start()
        self.api = self.one.client()

    def find(self, q, **more):
        query = "".join(f"&{name}={quote(str(value))}" for name, value in more.items())
        return self.api.read(f"/search?q={quote(q)}{query}")["items"]

    def ids(self, q, **more):
        return [item["id"] for item in self.find(q, **more)]

    def found(self, q, *ids, **more):
        def same():
            """An index that is being made anew says so."""
            query = "".join(f"&{name}={quote(str(value))}" for name, value in more.items())
            reply = self.api.get(f"/search?q={quote(q)}{query}")
            return reply.status != 503 and sorted(i["id"] for i in self.status(reply, 200).json["items"]) == sorted(ids)
        poll(f"{q} finds {ids}", same)

    def found_again(self, q, *ids):
        """Also when the index is damaged, which is said until it is made anew."""
        def same():
            reply = self.api.get(f"/search?q={quote(q)}&limit=200")
            if reply.status == 503:
                return False
            return sorted(item["id"] for item in self.status(reply, 200).json["items"]) == sorted(ids)
        poll(f"{q} finds {len(ids)} again", same)

    def task(self, title, **more):
        return self.api.create("/tasks", {"title": title, **more})

    def say(self, task, text):
        return self.api.create(f"/tasks/{task['id']}/messages", {"content": text})

    def test_words_of_tasks_messages_documents_and_runs_are_found_as_they_are_now(self):
        task = self.task("Fix the rounding of sums", description="Halves go wrong, see the walrus.")
        said = self.say(task, "The walrus prefers bananas.")
        document = self.api.create("/documents", {"title": "Notes", "content": "# Walrus\n\nLives in the *sea*."})
        self.found("walrus", task["id"], said["id"], document["id"])
        self.found("rounded sum", task["id"])  # in any form
        self.found('"prefers bananas"', said["id"])
        self.found('"bananas prefers"')
        self.found("walrus -bananas", task["id"], document["id"])
        self.found("banan*", said["id"])
        self.found("TASK-001", task["id"])
        self.found("walrus", said["id"], type="message")
        self.found("walrus", task["id"], status="inbox")
        self.found("walrus", task["id"], said["id"], task=task["id"])
        self.found("walrus", until="2020-01-01T00:00:00Z")
        shown = self.find("walrus", type="document")[0]
        self.assertEqual((shown["type"], shown["title"], shown["url"]), ("document", "Notes", f"/documents/{document['id']}"))
        self.assertIn({"text": "Walrus", "match": True}, shown["snippet"])
        self.status(self.api.put(f"/messages/{said['id']}", {"content": "The seal prefers pears."}), 200)
        self.found("pears", said["id"])
        self.found("bananas")
        self.status(self.api.put(f"/documents/{document['id']}", {"content": "Of otters."}), 200)
        self.found("otters", document["id"])
        self.found("sea")
        self.status(self.api.delete(f"/messages/{said['id']}"), 204)
        self.found("pears")
        self.say(task, "Otters again.")
        self.found("otter", document["id"], *[m["id"] for m in self.api.all(f"/tasks/{task['id']}/messages")][-1:])
        self.status(self.api.delete(f"/tasks/{task['id']}"), 204)
        self.found("otter", document["id"])
        self.status(self.api.delete(f"/documents/{document['id']}"), 204)
        self.found("otter")

    def test_runs_are_found_by_goal_and_result(self):
        flags, model = self.script("done", 'rules:\n  - call: [{tool: finish, arguments: {result: "A porcupine."}}]\n')
        self.one.stop()
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()
        run = self.api.create("/runs", {"goal": "Which animal has quills?", "model": model})
        self.found("quills", run["id"], type="run")
        self.found("porcupine", run["id"], status="succeeded")

    def test_a_title_counts_for_more_and_pages_follow_each_other(self):
        body = self.task("Something else", description="In the text there is a zebra, once.")
        title = self.task("The zebra", description="Of another thing that is long enough to weigh.")
        self.found("zebra", body["id"], title["id"])
        self.assertEqual(self.ids("zebra"), [title["id"], body["id"]])
        first = self.api.read("/search?q=zebra&limit=1")
        rest = self.api.read(f"/search?q=zebra&limit=1&cursor={first['next_cursor']}")
        self.assertEqual([i["id"] for i in first["items"] + rest["items"]], [title["id"], body["id"]])
        self.assertIsNone(rest["next_cursor"])

    def test_bad_questions_are_refused_with_the_place(self):
        for q in ("", "   ", "-only", '"open', "a*b", "ab*", "muchtoolongforit*x", "muchmuchtoolongforit*", "x " * 40, "y" * 1001):
            reply = self.api.get(f"/search?q={quote(q)}")
            self.assertIn(reply.status, (400, 422), q)
        self.assertIn("q, at byte 4", self.api.get("/search?q=abc%22").json["detail"])
        for more in ("type=user", "since=now", "cursor=zzz", "limit=0"):
            self.assertIn(self.api.get(f"/search?q=a&{more}").status, (400, 422), more)

    def test_a_kill_loses_nothing_and_a_damaged_or_missing_index_is_made_again(self):
        kept = self.task("The first giraffe")
        self.found("giraffe", kept["id"])
        more = [self.task(f"Giraffe {n}")["id"] for n in range(50)]
        self.again()
        self.found("giraffe", kept["id"], *more, limit=200)
        index = self.one.directory / "search"
        folder = next(p for p in index.iterdir() if p.is_dir())

        def damage():
            for file in folder.glob("*.glass"):
                file.write_bytes(b"\0" * 8192)
        self.again(meanwhile=damage)
        self.found_again("giraffe", kept["id"], *more)
        self.again(meanwhile=lambda: shutil.rmtree(folder))
        self.found_again("giraffe", kept["id"], *more)
        self.again(meanwhile=lambda: shutil.rmtree(index))
        self.found_again("giraffe", kept["id"], *more)
        self.status(self.api.post("/search/rebuild"), 202)
        self.found_again("giraffe", kept["id"], *more)

    def test_nothing_of_the_texts_is_on_disk(self):
        task = self.task("Hippopotamus", description="rhinoceros")
        self.found("rhinoceros", task["id"])
        self.one.stop()
        for file in (self.one.directory / "search").rglob("*"):
            if file.is_file():
                kept = file.read_bytes().lower()
                for word in (b"hippo", b"rhino"):
                    self.assertNotIn(word, kept, file)

    def seen(self, api, q):
        return [item["id"] for item in api.read(f"/search?q={q}")["items"]]

    def test_others_find_nothing_of_an_organization_and_of_private_documents(self):
        there = self.organization(self.one, "Other", slug="other")
        other, _ = self.person(self.one, "olga@example.org", organization="other")
        ann, ann_tokens = self.person(self.one, "ann@example.org", "member")
        bob, bob_tokens = self.person(self.one, "bob@example.org", "member")
        boss, _ = self.person(self.one, "boss@example.org", "admin")
        here = self.task("An ocelot")
        theirs = other.create("/tasks", {"title": "An ocelot of theirs"})
        secret = ann.create("/documents", {"title": "Ocelot", "content": "hush", "visibility": "private"})["id"]
        self.found("ocelot", here["id"], secret)
        poll("the other one is found", lambda: self.seen(other, "ocelot") == [theirs["id"]])
        self.assertEqual(self.seen(bob, "ocelot"), [here["id"]])
        self.assertEqual(set(self.seen(ann, "ocelot")), {here["id"], secret})
        self.assertEqual(set(self.seen(boss, "ocelot")), {here["id"], secret})
        ann.ok("POST", f"/documents/{secret}/share", {"user_ids": [bob_tokens["user"]["id"]], "access": "read"})
        self.assertEqual(set(self.seen(bob, "ocelot")), {here["id"], secret})
        key = boss.create("/api-keys", {"name": "tasks", "scopes": ["task:read"]})["key"]
        only_tasks = self.one.client(key=key)
        self.assertEqual(self.seen(only_tasks, "ocelot"), [here["id"]])
        self.status(only_tasks.get("/search?q=ocelot&type=document"), 403, "forbidden")
        folder = self.one.directory / "search" / there["id"]
        self.assertTrue(folder.exists())
        self.status(other.delete(f"/organizations/{there['id']}?confirm=other"), 202)
        poll("its index is removed", lambda: not folder.exists())
        poll("the others are found", lambda: set(self.seen(boss, "ocelot")) == {here["id"], secret})


class SearchInClusterTest(ClusterTest):
    def test_every_node_finds_what_any_was_told_also_when_it_was_dead_meanwhile(self):
        nodes = self.start_all()
        ids = [nodes[n % 3].client().create("/tasks", {"title": f"Pelican {n}"})["id"] for n in range(6)]

        def all_found(node, count):
            found = [i["id"] for i in node.client().read("/search?q=pelican&limit=200")["items"]]
            return sorted(found) == sorted(ids) and len(found) == count
        for node in nodes:
            poll(f"{node.name} finds all", lambda node=node: all_found(node, 6))
        nodes[2].kill9()
        ids += [nodes[n % 2].client().create("/tasks", {"title": f"Pelican {n}"})["id"] for n in range(6, 12)]
        nodes[2].start()
        for node in nodes:
            poll(f"{node.name} finds all", lambda node=node: all_found(node, 12))

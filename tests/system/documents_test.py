"""Documents: versions that survive, HTML that is safe, and who sees what."""

import html.parser
import json
import re
import uuid

from tests.system.identity_test import IdentityTest
from tests.system.node import REPOSITORY, stream

ELEMENTS = set("a blockquote br code del em h1 h2 h3 h4 h5 h6 hr input li ol p pre strong table tbody td th thead tr ul".split())
ATTRIBUTES = {"a": {"href", "rel", "title"}, "code": {"class"}, "td": {"align"}, "th": {"align"}, "ol": {"start"},
              "input": {"type", "checked", "disabled"}}
ATTEMPTS = (REPOSITORY / "tests/fixtures/markdown/attempts.md").read_text().split("\n%%%%\n")
LIMIT = 1 << 20


class Judge(html.parser.HTMLParser):
    """Notes all that a page may not have."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.wrong, self.tags = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ELEMENTS:
            self.wrong.append(tag)
        for name, value in attributes:
            if name not in ATTRIBUTES.get(tag, ()):
                self.wrong.append(f"{tag} {name}")
            scheme = re.match(r"[\s\x00-\x20]*([^:/?#]*):", value or "") if name == "href" else None
            if scheme and scheme[1].lower() not in ("http", "https", "mailto"):
                self.wrong.append(value)
        if tag == "a" and dict(attributes).get("rel") != "noopener noreferrer nofollow":
            self.wrong.append("a without rel")
        if tag == "input" and dict(attributes).get("type") != "checkbox":
            self.wrong.append("input")

    def handle_decl(self, declaration):
        self.wrong.append(declaration)

    def handle_comment(self, text):
        self.wrong.append(text)

    def handle_pi(self, text):
        self.wrong.append(text)

    def unknown_decl(self, text):
        self.wrong.append(text)


class DocumentsTest(IdentityTest):
    def make(self, api, title="Rounding", **more):
        return api.create("/documents", {"title": title, **more})["id"]

    def titles(self, api, query=""):
        return [d["title"] for d in api.all("/documents" + query)]

    # ---- versions

    def test_versions_are_there_after_a_kill_and_come_back(self):
        node = self.node().start()
        api = node.client()
        long = "".join(f"line {i} ünïcode\n" for i in range(5000))
        document = self.make(api, content="# One\n\nfirst\n", type="research", labels=["sums"])
        api.ok("PUT", f"/documents/{document}", {"content": "# One\n\nsecond\n"})
        api.ok("PATCH", f"/documents/{document}", {"content": long, "title": "Rounding of sums"})
        node.kill9()
        node.start()
        api = node.client()
        shown = api.read(f"/documents/{document}")
        self.assertEqual((shown["version"], shown["content"], shown["title"]), (3, long, "Rounding of sums"))
        self.assertEqual(shown["bytes"], len(long.encode()))
        versions = api.all(f"/documents/{document}/versions", limit=2)
        self.assertEqual([v["version"] for v in versions], [3, 2, 1])
        self.assertTrue(all(v["created_by"] == "key/admin" and "content" not in v for v in versions))
        self.assertEqual(api.read(f"/documents/{document}/versions/1")["content"], "# One\n\nfirst\n")
        restored = api.create(f"/documents/{document}/restore", {"version": 1})
        node.kill9()
        node.start()
        api = node.client()
        self.assertEqual((restored["version"], "content" in restored), (4, False))
        self.assertEqual(api.read(f"/documents/{document}")["content"], "# One\n\nfirst\n")
        self.assertEqual(api.all(f"/documents/{document}/versions")[0]["restored_from"], 1)
        same = api.create(f"/documents/{document}/restore", {"version": 4})
        self.assertEqual(same["version"], 4)

    def test_diff_says_what_changed(self):
        api = self.node().start().client()
        document = self.make(api, content="a\nb\nc\n")
        self.assertEqual(api.read(f"/documents/{document}/diff"), {"from": 1, "to": 1, "diff": ""})
        api.ok("PUT", f"/documents/{document}", {"content": "a\nB\nc\n"})
        api.ok("PUT", f"/documents/{document}", {"content": "a\nB\nC\n"})
        self.assertIn("@@ -1,3 +1,3 @@\n a\n B\n-c\n+C\n", api.read(f"/documents/{document}/diff")["diff"])
        whole = api.read(f"/documents/{document}/diff?from=1&to=3")
        self.assertIn("-b\n-c\n+B\n+C\n", whole["diff"])
        self.assertIn("-B\n+b\n", api.read(f"/documents/{document}/diff?from=2&to=1")["diff"])
        self.status(api.get(f"/documents/{document}/diff?from=0"), 422)
        self.status(api.get(f"/documents/{document}/diff?to=9"), 404, "not_found")

    def test_of_two_who_change_the_same_the_second_is_told(self):
        api = self.node().start().client()
        document = self.make(api, content="1")
        tag = api.get(f"/documents/{document}").headers["etag"]
        mine = self.status(api.put(f"/documents/{document}", {"content": "2"}, headers={"If-Match": tag}), 200)
        for method, path, body in (("PUT", "", {"content": "3"}), ("PATCH", "", {"title": "x"}), ("DELETE", "", None),
                                   ("POST", "/restore", {"version": 1})):
            self.status(api.request(method, f"/documents/{document}{path}", body, headers={"If-Match": tag}), 412, "precondition_failed")
        self.assertEqual(api.read(f"/documents/{document}")["content"], "2")
        self.status(api.get(f"/documents/{document}", headers={"If-None-Match": mine.headers["etag"]}), 304)
        once = {"headers": {"Idempotency-Key": "k"}}
        self.assertEqual(api.create("/documents", {"title": "once"}, **once)["id"], api.create("/documents", {"title": "once"}, **once)["id"])

    def test_what_makes_no_sense_is_refused(self):
        api = self.node().start().client()
        document = self.make(api, content="x")
        for body in ({"title": ""}, {"title": "  "}, {"title": "a\nb"}, {"content": "x"}, {"title": "t", "type": "poem"},
                     {"title": "t", "visibility": "secret"}, {"title": "t", "labels": [""]}, {"title": "t", "labels": ["a", "a"]},
                     {"title": "t", "content": "x" * (LIMIT + 1)}, {"title": "t", "content": "x" * (2 * LIMIT)},
                     {"title": "t", "task_id": str(uuid.uuid4())}, {"title": "t", "template_id": str(uuid.uuid4())},
                     {"title": "t", "values": {"a": "b"}}, {"title": "t", "nonsense": 1}, {"title": "t" * 301}):
            refused = self.status(api.post("/documents", body), 422, "invalid_request")
            self.assertTrue(refused.json["errors"], body)
        self.status(api.post("/documents", raw=b'{"title":"t","content":"\xff"}', headers={"Content-Type": "application/json"}), 400)
        self.status(api.post("/documents", {"title": "t", "content": "x" * (5 * LIMIT)}), 413)
        for path in ("/versions/2", "/versions/0", "/versions/x", "/versions/-1", "/versions/99999999999999999999"):
            self.status(api.get(f"/documents/{document}{path}"), 404, "not_found")
        self.status(api.post(f"/documents/{document}/restore", {"version": 7}), 404, "not_found")
        self.status(api.post(f"/documents/{document}/restore", {"version": 0}), 422)
        self.status(api.post(f"/documents/{document}/share", {"access": "read"}), 422)
        self.status(api.post(f"/documents/{document}/share", {"access": "read", "user_ids": [str(uuid.uuid4())]}), 422)
        for path in ("", "/versions", "/versions/1", "/diff", "/render"):
            self.status(api.get(f"/documents/{uuid.uuid4()}{path}"), 404, "not_found")
        biggest = self.make(api, content="\u00e4" * (LIMIT // 2))
        self.assertEqual(api.read(f"/documents/{biggest}")["bytes"], LIMIT)
        self.status(api.delete(f"/documents/{document}"), 204)
        self.status(api.get(f"/documents/{document}"), 404, "not_found")
        self.status(api.get(f"/documents/{document}/versions/1"), 404, "not_found")

    def test_lists_are_filtered_and_have_no_contents(self):
        api = self.node().start().client()
        task = api.create("/tasks", {"title": "t"})["id"]
        project = api.create("/projects", {"name": "p"})["id"]
        for i in range(5):
            self.make(api, f"d{i}", content="x", type="research" if i % 2 else "protocol", labels=["a", f"n{i}"],
                      **({"task_id": task} if i < 3 else {}), **({"project_id": project} if i > 2 else {}))
        self.assertEqual(self.titles(api), ["d4", "d3", "d2", "d1", "d0"])
        self.assertEqual(self.titles(api, "?sort=created_at&label=a"), ["d0", "d1", "d2", "d3", "d4"])
        self.assertEqual(self.titles(api, f"?task_id={task}&type=research"), ["d1"])
        self.assertEqual(self.titles(api, f"?project_id={project}"), ["d4", "d3"])
        self.assertEqual(self.titles(api, "?label=n3"), ["d3"])
        self.assertEqual((self.titles(api, "?created_by=key/admin")[:2], self.titles(api, "?created_by=nobody")), (["d4", "d3"], []))
        self.assertTrue(all("content" not in d for d in api.all("/documents")))
        self.status(api.get("/documents?type=poem"), 422)
        self.status(api.get("/documents?cursor=nonsense"), 422)

    # ---- rendered

    def test_no_attempt_at_a_script_gets_through(self):
        api = self.node().start().client()
        self.assertGreaterEqual(len(ATTEMPTS), 60)
        document = self.make(api, content="")
        for attempt in [*ATTEMPTS, "\n\n".join(ATTEMPTS)]:
            api.ok("PUT", f"/documents/{document}", {"content": attempt})
            page = self.status(api.get(f"/documents/{document}/render"), 200)
            self.assertEqual(Judge(page.raw.decode()).wrong, [], f"{attempt}\n{page.raw.decode()}")
        self.assertEqual(page.headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(page.headers["x-content-type-options"], "nosniff")
        policy = page.headers["content-security-policy"]
        self.assertTrue(policy.startswith("default-src 'none';") and "sandbox" in policy, policy)
        self.assertNotEqual(Judge("<p><script>1</script><a href='java&#115;cript:1'>x</a>").wrong, [])

    def test_markdown_of_github_is_shown(self):
        api = self.node().start().client()
        document = self.make(api, content="# T\n\n|a|b|\n|-|-|\n|1|2|\n\n- [x] done\n\n~~old~~ https://a.example <b>\n")
        judge = Judge(api.get(f"/documents/{document}/render").raw.decode())
        self.assertEqual(judge.wrong, [])
        self.assertLessEqual({"h1", "table", "td", "input", "del", "a"}, set(judge.tags))
        self.assertNotIn("b", judge.tags)

    # ---- templates

    def test_a_template_is_filled(self):
        api = self.node().start().client()
        template = self.make(api, "Report", content="# {{name}}\n\nBy {{ who }}: {{name}} {{not a name}}\n", type="protocol", is_template=True)
        missing = self.status(api.post("/documents", {"title": "r", "template_id": template, "values": {"name": "x"}}), 422).json
        self.assertEqual([e["pointer"] for e in missing["errors"]], ["/values/who"])
        made = self.make(api, "r", template_id=template, values={"name": "{{who}}", "who": "<Ann>"})
        shown = api.read(f"/documents/{made}")
        self.assertEqual((shown["content"], shown["type"]), ("# {{who}}\n\nBy <Ann>: {{who}} {{not a name}}\n", "protocol"))
        self.status(api.post("/documents", {"title": "r", "template_id": made}), 422)
        self.status(api.post("/documents", {"title": "r", "template_id": template, "content": "x"}), 422)
        self.assertEqual(self.titles(api, "?is_template=true"), ["Report"])

    # ---- who sees what

    def test_private_documents_are_seen_by_whom_they_are_shared_with(self):
        node = self.node().start()
        ann, ann_tokens = self.person(node, "ann@example.org", "member")
        bob, bob_tokens = self.person(node, "bob@example.org", "member")
        eve, _ = self.person(node, "eve@example.org", "viewer")
        boss, _ = self.person(node, "boss@example.org", "admin")
        operator, _ = self.person(node, "operator@example.org", "operator")
        secret = self.make(ann, "secret", content="s", visibility="private", labels=["x"])
        open_one = self.make(ann, "open", content="o", labels=["x"])
        everywhere = ("", "/versions", "/versions/1", "/diff", "/render")
        for other in (bob, eve, operator):
            for path in everywhere:
                self.status(other.get(f"/documents/{secret}{path}"), 404, "not_found")
            self.assertEqual(self.titles(other), ["open"])
            self.assertEqual(self.titles(other, "?label=x"), ["open"])
        for method, path, body in (("PUT", "", {"title": "x"}), ("PATCH", "", {"content": "x"}), ("DELETE", "", None),
                                   ("POST", "/restore", {"version": 1}), ("POST", "/share", {"organization": True, "access": "read"})):
            self.status(bob.request(method, f"/documents/{secret}{path}", body), 404, "not_found")
        self.status(bob.post("/documents", {"title": "t", "template_id": secret}), 422)
        self.assertEqual((self.titles(ann, "?label=x"), self.titles(boss)), (["open", "secret"], ["open", "secret"]))
        ann.ok("POST", f"/documents/{secret}/share", {"user_ids": [bob_tokens["user"]["id"]], "access": "read"})
        node.kill9()
        node.start()
        ann, bob, eve, boss = (node.client(key=c.key) for c in (ann, bob, eve, boss))
        self.assertEqual(bob.read(f"/documents/{secret}")["content"], "s")
        self.assertEqual((self.titles(bob, "?label=x"), self.titles(eve)), (["open", "secret"], ["open"]))
        self.status(bob.put(f"/documents/{secret}", {"content": "t"}), 403, "forbidden")
        ann.ok("POST", f"/documents/{secret}/share", {"user_ids": [bob_tokens["user"]["id"]], "access": "write"})
        self.assertEqual(bob.ok("PUT", f"/documents/{secret}", {"content": "t"})["updated_by"], f"user/{bob_tokens['user']['id']}")
        ann.ok("POST", f"/documents/{secret}/share", {"user_ids": [bob_tokens["user"]["id"]], "access": "none"})
        self.status(bob.get(f"/documents/{secret}"), 404)
        ann.ok("POST", f"/documents/{secret}/share", {"organization": True, "access": "read"})
        self.assertEqual(eve.read(f"/documents/{secret}")["visibility"], "organization")
        self.status(bob.put(f"/documents/{secret}", {"content": "u"}), 403)
        self.status(eve.put(f"/documents/{open_one}", {"content": "u"}), 403)
        bob.ok("PUT", f"/documents/{open_one}", {"content": "by bob"})
        boss.ok("DELETE", f"/documents/{secret}")

    def test_events_say_nothing_of_what_is_private(self):
        node = self.node().start()
        ann, _ = self.person(node, "ann@example.org", "member")
        bob, _ = self.person(node, "bob@example.org", "member")
        document = self.make(ann, "a plan for nobody else", content="c", visibility="private", labels=["hush"])
        ann.ok("PATCH", f"/documents/{document}", {"title": "another plan"})
        events = [e for e in bob.all("/events") if e["channel"] == f"documents/{document}"]
        self.assertEqual([(e["kind"], e["data"]) for e in events], [(f"document_{k}", {}) for k in ("created", "written", "updated")])
        bob.create("/tasks", {"title": "another plan"})
        for where in ("", "&where=title=another%20plan"):
            seen = []
            for event in stream(node.url, bob.key, "/ws/activities?since=start" + where):
                seen.append(event)
                documents = [e for e in seen if e["event"].startswith("document_")]  # order is promised per entity only
                if any(e["event"] == "task_created" for e in seen) and (where or len(documents) == 3):
                    break
            self.assertEqual(len(documents), 0 if where else 3)
            self.assertNotIn("plan", json.dumps(documents))

    def test_pages_of_what_is_open_and_what_is_private_are_one_list(self):
        node = self.node().start()
        ann, _ = self.person(node, "ann@example.org", "member")
        bob, _ = self.person(node, "bob@example.org", "member")
        for i in range(23):
            self.make(ann if i % 2 else bob, f"d{i}", visibility="private" if i % 3 == 0 else "organization")
        mine = [f"d{i}" for i in range(23) if i % 3 or i % 2]
        for limit in (1, 2, 3, 5, 8, 200):
            for order, wanted in (("created_at", mine), ("-created_at", mine[::-1])):
                self.assertEqual([d["title"] for d in ann.all(f"/documents?sort={order}", limit=limit)], wanted, limit)

    def test_organizations_do_not_see_each_others(self):
        node = self.node().start()
        self.organization(node, "Acme", slug="acme")
        ours, tokens = self.person(node, "ann@example.org", "owner")
        theirs, their_tokens = self.person(node, "eve@acme.example", "owner", "acme")
        document = self.make(ours, content="x", is_template=True)
        self.assertEqual(self.titles(theirs), [])
        for path in ("", "/versions", "/versions/1", "/diff", "/render"):
            self.status(theirs.get(f"/documents/{document}{path}"), 404, "not_found")
        self.status(theirs.put(f"/documents/{document}", {"content": "y"}), 404, "not_found")
        self.status(theirs.delete(f"/documents/{document}"), 404, "not_found")
        self.status(theirs.post("/documents", {"title": "t", "template_id": document}), 422)
        self.status(ours.post(f"/documents/{document}/share", {"user_ids": [their_tokens["user"]["id"]], "access": "read"}), 422)
        self.assertEqual(ours.read(f"/documents/{document}")["content"], "x")

    # ---- at the command line

    def cli(self, *words, code=0, **more):
        done = self.server.cli("doc", *words, **more)
        self.assertEqual(done.returncode, code, (words, done.stdout[-600:], done.stderr[-600:]))
        return done

    def editor(self, script):
        file = self.folder / "editor"
        file.write_text("#!/bin/sh\n" + script)
        file.chmod(0o755)
        self.server.environment.update(VISUAL=str(file), TMPDIR=str(self.folder))

    def test_documents_at_the_command_line(self):
        self.server = self.node().start()
        self.person(self.server, "ann@example.org", "member")
        file = self.folder / "rounding.md"
        file.write_text("# Rounding\n\nold\n")
        self.assertIn("No documents", self.cli("list").stderr)
        made = json.loads(self.cli("create", "How", "sums", "round", "--file", file, "--type", "research", "--label", "sums", "--json").stdout)
        self.assertEqual((made["title"], made["type"], made["labels"]), ("How sums round", "research", ["sums"]))
        self.cli("create", "From input", "--private", stdin="from input\n")
        self.cli("create", "Report", "--template", stdin="{{month}} of {{year}}\n")
        self.cli("create", "Report of May", "--from", "Report", "--value", "month=May", "--value", "year=2026", stdin="ignored")
        self.assertIn("May of 2026\n", self.cli("show", "Report of May").stdout)
        self.assertIn("/values/year", self.cli("create", "x", "--from", "Report", "--value", "month=May", code=1).stderr)
        listed = self.cli("list").stdout
        for text in ("How sums round", "private", "template"):
            self.assertIn(text, listed)
        self.assertNotIn("Report", self.cli("list", "--type", "research").stdout)
        self.editor('sed -i s/old/new/ "$1"')
        self.assertIn("2 of 16 bytes", self.cli("edit", "How sums round").stdout)
        self.assertIn("Nothing was changed", self.cli("edit", "How sums round").stderr)
        self.assertIn("-old\n+new\n", self.cli("diff", made["id"]).stdout)
        self.assertEqual(self.cli("show", made["id"], "--version", 1).stdout, "# Rounding\n\nold\n")
        self.cli("restore", made["id"], 1)
        self.cli("restore", made["id"], 77, code=4)
        self.cli("restore", made["id"], "one", code=2)
        self.assertIn("as version 1", self.cli("versions", made["id"]).stdout)
        self.assertEqual(self.cli("render", made["id"]).stdout, "<h1>Rounding</h1>\n<p>old</p>\n")
        self.assertIn("(write)", self.cli("share", "From input", "--user", "ann@example.org", "--access", "write").stdout)
        self.cli("share", "From input", code=2)
        self.assertIn("organization (read)", self.cli("share", "From input", "--everyone").stdout)
        self.cli("delete", "From input")
        self.cli("show", "From input", code=4)

    def test_an_edit_that_came_too_late_overwrites_nothing_and_is_not_lost(self):
        self.server = self.node().start()
        api = self.server.client()
        document = self.make(api, content="mine\n")
        change = f"curl -sf -X PUT -H 'Authorization: Bearer {self.server.key}' -H 'Content-Type: application/json' "
        self.editor(f"{change} -d '{{\"content\":\"theirs\"}}' {self.server.url}/api/v1/documents/{document} >/dev/null && echo more >> \"$1\"\n")
        told = self.cli("edit", document, code=1).stderr
        self.assertEqual(api.read(f"/documents/{document}")["content"], "theirs")
        kept = re.search(r"Your text is in (\S+\.md)\.", told)
        self.assertIsNotNone(kept, told)
        with open(kept[1], encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine\nmore\n")

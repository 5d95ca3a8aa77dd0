"""What a node says of its API: OpenAPI, the page made of it, AsyncAPI."""

import html.parser
import json
import re

from tests.system import node_tools
from tests.system.node import NodeTest


class Page(html.parser.HTMLParser):
    """What of a page matters here: ids, links, what it loads, what is inline."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.inline, self.open = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        if tag in ("link", "script", "img"):
            self.loads.append(given.get("href") or given.get("src") or "inline")
        self.inline += [name for name in given if name == "style" or name.startswith("on")] + ([tag] if tag == "style" else [])

    def handle_data(self, data):
        if self.open and self.open[-1] == "script" and data.strip():
            self.inline.append("script")

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass


class Documents(NodeTest):
    @classmethod
    def operations(cls, document):
        verbs = ("get", "post", "put", "patch", "delete")
        return {(verb, path): o for path, item in document["paths"].items() for verb, o in item.items() if verb in verbs}

    def setUp(self):
        super().setUp()
        self.api = self.node().start().client()

    def test_openapi_passes_redocly_and_spectral(self):
        file = self.folder / "openapi.json"
        file.write_bytes(self.status(self.api.get("/openapi.json"), 200).raw)
        # Redocly wants a 2xx of each operation; those that send browsers on have a 302.
        redirects = ["#/paths/{}/{}/responses".format(path.replace("/", "~1"), verb)
                     for (verb, path), o in self.operations(json.loads(file.read_text())).items() if "302" in o["responses"]]
        found = node_tools.redocly(file)
        self.assertEqual(sorted(p[3] for p in found if p[1] == "operation-2xx-response"), sorted(redirects))
        self.assertEqual([p for p in found if p[1] != "operation-2xx-response"], [])
        self.assertEqual(node_tools.spectral(file), [])

    def test_a_bad_document_does_not_pass(self):
        file = self.folder / "openapi.json"
        document = self.api.read("/openapi.json")
        task = document["paths"]["/tasks"]["post"]
        task["requestBody"]["content"]["application/json"]["example"] = {"title": 7}
        del task["summary"], document["tags"]
        file.write_text(json.dumps(document))
        self.assertIn("operation-summary", {rule for _, rule, *_ in node_tools.redocly(file)})
        self.assertIn("oas3-valid-media-example", {rule for _, rule, *_ in node_tools.spectral(file)})

    def test_every_operation_is_told_whole(self):
        document = self.api.read("/openapi.json")
        for at, o in self.operations(document).items():
            self.assertTrue(o["operationId"] and o["summary"] and o["description"], at)
            self.assertTrue(all("description" in p and "example" in p for p in o["parameters"] if "$ref" not in p), at)
            bodies = [o["requestBody"]] if "requestBody" in o else []
            bodies += [r for status, r in o["responses"].items() if status < "3"]
            for body in bodies:
                for kind, media in body.get("content", {}).items():
                    self.assertTrue("example" in media or kind == "text/event-stream", (at, kind))
            refused = [r["$ref"].split("/")[-1] for status, r in o["responses"].items() if status >= "4"]
            for name in refused:
                media = document["components"]["responses"][name]["content"]["application/problem+json"]
                for each in media["examples"]:
                    value = document["components"]["examples"][each]["value"]
                    self.assertEqual(value["code"], each)
            codes = ".".join(refused).split(".")
            tells_who = "x-permission" in o or at[1] in ("/auth/refresh", "/auth/oidc/mfa")
            self.assertEqual(tells_who, "unauthenticated" in codes, at)

    def test_asyncapi_is_valid_and_has_the_channels(self):
        file = self.folder / "asyncapi.json"
        file.write_bytes(self.status(self.api.get("/asyncapi.json"), 200).raw)
        found = node_tools.asyncapi(file)
        self.assertEqual([d for d in found["diagnostics"] if d["severity"] < 2], [])
        channels = {"/api/v1/ws", "runs/{id}", "tasks/{id}", "agents/{id}", "activities", "task_completion", "agent_status",
                    "agents/{id}/logs", "supervision", "cluster", "mcp", "system_metrics", "system_alerts"}
        self.assertEqual(channels - set(found["channels"]), set())
        self.assertIn("runs.token", found["messages"])

    def test_a_bad_asyncapi_document_is_seen(self):
        file = self.folder / "asyncapi.json"
        document = self.api.read("/asyncapi.json")
        document["operations"]["ask"]["action"] = "shout"
        file.write_text(json.dumps(document))
        self.assertTrue([d for d in node_tools.asyncapi(file)["diagnostics"] if d["severity"] == 0])

    def test_events_that_happen_are_described(self):
        self.api.create("/tasks", {"title": "seen"})
        self.api.create("/agents", {"name": "seen"})
        document = self.api.read("/asyncapi.json")
        for event in self.api.all("/events"):
            plural = event["channel"].split("/")[0]
            if plural in document["channels"]:  # names and keyrings are the node's own
                described = document["components"]["messages"][f"{plural}.{event['kind']}"]
                data = described["payload"]["properties"]["data"]
                self.assertEqual(set(event["data"]) - set(data["properties"]), set(), event)

    def test_the_page_is_whole_and_loads_nothing_from_elsewhere(self):
        reply = self.status(self.api.get("/docs"), 200)
        self.assertEqual(reply.headers["content-type"], "text/html; charset=utf-8")
        policy = reply.headers["content-security-policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        page = Page(reply.raw.decode())
        self.assertEqual(page.inline, [])
        self.assertEqual(page.loads, ["data:,", "docs/style.css", "docs/search.js"])
        self.assertEqual(len(page.ids), len(set(page.ids)))
        for link in page.links:
            if link.startswith("#"):
                self.assertIn(link[1:], page.ids)
            else:
                self.status(self.api.get("/" + link), 200)
        for (_, path), o in self.operations(self.api.read("/openapi.json")).items():
            self.assertIn(f"op-{o['operationId']}", page.ids, path)
        for asset in page.loads[1:]:
            loaded = self.status(self.api.get("/" + asset), 200)
            self.assertIsNone(re.search(r"https?://|@import|eval\(|innerHTML", loaded.raw.decode()))
        self.assertIn("versions", page.ids)

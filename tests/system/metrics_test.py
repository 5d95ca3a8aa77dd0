"""What `/metrics` shows: Prometheus' text format and naming, few series, and a dashboard that knows what there is."""

import json
import re

from tests.system.node import REPOSITORY, NodeTest, poll

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]?(?:Inf|\d\S*))')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
SUFFIXES = ("_bucket", "_sum", "_count")
ABBREVIATED = re.compile(r"_(s|ms|us|ns|sec|secs|msec|kb|mb|gb|b|pct)(_|$)")
UNITS = ("seconds", "bytes", "ratio", "celsius")


def families(text):
    """{name: {"type", "help", "samples": [(name, labels, value)]}}; a line that is not the format's ends the test."""
    found = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, said = line[7:].partition(" ")
            assert name not in found, f"{name} comes in two places"
            found[name] = {"help": said, "type": None, "samples": []}
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert found[name]["type"] is None and not found[name]["samples"], line
            found[name]["type"] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels = match[1], match[2] or ""
            pairs = LABEL.findall(labels)
            assert "".join(f'{k}="{v}",' for k, v in pairs).rstrip(",") == labels.rstrip(","), line
            base = next((b for b in (name, *(name.removesuffix(s) for s in SUFFIXES if name.endswith(s))) if b in found), None)
            assert base and base == list(found)[-1], f"{line}: not below its HELP and TYPE"
            found[base]["samples"].append((name, dict(pairs), float(match[3].replace("Inf", "inf"))))
    return found


def mistakes(found):
    """What promtool's linter would say, and some more."""
    said = []
    for name, f in found.items():
        if not f["help"]:
            said.append(f"{name} has no help")
        if f["type"] not in ("counter", "gauge", "histogram"):
            said.append(f"{name} has the type {f['type']}")
        if (f["type"] == "counter") != name.endswith("_total"):
            said.append(f"{name}: counters, and no others, end in _total")
        if name.endswith(SUFFIXES) or re.search(r"counter|gauge|histogram|metric", name):
            said.append(f"{name} has a suffix or word of a type")
        if ABBREVIATED.search(name) or re.search(r"[A-Z]", name):
            said.append(f"{name} has an abbreviated unit or is not in small letters")
        for unit in UNITS:
            if unit in name.split("_") and not name.removesuffix("_total").endswith("_" + unit):
                said.append(f"{name}: the unit comes last")
        if f["type"] == "histogram" and not any(u in name for u in UNITS):
            said.append(f"{name} has no unit")
        for _, labels, value in f["samples"]:
            if f["type"] == "counter" and not value >= 0:
                said.append(f"{name} is {value}")
            if len(set(labels)) > 4 or ("le" in labels and f["type"] != "histogram"):
                said.append(f"{name} has the labels {labels}")
        said += [f"{name}: {why}" for why in histogram_mistakes(f)] if f["type"] == "histogram" else []
    return said


def histogram_mistakes(family):
    """Buckets go up to +Inf, which is the count."""
    series = {}
    for name, labels, value in family["samples"]:
        rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        one = series.setdefault(rest, {"buckets": [], "count": None, "sum": None})
        if name.endswith("_bucket"):
            one["buckets"].append((float(labels["le"].replace("Inf", "inf")), value))
        else:
            one[name.rsplit("_", 1)[1]] = value
    for labels, s in series.items():
        values = [v for _, v in s["buckets"]]
        if s["buckets"] != sorted(s["buckets"]) or values != sorted(values):
            yield f"{labels}: buckets do not go up"
        if s["buckets"][-1][0] != float("inf") or values[-1] != s["count"] or s["sum"] is None:
            yield f"{labels}: +Inf is not the count"


class MetricsTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.server = self.node("--traces.otlp_endpoint", "http://127.0.0.1:9", "--blobs.collect_every_ms", 1000).start()
        self.api = self.server.client()

    def scrape(self):
        reply = self.status(self.api.get("/metrics", base=""), 200)
        self.assertEqual(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        return families(reply.raw.decode())

    def test_names_and_types_follow_the_conventions(self):
        self.api.create("/tasks", {"title": "t"})
        found = self.scrape()
        self.assertGreater(len(found), 30)
        self.assertEqual(mistakes(found), [])

    def test_the_checker_sees_mistakes(self):
        bad = {"troupe_things": ("counter", ""), "troupe_wait_ms": ("gauge", "h"), "troupe_seconds_waited": ("gauge", "h"),
               "troupe_queue_total": ("gauge", "h"), "troupe_size": ("histogram", "h"), "troupeCamel": ("gauge", "h")}
        found = {name: {"type": kind, "help": said, "samples": []} for name, (kind, said) in bad.items()}
        self.assertEqual({m.split()[0].rstrip(":") for m in mistakes(found)}, set(bad))
        for text in ("x 1\n", "# HELP x h\n# TYPE x gauge\nx{a=1} 2\n", "# HELP x h\n# TYPE x gauge\ny 2\n"):
            with self.assertRaises(AssertionError):
                families(text)

    def test_requests_are_counted_by_method_route_and_status(self):
        task = self.api.create("/tasks", {"title": "t"})["id"]
        for _ in range(3):
            self.api.read(f"/tasks/{task}")
        self.status(self.api.get("/tasks/none"), 404)
        counts = {(l["method"], l["route"], l["status"]): v for n, l, v in self.scrape()[
            "troupe_http_request_duration_seconds"]["samples"] if n.endswith("_count")}
        self.assertEqual(counts["GET", "/tasks/{id}", "200"], 3)
        self.assertEqual(counts["GET", "/tasks/{id}", "404"], 1)
        self.assertEqual(counts["POST", "/tasks", "201"], 1)

    def test_clients_cannot_make_series(self):
        def series():
            return len(self.scrape()["troupe_http_request_duration_seconds"]["samples"])
        self.api.get("/nothing")
        self.api.request("BREW", "/tasks")
        self.scrape()
        before = series()
        for number in range(50):
            self.api.get(f"/nothing/{number}")
            self.api.request(f"BREW{number}", "/tasks")
        self.assertEqual(series(), before)

    def test_the_dashboard_knows_what_there_is(self):
        for _ in range(2):
            self.api.create("/tasks", {"title": "t"})
        found = poll("blobs were counted", lambda: (now := self.scrape()) and "troupe_blobs_bytes" in now and now)
        labels = {}
        for name, family in found.items():
            for sample, given, _ in family["samples"]:
                labels.setdefault(sample, {"instance", "job"}).update(given)
        board = json.loads((REPOSITORY / "cluster-configs" / "grafana" / "troupe.json").read_text())
        queries = [t["expr"] for p in board["panels"] for t in p.get("targets", [])]
        queries += [v["definition"] for v in board["templating"]["list"] if "definition" in v]
        self.assertGreater(len(queries), 20)
        used = set()
        for query in queries:
            names = set(re.findall(r"\b(?:troupe|process)_\w+", query))
            self.assertTrue(names, query)
            if any(name.startswith("troupe_cluster_") for name in names):
                continue  # a node alone has none: cluster_view_test looks at those
            self.assertEqual(names - set(labels), set(), query)
            for by in re.findall(r"by \(([^)]*)\)", query):
                wanted = {l.strip() for l in by.split(",")}
                self.assertEqual([n for n in names if not wanted <= labels[n]], [], query)
            used |= names
        self.assertEqual(len({p["id"] for p in board["panels"]}), len(board["panels"]))
        self.assertIn("troupe_http_request_duration_seconds_bucket", used)

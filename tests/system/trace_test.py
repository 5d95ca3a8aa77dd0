"""Traces: W3C trace context in and out, and spans at a collector."""

import re
import secrets
import threading

from tests.system.collector import Collector
from tests.system.model_test import KEY, Provider
from tests.system.node import NodeTest, poll

LISTING = """
rules:
  - when: {step: 1}
    call: [{tool: list_files, arguments: {}}]
  - when: {step: 2}
    call: [{tool: finish, arguments: {result: "done"}}]
"""
PARENT = "00f067aa0ba902b7"


def fresh_trace():
    return secrets.token_hex(16)


class TraceContextTest(NodeTest):
    def test_a_trace_goes_on_or_begins_as_the_standard_says(self):
        api = self.node().start().client()

        def answer(*lines):
            headers = {"traceparent": ", ".join(lines)} if lines else {}
            got = api.get("/status", headers=headers).headers["traceparent"]
            self.assertRegex(got, r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$")
            return got.split("-")
        trace = fresh_trace()
        _, same, span, flags = answer(f"00-{trace}-{PARENT}-01")
        self.assertEqual((same, flags), (trace, "01"))
        self.assertNotEqual(span, PARENT)
        self.assertEqual(answer(f"00-{trace}-{PARENT}-00")[3], "00")
        self.assertEqual(answer(f"00-{trace}-{PARENT}-fd")[3], "01")  # flags that version 00 does not know are not passed on
        self.assertEqual(answer(f"cc-{trace}-{PARENT}-01-more")[1], trace)
        for bad in (f"00-{trace}-{PARENT}-01-more", f"ff-{trace}-{PARENT}-01", f"00-{trace.upper()}A-{PARENT}-01",
                    f"00-{'0' * 32}-{PARENT}-01", f"00-{trace}-{'0' * 16}-01", f"00-{trace}-{PARENT}", f"00-{trace[1:]}-{PARENT}-01",
                    f"00_{trace}-{PARENT}-01", "", "nonsense"):
            self.assertNotEqual(answer(bad)[1], trace, bad)
        self.assertNotEqual(answer(f"00-{trace}-{PARENT}-01", f"00-{trace}-{PARENT}-01")[1], trace)
        self.assertNotEqual(answer()[1], answer()[1])


class SpanTest(NodeTest):
    def begin(self, *flags):
        self.collector = Collector()
        self.addCleanup(self.collector.stop)
        self.server = self.node("--traces.otlp_endpoint", self.collector.url, *flags).start()
        self.api = self.server.client()

    def metric(self, name):
        text = self.api.get("/metrics", base="").raw.decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1])

    def spans(self, trace, count):
        found = poll(f"{count} spans", lambda: len(self.collector.of(trace)) >= count and self.collector.of(trace))
        self.assertEqual(self.collector.mistakes, [])
        return found

    def test_a_request_and_its_command_are_spans_of_the_callers_trace(self):
        self.begin()
        trace = fresh_trace()
        headers = {"traceparent": f"00-{trace}-{PARENT}-01", "tracestate": "vendor=a1,other=b2", "X-Request-Id": "mine"}
        reply = self.api.post("/tasks", {"title": "t"}, headers=headers)
        spans = {s["name"]: s for s in self.spans(trace, 2)}
        request, command = spans["POST /api/v1/tasks"], spans["command create_task"]
        self.assertEqual((request["parentSpanId"], request["traceState"], request["kind"]), (PARENT, "vendor=a1,other=b2", 2))
        self.assertEqual(reply.headers["traceparent"], f"00-{trace}-{request['spanId']}-01")
        expected = {"http.request.method": "POST", "http.route": "/api/v1/tasks", "url.path": "/api/v1/tasks",
                    "http.response.status_code": "201", "troupe.operation": "create_task", "troupe.request_id": "mine"}
        self.assertEqual({k: request["attributes"].get(k) for k in expected}, expected)
        self.assertEqual(command["parentSpanId"], request["spanId"])
        self.assertEqual(command["attributes"]["troupe.entity"], f"task/{reply.json['id']}")
        self.assertEqual(self.collector.resources[0]["service.name"], "troupe")

    def test_refusals_are_spans_and_only_defects_are_failures(self):
        self.begin()
        trace = fresh_trace()
        headers = {"traceparent": f"00-{trace}-{PARENT}-01"}
        self.status(self.api.get("/tasks/nothing", headers=headers), 404)
        self.status(self.api.get("/nowhere", headers=headers), 404)
        spans = {s["name"]: s for s in self.spans(trace, 2)}
        self.assertEqual(set(spans), {"GET /api/v1/tasks/{id}", "GET"})
        self.assertTrue(all("status" not in s for s in spans.values()))

    def test_what_a_run_does_hangs_under_the_request_that_made_it(self):
        flags, model = self.script("listing", LISTING)
        self.begin(*flags)
        trace = fresh_trace()
        project = self.api.create("/projects", {"name": "p"})["id"]
        body, headers = {"goal": "g", "model": model, "project_id": project}, {"traceparent": f"00-{trace}-{PARENT}-01"}
        run = self.status(self.api.post("/runs", body, headers=headers), 201).json["id"]
        self.api.wait_run(run)
        wanted = {"POST /api/v1/runs", "run call_model", "run call_tool"}
        spans = poll("the spans", lambda: wanted <= {s["name"] for s in self.collector.of(trace)} and
                     {s["name"]: s for s in self.collector.of(trace)})
        call, tool, request = spans["run call_model"], spans["run call_tool"], spans["POST /api/v1/runs"]
        self.assertEqual((call["kind"], call["attributes"]["gen_ai.request.model"]), (3, model))
        self.assertEqual((tool["kind"], tool["attributes"]["gen_ai.tool.name"]), (1, "list_files"))
        self.assertEqual({call["parentSpanId"], tool["parentSpanId"]}, {request["spanId"]})
        self.assertEqual(self.collector.mistakes, [])

    def test_a_model_call_passes_its_trace_on(self):
        provider = Provider(self.folder, {"go": [{"content": "Fine."}]})
        self.addCleanup(provider.close)
        self.collector = Collector()
        self.addCleanup(self.collector.stop)
        self.server = self.node("--model.openai.base_url", provider.url, "--traces.otlp_endpoint", self.collector.url,
                                environment={"OPENAI_API_KEY": KEY}).start()
        trace = fresh_trace()
        api = self.server.client()
        body = {"goal": "go", "model": "openai/test-model"}
        run = api.post("/runs", body, headers={"traceparent": f"00-{trace}-{PARENT}-01"}).json["id"]
        api.wait_run(run)
        sent = provider.log("go")[0]["headers"]["traceparent"]
        call = poll("the span", lambda: [s for s in self.collector.of(trace) if s["name"] == "run call_model"])[0]
        self.assertEqual(sent, f"00-{trace}-{call['spanId']}-01")

    def test_a_caller_decides_and_the_ratio_for_the_others(self):
        self.begin("--traces.sample", "0")
        silent, kept = fresh_trace(), fresh_trace()
        self.assertEqual(self.api.get("/status").headers["traceparent"][-2:], "00")
        self.api.get("/status", headers={"traceparent": f"00-{silent}-{PARENT}-00"})
        self.api.get("/status", headers={"traceparent": f"00-{kept}-{PARENT}-01"})
        self.spans(kept, 1)
        self.assertEqual(self.server.stop(), 0)  # which sends what there is
        self.assertEqual({s["traceId"] for s in self.collector.spans}, {kept})

    def test_a_refused_batch_is_sent_again_and_a_wrong_one_is_not(self):
        self.begin()
        self.collector.refuse_with = [503, 429]
        trace = fresh_trace()
        self.api.get("/status", headers={"traceparent": f"00-{trace}-{PARENT}-01"})
        self.assertEqual(len(self.spans(trace, 1)), 1)
        self.collector.refuse_with = [400]
        lost = fresh_trace()
        self.api.get("/status", headers={"traceparent": f"00-{lost}-{PARENT}-01"})
        poll("it is counted", lambda: self.metric('troupe_trace_spans_dropped_total{reason="not_taken"}') >= 1)
        self.assertGreaterEqual(self.metric("troupe_trace_export_failures_total"), 3)
        self.assertEqual(self.collector.of(lost), [])

    def test_a_collector_that_hangs_holds_nobody_up_and_the_queue_is_bounded(self):
        self.begin()
        self.collector.stuck = threading.Event()
        api = self.api

        def fills():
            for _ in range(500):
                self.status(api.get("/health", base=""), 200)
            return self.metric('troupe_trace_spans_dropped_total{reason="queue_full"}') > 0
        poll("the queue is full", fills, 120)
        self.collector.stuck.set()
        trace = fresh_trace()

        def arrives():
            api.get("/status", headers={"traceparent": f"00-{trace}-{PARENT}-01"})
            return self.collector.of(trace)
        poll("spans come again", arrives, 60)

    def test_a_node_without_its_collector_serves_and_stops(self):
        node = self.node("--traces.otlp_endpoint", "http://127.0.0.1:9", name="alone").start()
        api = node.client()
        api.create("/tasks", {"title": "t"})
        self.assertEqual(node.stop(), 0)

    def test_a_wrong_ratio_or_endpoint_is_refused(self):
        for flags, word in ((("--traces.sample", "2"), "from 0 to 1"), (("--traces.sample", "half"), "from 0 to 1"),
                            (("--traces.otlp_endpoint", "collector:4318"), "http://")):
            status, said = self.node(*flags, name="bad").refused()
            self.assertNotEqual(status, 0)
            self.assertIn(word, said)

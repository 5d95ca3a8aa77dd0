"""A stand-in for an OpenTelemetry collector: takes OTLP/HTTP with JSON, checks its form, keeps the spans."""

import http.server
import json
import re
import threading

HEX = {16: re.compile(r"[0-9a-f]{16}"), 32: re.compile(r"[0-9a-f]{32}")}


def check(span):
    """The form that the protocol asks for; what is wrong ends up with the test."""
    assert HEX[32].fullmatch(span["traceId"]) and HEX[16].fullmatch(span["spanId"]), span
    assert "parentSpanId" not in span or HEX[16].fullmatch(span["parentSpanId"]), span
    assert span["name"] and span["kind"] in range(1, 6), span
    begin, end = span["startTimeUnixNano"], span["endTimeUnixNano"]
    assert isinstance(begin, str) and isinstance(end, str) and 0 < int(begin) <= int(end), span
    for attribute in span["attributes"]:
        assert set(attribute) == {"key", "value"} and len(attribute["value"]) == 1, attribute
        assert next(iter(attribute["value"])) in ("stringValue", "intValue"), attribute
    assert set(span) <= {"traceId", "spanId", "parentSpanId", "traceState", "name", "kind", "startTimeUnixNano",
                         "endTimeUnixNano", "attributes", "status"}, span


class Collector:
    def __init__(self):
        self.spans, self.resources, self.mistakes, self.requests = [], [], [], 0
        self.refuse_with = []  # statuses of the next answers
        self.stuck = None      # an event: answers wait for it
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(outer.take(self.path, self.headers.get("Content-Type"), body))
                self.send_header("Content-Length", "2")
                try:
                    self.end_headers()
                    self.wfile.write(b"{}")
                except ConnectionError:
                    pass  # the node waited no longer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, kind, body):
        if self.stuck:
            self.stuck.wait(60)
        with self.lock:
            self.requests += 1
            if self.refuse_with:
                return self.refuse_with.pop(0)
            try:
                assert (path, kind) == ("/v1/traces", "application/json"), (path, kind)
                for group in json.loads(body)["resourceSpans"]:
                    self.resources.append({a["key"]: a["value"]["stringValue"] for a in group["resource"]["attributes"]})
                    for scope in group["scopeSpans"]:
                        assert scope["scope"]["name"] == "troupe", scope["scope"]
                        for span in scope["spans"]:
                            check(span)
                            span["attributes"] = {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}
                            self.spans.append(span)
            except (AssertionError, KeyError, ValueError) as mistake:
                self.mistakes.append(repr(mistake))
            return 200

    def of(self, trace_id):
        with self.lock:
            return [s for s in self.spans if s["traceId"] == trace_id]

    def stop(self):
        if self.stuck:
            self.stuck.set()
        self.server.shutdown()
        self.server.server_close()

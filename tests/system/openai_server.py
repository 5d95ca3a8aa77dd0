#!/usr/bin/env python3
"""A small OpenAI-compatible chat server for tests: scripted, awkward, and independent of Troupe's own code.

    openai_server.py --replies FILE [--log FILE] [--key KEY] [--port 0]

It listens on 127.0.0.1 only, prints its port as the first line on stdout, and serves until it is killed.

FILE is a list of replies, or {"conversations": [{"goal_contains": "…", "replies": […]}]}; the first conversation whose
text is in the first user message is taken. Which reply comes is a matter of the request alone: the one at the number of
assistant messages in it, so that a call that is repeated after a crash gets the same reply. A reply:

    {"content": "text", "reasoning": "text",
     "tool_calls": [{"name": "read_file", "arguments": {"path": "a"}, "id": "call_a"}],
     "usage": {"prompt_tokens": 1, "completion_tokens": 2},    false: none is sent
     "finish_reason": "stop", "delay_ms": 0,                   the delay is between two chunks
     "pieces": "awkward" | "whole",                            how arguments and bytes are cut; awkward by default
     "index": "normal" | "missing" | "zero",                   what the deltas of calls carry; see FIELD-NOTES
     "faults": [fault, …]}                                     each is given once, before the reply itself

A fault is one of
    {"status": 429, "headers": {"Retry-After": "1"}, "error": {"message": "…"}}    any refusal
    {"cut_after": 3}                 the connection breaks after that many chunks
    {"hang": true}                   nothing is sent until the client goes away
    {"hang_after": 3}                the same, inside the stream
    {"nonsense": "text"}             200 and a body that is no completion
    {"error_after": 2, "error": {…}} an error object inside the stream
"""

import argparse
import json
import select
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_SECONDS_MAX = 600


class Script:
    def __init__(self, tree):
        self.conversations = tree["conversations"] if isinstance(tree, dict) else [{"replies": tree}]
        self.given = {}  # (conversation, reply) → how many of its faults were given
        self.lock = threading.Lock()

    def next(self, messages):
        """(name, fault or None, reply or None) for this context."""
        goal = next((text_of(m) for m in messages if m.get("role") == "user"), "")
        step = sum(m.get("role") == "assistant" for m in messages)
        for number, conversation in enumerate(self.conversations):
            if conversation.get("goal_contains", "") not in goal:
                continue
            if step >= len(conversation["replies"]):
                return f"{number}/{step}", None, None
            reply = conversation["replies"][step]
            with self.lock:
                given = self.given.get((number, step), 0)
                if given < len(reply.get("faults", [])):
                    self.given[number, step] = given + 1
                    return f"{number}/{step} fault {given}", reply["faults"][given], reply
            return f"{number}/{step}", None, reply
        return "none", None, None


def text_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def objection(body):
    """What OpenAI itself would refuse in this request, or None."""
    if not isinstance(body.get("model"), str) or not isinstance(body.get("messages"), list) or not body["messages"]:
        return "model and messages are required"
    owed = set()
    for number, message in enumerate(body["messages"]):
        role = message.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool"):
            return f"messages[{number}].role is invalid"
        if role == "tool":
            if message.get("tool_call_id") not in owed:
                return f"messages[{number}]: a tool message must follow the call that it answers"
            owed.discard(message["tool_call_id"])
            continue
        if owed:
            return f"messages[{number}]: an answer is missing for {sorted(owed)}"
        for call in message.get("tool_calls") or []:
            if call.get("type") != "function" or not isinstance(call["function"].get("arguments"), str):
                return f"messages[{number}].tool_calls is invalid"
            if call["id"] in owed:
                return f"messages[{number}]: duplicate tool call id"
            owed.add(call["id"])
        if role != "assistant" and not isinstance(message.get("content"), (str, list)):
            return f"messages[{number}].content is required"
    if owed:
        return f"an answer is missing for {sorted(owed)}"
    for tool in body.get("tools") or []:
        if tool.get("type") != "function" or not isinstance(tool["function"].get("parameters"), dict):
            return "tools is invalid"
    return None


def cut(text, whole):
    """The text in pieces of 1, 2, 3, 5, 8, 1, … characters."""
    if whole or not text:
        return [text]
    sizes, pieces, at, turn = (1, 2, 3, 5, 8), [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        pieces.append(text[at:at + size])
        at, turn = at + size, turn + 1
    return pieces


def calls_of(reply):
    for number, call in enumerate(reply.get("tool_calls", [])):
        arguments = call.get("arguments", {})
        yield {"id": call.get("id", f"call_{number}"), "type": "function",
               "function": {"name": call["name"],
                            "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)}}


def deltas_of(reply):
    """The deltas of a streamed reply: heads of the calls first, then their arguments in turns."""
    whole, index = reply.get("pieces") == "whole", reply.get("index", "normal")
    yield {"role": "assistant", "content": "" if reply.get("content") else None}
    for piece in cut(reply.get("reasoning", ""), whole):
        if piece:
            yield {"reasoning_content": piece}
    for piece in cut(reply.get("content", ""), whole):
        if piece:
            yield {"content": piece}

    def part(number, fields):
        mark = {"normal": {"index": number}, "zero": {"index": 0}, "missing": {}}[index]
        return {"tool_calls": [{**mark, **fields}]}

    waiting = []
    for number, call in enumerate(calls_of(reply)):
        pieces = [part(number, {"function": {"arguments": piece}}) for piece in cut(call["function"]["arguments"], whole)]
        yield part(number, {**call, "function": {"name": call["function"]["name"], "arguments": ""}})
        if index == "normal":
            waiting.append(pieces)  # interleaved: only the index tells whose piece it is
        else:
            yield from pieces
    while any(waiting):
        for pieces in waiting:
            if pieces:
                yield pieces.pop(0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "openai-test"

    def do_GET(self):
        self.refuse(404, {"message": "only POST /chat/completions is here"})

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        name, fault, reply = "refused", None, None
        if not self.path.endswith("/chat/completions"):
            refusal = (404, {"message": f"unknown path {self.path}"})
        elif self.server.key and self.headers.get("Authorization") != f"Bearer {self.server.key}":
            refusal = (401, {"message": "Incorrect API key provided", "code": "invalid_api_key"})
        elif not isinstance(body, dict):
            refusal = (400, {"message": "the body is no JSON object", "type": "invalid_request_error"})
        elif objection(body):
            refusal = (400, {"message": objection(body), "type": "invalid_request_error"})
        else:
            name, fault, reply = self.server.script.next(body["messages"])
            refusal = None if reply else (500, {"message": f"the test script has no reply for {name}"})
        self.server.note({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                          "body": body, "answer": name if refusal is None else f"{refusal[0]} {refusal[1]['message']}"})
        try:
            if refusal:
                self.refuse(*refusal)
            else:
                self.answer(body, reply, fault or {})
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client went away, as some tests want it to
        self.close_connection = True

    def answer(self, body, reply, fault):
        if "status" in fault:
            return self.refuse(fault["status"], fault.get("error", {"message": "a fault of the test"}), fault.get("headers", {}))
        if "nonsense" in fault:
            return self.send_whole(200, fault["nonsense"].encode(), "text/html", {})
        if fault.get("hang"):
            return self.hang()
        chunks = self.chunks(reply)
        if not body.get("stream"):
            return self.send_whole(200, json.dumps(self.whole(reply)).encode(), "application/json", {})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for number, chunk in enumerate(chunks):
            if number == fault.get("cut_after"):
                return None  # no last chunk: the connection just ends
            if number == fault.get("hang_after"):
                return self.hang()
            if number == fault.get("error_after"):
                self.send_event(json.dumps({"error": fault["error"]}), number, True)
                break
            self.send_event(json.dumps(chunk, ensure_ascii=False), number, reply.get("pieces") == "whole")
            time.sleep(reply.get("delay_ms", 0) / 1000)
        else:
            self.send_event("[DONE]", 0, True)
        self.wfile.write(b"0\r\n\r\n")
        return None

    @staticmethod
    def finish_of(reply):
        return reply.get("finish_reason", "tool_calls" if reply.get("tool_calls") else "stop")

    def chunks(self, reply):
        head = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1, "model": "test-model"}
        for delta in deltas_of(reply):
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": self.finish_of(reply)}]}
        usage = reply.get("usage", {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18})
        if usage:
            yield {**head, "choices": [], "usage": usage}

    def whole(self, reply):
        message = {"role": "assistant", "content": reply.get("content"), "tool_calls": list(calls_of(reply))}
        return {"id": "chatcmpl-test", "object": "chat.completion", "created": 1, "model": "test-model",
                "choices": [{"index": 0, "message": message, "finish_reason": self.finish_of(reply)}],
                "usage": reply.get("usage", {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18})}

    def send_event(self, data, number, whole):
        """One event; awkwardly: with comments, other line ends, and cut in the middle of a line and of a character."""
        end = "\n" if whole else ("\n", "\r\n", "\r")[number % 3]
        event = f"data: {data}{end}{end}".encode()
        if not whole and number % 4 == 0:
            event = f": keep-alive{end}{end}".encode() + event
        middle = len(event) if whole else (7 * number + 3) % len(event)
        for piece in (event[:middle], event[middle:]):
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()

    def hang(self):
        readable, _, _ = select.select([self.connection], [], [], HANG_SECONDS_MAX)  # readable: the client closed
        if readable:
            with self.server.log_lock:
                self.server.left += 1

    def refuse(self, status, error, headers=None):
        self.send_whole(status, json.dumps({"error": error}).encode(), "application/json", headers or {})

    def send_whole(self, status, body, content_type, headers):
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, replies, log=None, key=None, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.script, self.key = Script(replies), key
        self.log, self.log_lock = log, threading.Lock()
        self.left = 0  # hanging answers whose client went away

    @property
    def port(self):
        return self.server_address[1]

    def note(self, entry):
        if self.log:
            with self.log_lock, open(self.log, "a", encoding="utf-8") as out:
                out.write(json.dumps({"time": time.time(), **entry}, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description="An OpenAI-compatible chat server for tests.")
    parser.add_argument("--replies", required=True)
    parser.add_argument("--log")
    parser.add_argument("--key")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with open(options.replies, encoding="utf-8") as script:
        server = Server(json.load(script), options.log, options.key, options.port)
    print(server.port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()

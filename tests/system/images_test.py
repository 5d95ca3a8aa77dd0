"""Pictures for models: given with a run or in a chat, kept as blobs, sent to the provider as they are."""

import base64
import struct
import zlib

from tests.system.model_test import KEY, Provider
from tests.system.node import NodeTest, poll

MODEL = "openai/test-model"


def png(red):
    """A picture of one pixel."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(bytes([0, red, 0, 0]))) + chunk(b"IEND", b""))


def text_of(data):
    return base64.b64encode(data).decode()


class ImagesTest(NodeTest):
    def setUp(self):
        super().setUp()
        reply = {"content": "A red pixel."}
        self.provider = Provider(self.folder, {"look": [reply] * 3, "break": [{**reply, "faults": [{"hang": True}]}, reply]})
        self.addCleanup(self.provider.close)
        self.one = self.node("--model.openai.base_url", self.provider.url, environment={"OPENAI_API_KEY": KEY}).start()
        self.api = self.one.client()

    def seen(self, goal, request=-1):
        """The data URLs that the provider was sent, of each message of the user."""
        messages = self.provider.log(goal)[request]["body"]["messages"]
        return [[part["image_url"]["url"] for part in m["content"] if part["type"] == "image_url"]
                if isinstance(m["content"], list) else [] for m in messages if m["role"] == "user"]

    def test_a_run_looks_at_its_pictures_also_after_a_kill_9(self):
        run = self.api.create("/runs", {"goal": "look at it", "model": MODEL,
                                        "images": [{"data": text_of(png(200))}, {"data": text_of(b"GIF89a" + b"x" * 20)}]})
        self.assertEqual([i["media_type"] for i in run["images"]], ["image/png", "image/gif"])
        self.assertEqual(run["images"][0]["bytes"], len(png(200)))
        ended = self.api.wait_run(run["id"])
        self.assertEqual(ended.get("result"), "A red pixel.", ended)
        self.assertEqual(self.seen("look")[0][0], "data:image/png;base64," + text_of(png(200)))
        self.assertEqual(len(self.seen("look")[0]), 2)

        run = self.api.create("/runs", {"goal": "break it", "model": MODEL, "images": [{"data": text_of(png(7))}]})["id"]
        poll("the call", lambda: self.provider.log("break"))
        self.one.kill9()
        self.one.start()
        self.assertEqual(self.one.client().wait_run(run)["status"], "succeeded")
        self.assertEqual(self.seen("break"), [["data:image/png;base64," + text_of(png(7))]])
        # What was done once is shown with what it was shown, and a fork has it too.
        fork = self.one.client().create(f"/runs/{run}/fork", {"step": 1, "message": "look again"})["id"]
        self.one.client().wait_run(fork)
        self.assertEqual(self.seen("break")[0], ["data:image/png;base64," + text_of(png(7))])

    def test_a_chat_has_pictures(self):
        self.api.create("/agents", {"name": "eye", "model": MODEL})

        def part(url):
            return {"type": "image_url", "image_url": {"url": url}}
        first, second = (f"data:image/png;base64,{text_of(png(n))}" for n in (1, 2))
        body = {"model": "eye", "messages": [
            {"role": "user", "content": [{"type": "text", "text": "look here"}, part(first)]},
            {"role": "assistant", "content": "I see."},
            {"role": "user", "content": [part(second), {"type": "text", "text": "and here"}]}]}
        for stream in (False, True):
            answer = self.api.post("/v1/chat/completions", {**body, "stream": stream}, base="")
            self.assertEqual(answer.status, 200, str(answer))
        poll("both", lambda: len(self.provider.log("look")) == 2)
        for request in (0, 1):
            self.assertEqual(self.seen("look", request), [[first], [second]])
        for url in ("https://example.org/cat.png", "data:image/png,abc", 7):
            bad = self.api.post("/v1/chat/completions", {"model": "eye", "messages": [
                {"role": "user", "content": [{"type": "text", "text": "look"}, part(url)]}]}, base="")
            self.assertEqual(bad.json["errors"][0]["pointer"], "/messages/0/content/1/image_url/url")

    def test_what_is_no_picture_is_refused_with_its_place(self):
        good = {"data": text_of(png(1))}
        for bad, words in (({"data": "%%%"}, "base64"), ({"data": text_of(b"#!/bin/sh")}, "PNG"),
                           ({"data": text_of(png(1) + b"x" * (5 << 20))}, "bytes")):
            refused = self.api.request("POST", "/runs", {"goal": "look", "model": MODEL, "images": [good, bad]})
            self.assertEqual(refused.status, 422, str(refused))
            self.assertEqual(refused.json["errors"][0]["pointer"], "/images/1/data")
            self.assertIn(words, refused.json["detail"])
        self.status(self.api.request("POST", "/runs", {"goal": "look", "images": [good] * 17}), 422)
        self.status(self.api.request("POST", "/runs", {"goal": "look", "parameters": {"x": "y" * (2 << 20)}}), 422)

    def test_the_command_line_takes_files(self):
        picture = self.folder / "a.png"
        picture.write_bytes(png(9))
        out = self.one.cli("run", "start", "--image", str(picture), "-m", MODEL, "look at this")
        self.assertEqual(out.returncode, 0, out.stderr)
        self.assertEqual(self.seen("look"), [["data:image/png;base64," + text_of(png(9))]])
        missing = self.one.cli("run", "start", "--image", str(self.folder / "none.png"), "look")
        self.assertEqual(missing.returncode, 2)
        self.assertIn("cannot be read", missing.stderr)

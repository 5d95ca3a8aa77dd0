"""A client of WebSocket, as little as the tests need."""

import base64
import json
import os
import socket
import struct
import urllib.parse

from tests.system.node import SECONDS_MAX

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class WebSocket:
    """Raises ConnectionError when the other side has gone."""

    def __init__(self, url, key, path="/api/v1/ws", seconds=SECONDS_MAX, tls=None):
        where = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((where.hostname, where.port), timeout=seconds)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=where.hostname)
        self.read_ahead = b""
        nonce = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n"
                             f"Authorization: Bearer {key}\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._bytes(1)
        self.status = int(head.split()[1])

    def _bytes(self, count):
        while len(self.read_ahead) < count:
            part = self.socket.recv(65536)
            if not part:
                raise ConnectionError("the node closed the connection")
            self.read_ahead += part
        out, self.read_ahead = self.read_ahead[:count], self.read_ahead[count:]
        return out

    def send_frame(self, kind, payload=b""):
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack(">H", size)
        mask = os.urandom(4)
        self.socket.sendall(bytes([0x80 | kind]) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def send(self, message):
        self.send_frame(TEXT, json.dumps(message).encode())

    def frame(self):
        """(kind, payload) of the next one."""
        kind, size = self._bytes(2)
        if size == 126:
            size = struct.unpack(">H", self._bytes(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._bytes(8))[0]
        return kind & 0x0F, self._bytes(size)

    def read(self):
        """The next message; pings are answered."""
        while True:
            kind, payload = self.frame()
            if kind == PING:
                self.send_frame(PONG, payload)
            elif kind == CLOSE:
                raise ConnectionError(f"the node closed: {payload[2:].decode()}")
            else:
                return json.loads(payload)

    def ask(self, message):
        """The answer; events that come before it are passed over."""
        self.send(message)
        while "op" not in (answer := self.read()):
            pass
        return answer

    def subscribe(self, *channels, **more):
        return self.ask({"op": "subscribe", "channels": list(channels), **more})

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

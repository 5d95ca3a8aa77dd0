"""A command at a terminal of its own, and somebody who types."""

import os
import pty
import select
import signal
import time

from tests.system.node import SECONDS_MAX, TROUPE


class Terminal:
    """`with Terminal(...) as t`: runs a command; `read_until` what it shows, `type` keys, `end` for its exit code."""

    def __init__(self, arguments, environment, folder="/"):
        self.pid, self.master = pty.fork()  # OSError: this machine gives no terminals
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in the background of a shell
            os.chdir(folder)
            os.execve(TROUPE, [str(TROUPE), *arguments], environment)
        self.raw = b""
        self.status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)

    @property
    def shown(self):
        return self.raw.decode(errors="replace").replace("\r", "")

    def read(self):
        """What comes next; False: the command ended."""
        if not select.select([self.master], [], [], SECONDS_MAX)[0]:
            raise AssertionError(f"nothing more comes: {self.shown[-2000:]}")
        try:
            piece = os.read(self.master, 4096)
        except OSError:  # as Linux says it
            piece = b""
        self.raw += piece
        return bool(piece)

    def read_until(self, text):
        begin = time.monotonic()
        while text not in self.shown:
            if not self.read() or time.monotonic() - begin > SECONDS_MAX:
                raise AssertionError(f"never shown: {text}\n{self.shown[-2000:]}")

    def type(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

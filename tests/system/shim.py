"""Nodes with a small library (shim.c) before libc: disks that fail, and clocks that are the test's."""

import os
import subprocess
from pathlib import Path

from tests.system.node import NodeTest, sanitizers

SOURCE = Path(__file__).resolve().parent / "shim.c"


class ShimCase(NodeTest):
    """`self.environment` is for the nodes; what the shim does stands in files of `self.shim`."""

    def setUp(self):
        super().setUp()
        self.shim = self.folder / "shim"
        self.shim.mkdir()
        library = self.shim / "shim.so"
        subprocess.run([os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "TROUPE_SHIM": str(self.shim)}
        if sanitizers():  # it wants to come first, and does not mind a library that only stands before libc
            self.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"

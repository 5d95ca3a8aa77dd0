"""What users of C++ get: `cmake --install`, `find_package(Troupe)`, and the examples, built against the installed
package and run, also after a `kill -9`."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.system.node import BUILD, REPOSITORY, SECONDS_MAX, TROUPE, NodeTest, sanitizers

EXAMPLES = REPOSITORY / "tests" / "examples"
BUILD_SECONDS_MAX = 600
COUNTER = "/counters/018f3c5e-0000-7000-8000-000000000001"


def must(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=BUILD_SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")


def flags():
    """Warnings that strict users have; and what a program needs that links a library with sanitizers."""
    return "-Wall -Wextra -Wpedantic -Wshadow -Werror" + (f" -fsanitize={sanitizers()}" if sanitizers() else "")


def build_examples(test_class, *targets):
    """Installs Troupe at `test_class.prefix` and builds examples against it in `test_class.built`."""
    test_class.place = Path(tempfile.mkdtemp(prefix="troupe-examples-"))
    test_class.addClassCleanup(shutil.rmtree, test_class.place, ignore_errors=True)
    test_class.prefix, test_class.built = test_class.place / "troupe", test_class.place / "build"
    must("cmake", "--install", BUILD, "--prefix", test_class.prefix)
    launcher = ("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",) if shutil.which("ccache") else ()
    must("cmake", "-G", "Ninja", "-S", EXAMPLES, "-B", test_class.built, f"-DCMAKE_PREFIX_PATH={test_class.prefix}",
         f"-DCMAKE_CXX_FLAGS={flags()}", *launcher)
    must("cmake", "--build", test_class.built, "-j2", *(["--target", *targets] if targets else []))


class Examples(NodeTest):
    @classmethod
    def setUpClass(cls):
        build_examples(cls)

    def run_example(self, *command):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TROUPE_", "OPENAI_"))}
        return subprocess.run([str(c) for c in (self.built / command[0], *command[1:])], capture_output=True, text=True,
                              timeout=SECONDS_MAX, env=environment, check=False)

    def said(self, *command):
        """The lines that an example prints before it ends well."""
        done = self.run_example(*command)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.splitlines()

    def test_the_package_is_whole_and_tells_nothing_of_its_build(self):
        headers = self.prefix / "include" / "troupe"
        installed = sorted(headers.rglob("*.hpp"))
        self.assertGreater(len(installed), 30)
        missing = [f"{header}: {name}" for header in installed
                   for name in re.findall(r'^#include "([^"]+)"', header.read_text(), re.MULTILINE)
                   if not (headers / name).is_file()]
        self.assertEqual(missing, [])
        heavy = [str(header) for header in installed
                 if re.search(r"#include <(caf|rocksdb|boost/(asio|beast)|simdjson|yaml-cpp)", header.read_text())]
        self.assertEqual(heavy, [])
        package = self.prefix / "lib" / "cmake" / "Troupe"
        text = "".join(file.read_text() for file in package.glob("*.cmake"))
        for leak in ("-Werror", "-Wall", "-fsanitize", "fuse-ld", "PRECOMPILE", str(BUILD), str(REPOSITORY)):
            self.assertNotIn(leak, text)
        for program in ("troupe", "troupe-runner"):
            self.assertTrue(os.access(self.prefix / "bin" / program, os.X_OK), program)

    def test_the_counter_goes_on_after_kill_9(self):
        node = self.node(program=(self.built / "counter",)).start()
        client = node.client()
        self.assertEqual(client.get(COUNTER).status, 404)
        key = {"Idempotency-Key": "first"}
        self.assertEqual(client.create(f"{COUNTER}/add", {"by": 40}, headers=key), {"value": 40})
        self.assertEqual(client.create(f"{COUNTER}/add", {"by": 5}), {"value": 45})
        node.kill9()

        client = node.start().client()
        self.assertEqual(client.read(COUNTER), {"value": 45})
        self.assertEqual(client.create(f"{COUNTER}/add", {"by": 40}, headers=key), {"value": 40})  # the first answer
        self.assertEqual(client.create(f"{COUNTER}/add", {"by": 50}), {"value": 95})
        self.status(client.post(f"{COUNTER}/add", {"by": 6}), 409, "conflict")
        self.status(client.post(f"{COUNTER}/add", {"by": 51}), 422, "invalid_request")
        self.status(client.post(f"{COUNTER}/add"), 422, "invalid_request")
        self.assertEqual(client.read(COUNTER), {"value": 95})
        self.assertEqual([e["kind"] for e in client.events_of(COUNTER[1:])], ["added"] * 3)
        self.assertIn("/counters/{id}/add", str(client.read("/openapi.json")))
        client.create("/agents", {"name": "beside"})  # the product is there too
        self.assertEqual(node.stop(), 0)

    def test_a_program_that_serves_refuses_what_troupe_serve_refuses(self):
        status, said = self.node("--log.level", "loud", program=(self.built / "counter",)).refused()
        self.assertEqual(status, 2, said)
        self.assertIn("log.level", said)

    def test_an_embedded_node_ends_what_a_killed_one_began(self):
        data = self.folder / "orders"
        with subprocess.Popen([self.built / "embedded", data, "600000"], stdout=subprocess.PIPE, text=True) as killed:
            try:  # the work may begin before the answer is printed
                lines = sorted(killed.stdout.readline().strip() for _ in range(2))
            finally:
                killed.kill()
        self.assertEqual(lines, ['placed: {"item":"books","sent":false}', "sending books"])
        self.assertEqual(sorted(self.said("embedded", data, 0)),
                         ['placed before: {"item":"books","sent":false}', "sending books", 'sent: {"item":"books","sent":true}'])
        self.assertEqual(self.said("embedded", data, 0),  # sent once and for all
                         ['placed before: {"item":"books","sent":false}', 'sent: {"item":"books","sent":true}'])
        self.assertEqual(self.run_example("embedded").returncode, 2)

    def test_an_agent_kind_of_a_program_works_with_its_tool(self):
        data = self.folder / "reviews"
        for text, count in (("To be or not to be", 6), ("One", 1)):
            lines = self.said("reviewer", data, text)
            self.assertRegex(lines[0], r"^serving http://127\.0\.0\.1:\d+$")
            self.assertEqual(lines[1:], [f"reviewed: The text has {count} words."])
        verified = subprocess.run([TROUPE, "journal", "verify", "--data", data, "--json"], capture_output=True, text=True,
                                  timeout=SECONDS_MAX, check=False)
        self.assertEqual(verified.returncode, 0, verified)


if __name__ == "__main__":
    unittest.main()

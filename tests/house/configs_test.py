"""What cluster-configs/ says is so: YAML is YAML, and every property, variable and metric that a file names exists. Tools that
judge such files run where they are; else a skip says which one was not there."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from tests.house import sources

try:
    import yaml
except ImportError:  # bin/install-packages test brings it for the system's python3
    yaml = None

FOLDER = "cluster-configs/"
DOCKER = FOLDER + "docker/"
CHART = FOLDER + "helm/troupe/"
PROMETHEUS = FOLDER + "prometheus/"
VALUES = ("values.yaml", "values-staging.yaml", "values-production.yaml")
FILE_ENDINGS = (".json", ".yaml", ".md", ".pem", ".service")


def properties():
    tables = sources.text("runtime/config/properties.cpp") + sources.text("runtime/config/properties_work.cpp")
    return set(re.findall(r'\{\.name = "([a-z0-9_.]+)"', tables))


def variables():
    """Of the environment, as `environment_name` makes them, and those of the CLI."""
    client = re.search(r"client_variables = \{(.*?)\}", sources.text("runtime/config/load.cpp"))[1]
    return {"TROUPE_" + name.replace(".", "_").upper() for name in properties()} | set(re.findall(r'"(\w+)"', client))


def metrics():
    """All names that nodes may show, those of histograms with their suffixes."""
    code = " ".join(sources.text(p) for p in sources.cpp_files() if not p.startswith("tests/"))
    plain = set(re.findall(r'"((?:troupe|process)_\w+)"', code))
    histograms = set(re.findall(r'make_histogram\(\s*"(\w+)"', code))
    return plain | {name + suffix for name in histograms for suffix in ("_bucket", "_sum", "_count")}


def unknown_variables(text):
    return sorted(set(re.findall(r"TROUPE_[A-Z0-9_]*[A-Z0-9]", text)) - variables())


def unknown_properties(text):
    """Words that look like one, or like a group of them: edge.tls."""
    known = properties()
    known |= {name.rsplit(".", 1)[0] for name in known}
    groups = "|".join(sorted({name.split(".")[0] for name in known if "." in name}))
    words = re.findall(rf"(?<![\w./-])(?:{groups})\.[a-z0-9_]+(?:\.[a-z0-9_]+)*", text)
    return sorted({word for word in words if word not in known and not word.endswith(FILE_ENDINGS)})


def unknown_settings(tree, prefix=""):
    """Leaves of a configuration that are no property."""
    known = properties()
    for key, value in tree.items():
        name = prefix + key
        if isinstance(value, dict):
            yield from unknown_settings(value, name + ".")
        elif name not in known:
            yield name


def expressions(text):
    return re.findall(r"^ +expr: (.+)$", text, re.MULTILINE)


def unknown_metrics(expression, known):
    return sorted(set(re.findall(r"\b(?:troupe|process)_\w+", expression)) - known)


def open_blocks(text):
    """How many blocks of a template have no end."""
    words = re.findall(r"\{\{-?\s*(if|with|range|define|end)\b", text)
    return sum(-1 if word == "end" else 1 for word in words)


def run(*words, folder=sources.ROOT):
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, text=True)
    return done.returncode, done.stdout


class Names(unittest.TestCase):
    maxDiff = None

    def texts(self, *folders):
        return {path: sources.text(path) for path in sources.files() if path.startswith(folders)}

    def test_variables_are_those_of_properties(self):
        self.assertEqual(unknown_variables("TROUPE_CLUSTER_NAME=n1 TROUPE_CLUSTER_NAMES: TROUPE_URL"), ["TROUPE_CLUSTER_NAMES"])
        texts = self.texts(FOLDER)
        self.assertIn("TROUPE_CLUSTER_NAME", texts[DOCKER + "compose.yaml"])
        self.assertEqual({path: unknown_variables(text) for path, text in texts.items() if unknown_variables(text)}, {})

    def test_properties_in_words_exist(self):
        self.assertEqual(unknown_properties("see edge.drain_ms, edge.drain_s and cluster.json"), ["edge.drain_s"])
        texts = self.texts(DOCKER, PROMETHEUS, FOLDER + "ci/", FOLDER + "terraform/variables.tf", FOLDER + "systemd/", FOLDER + "three-nodes/", FOLDER + "single-node.yaml")
        self.assertGreater(len(texts), 8)
        self.assertEqual({path: unknown_properties(text) for path, text in texts.items() if unknown_properties(text)}, {})

    def test_alerts_and_the_dashboard_use_metrics_that_exist(self):
        known = metrics()
        self.assertIn("troupe_command_seconds_bucket", known)
        self.assertEqual(unknown_metrics("rate(troupe_commands_total[5m]) / troupe_nothing_total", known), ["troupe_nothing_total"])
        self.assertEqual(unknown_metrics("troupe_uptime_seconds_bucket", known), ["troupe_uptime_seconds_bucket"])
        board = json.loads(sources.text(FOLDER + "grafana/troupe.json"))
        queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
        alerts = expressions(sources.text(PROMETHEUS + "alerts.yaml"))
        self.assertGreater(len(alerts), 15)
        self.assertEqual(len(alerts), sources.text(PROMETHEUS + "alerts.yaml").count("- alert: "))
        for query in queries + alerts:
            self.assertTrue(re.search(r"\b(?:troupe_|process_|up\b)", query), query)
            self.assertEqual(unknown_metrics(query, known), [], query)

    def test_alerts_select_values_of_labels_that_exist(self):
        board = sources.text("runtime/supervision/failures.hpp")
        modules = set(re.findall(r'"(\w+)"', re.search(r"modules\{(.*?)\}", board, re.DOTALL)[1]))
        levels = set(re.findall(r'"(\w+)"', re.search(r"levels\{(.*?)\}", board, re.DOTALL)[1]))
        said = " ".join(expressions(sources.text(PROMETHEUS + "alerts.yaml")))
        self.assertLessEqual(set(re.findall(r'\bmodule!?="(\w+)"', said)), modules)
        self.assertLessEqual(set(re.findall(r'\blevel="(\w+)"', said)), levels)
        self.assertEqual(set(re.findall(r'\bjob="(\w+)"', said)), {"troupe"})
        self.assertIn("job_name: troupe\n", sources.text(PROMETHEUS + "prometheus.yaml"))

    def test_probes_ask_for_paths_that_exist(self):
        routes = sources.text("actors/system/system_routes.cpp")
        texts = " ".join(self.texts(DOCKER, CHART + "templates/").values())
        paths = set(re.findall(r"/health(?:/\w+)?\b", texts))
        self.assertEqual(paths, {"/health", "/health/live", "/health/ready"})
        self.assertEqual([path for path in paths if f'health(parts, "{path}"' not in routes], [])

    def test_every_file_says_what_has_checked_it(self):
        said = [path for path in self.texts(DOCKER, PROMETHEUS, CHART) if not path.startswith(CHART + "templates/")]
        said = [path for path in said if not path.endswith((".dockerignore", "alerts_test.yaml"))]
        self.assertGreater(len(said), 6)
        self.assertEqual([path for path in said if "hecked" not in sources.text(path)], [])

    def test_blocks_of_templates_end(self):
        self.assertEqual(open_blocks("{{- if a }}{{ with b }}{{- end }}"), 1)
        templates = self.texts(CHART + "templates/")
        self.assertGreater(len(templates), 5)
        self.assertEqual([path for path, text in templates.items() if open_blocks(text) != 0], [])


@unittest.skipUnless(yaml, "python has no yaml (Debian: python3-yaml)")
class Yaml(unittest.TestCase):
    maxDiff = None

    def read(self, path):
        return yaml.safe_load(sources.text(path))

    def test_files_are_yaml(self):
        paths = [path for path in sources.files(".yaml") if path.startswith(FOLDER) and "/templates/" not in path]
        self.assertGreater(len(paths), 9)
        for path in paths:
            with self.subTest(path):
                self.assertIsInstance(self.read(path), dict)

    def test_configurations_hold_properties_only(self):
        self.assertEqual(list(unknown_settings({"edge": {"tls": {"cert": 1, "key_file": 1}}})), ["edge.tls.cert"])
        for name in ("n1", "n2", "n3"):
            self.assertEqual(list(unknown_settings(self.read(f"{FOLDER}three-nodes/{name}.yaml"))), [], name)
        self.assertEqual(list(unknown_settings(self.read(FOLDER + "single-node.yaml"))), [])
        for name in VALUES:
            config = self.read(CHART + name)["config"]
            self.assertTrue(config, name)
            self.assertEqual(list(unknown_settings(config)), [], name)

    def test_values_of_places_are_values_of_the_chart(self):
        known = self.read(CHART + "values.yaml")
        for name in VALUES[1:]:
            self.assertEqual(sorted(set(self.read(CHART + name)) - set(known)), [], name)
        used = " ".join(sources.text(path) for path in sources.files() if path.startswith(CHART + "templates/"))
        self.assertEqual(sorted(set(re.findall(r"\.Values\.(\w+)", used)) ^ set(known)), [])

    def test_compose_starts_three_nodes_with_places_of_their_own(self):
        services = self.read(DOCKER + "compose.yaml")["services"]
        self.assertEqual(sorted(services), ["etcd", "init", "n1", "n2", "n3"])
        nodes = [services[name] for name in ("n1", "n2", "n3")]
        self.assertEqual([n["environment"]["TROUPE_CLUSTER_NAME"] for n in nodes], ["n1", "n2", "n3"])
        self.assertEqual([n["environment"]["TROUPE_CLUSTER_ADVERTISE"] for n in nodes], [f"n{i}:7118" for i in (1, 2, 3)])
        self.assertEqual([n["ports"] for n in nodes], [[f"127.0.0.1:{port}:7117"] for port in (7117, 7118, 7119)])
        self.assertEqual([n["volumes"][1] for n in nodes], [f"n{i}:/var/lib/troupe" for i in (1, 2, 3)])


class Tools(unittest.TestCase):
    """Programs that judge such files."""

    def needed(self, *words):
        """Skips unless the program is there and answers."""
        if not shutil.which(words[0]) or run(*words)[0] != 0:
            self.skipTest(f"`{' '.join(words)}` does not work here")

    def good(self, *words, folder=""):
        status, said = run(*words, folder=sources.ROOT / folder)
        self.assertEqual(status, 0, f"{' '.join(map(str, words))}\n{said}")
        return said

    def test_promtool_takes_the_rules(self):
        self.needed("promtool", "--version")
        self.good("promtool", "check", "rules", "alerts.yaml", folder=PROMETHEUS)
        self.good("promtool", "test", "rules", "alerts_test.yaml", folder=PROMETHEUS)
        self.good("promtool", "check", "config", "--syntax-only", "prometheus.yaml", folder=PROMETHEUS)

    def test_helm_takes_the_chart(self):
        self.needed("helm", "version")
        for name in VALUES:
            self.good("helm", "lint", CHART, "-f", CHART + name)
            self.assertIn("kind: StatefulSet", self.good("helm", "template", "troupe", CHART, "-f", CHART + name))
        scaled = self.good("helm", "template", "troupe", CHART, "--set", "autoscaling.enabled=true,autoscaling.maxReplicas=5")
        self.assertIn("kind: HorizontalPodAutoscaler", scaled)
        self.assertIn("troupe-4.pem", scaled)
        status, said = run("helm", "template", "troupe", CHART, "--set", "replicas=17")
        self.assertNotEqual(status, 0)
        self.assertIn("at most 16 nodes", said)

    def test_docker_compose_takes_its_file(self):
        compose = ("docker-compose",) if shutil.which("docker-compose") else ("docker", "compose")
        self.needed(*compose, "version")
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "compose.yaml"
            copy.write_text(sources.text(DOCKER + "compose.yaml"))
            self.good(*compose, "-f", copy, "config", "--quiet")


if __name__ == "__main__":
    unittest.main()

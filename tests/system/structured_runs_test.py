"""Runs that give an output as their caller's JSON Schema wants it, also after kills; tasks with parameters."""

from tests.system.node import RUN_ENDS, NodeTest, poll

# The model answers in words first, then with an output that does not fit, then with one that does.
SCRIPT = """
rules:
  - when: {step: 1}
    call: [{tool: run_command, arguments: {command: "echo begun > mark.txt; sleep 1"}}]
  - when: {last_tool: run_command}
    say: I counted the words.
  - when: {message_contains: not enough}
    once: true
    call: [{tool: finish, arguments: {result: "Counted.", output: {words: many}}}]
  - when: {last_tool: finish, last_is_error: true}
    call: [{tool: finish, arguments: {result: "Counted.", output: {words: 7}}}]
"""
SIMPLE = """
rules:
  - call: [{tool: finish, arguments: {result: "Done.", output: {any: [1, 2]}}}]
"""
SCHEMA = {"type": "object", "properties": {"words": {"$ref": "#/$defs/count"}}, "required": ["words"],
          "additionalProperties": False, "$defs": {"count": {"type": "integer"}}}


class StructuredRuns(NodeTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("words", SCRIPT)
        (self.folder / "scripts" / "simple.yaml").write_text(SIMPLE)
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()

    def ended(self, run):
        def done():
            shown = self.api.read(f"/runs/{run}")
            return shown if shown["status"] in RUN_ENDS else None
        return poll(f"run {run} ends", done)

    def wish(self, **more):
        return {"goal": "Count the words", "model": self.model, **more}

    def test_output_fits_its_schema_also_after_kills(self):
        project = self.api.create("/projects", {"name": "words"})["id"]
        wish = self.wish(project_id=project, result_schema=SCHEMA, parameters={"file": "a.txt"})
        runs = [self.api.create("/runs", wish)["id"] for _ in range(3)]
        poll("a command runs", lambda: any(len(self.api.all(f"/runs/{run}/steps")) > 1 for run in runs))
        for _ in range(2):
            self.one.kill9()
            self.one.start()
            self.api = self.one.client()
        for run in runs:
            done = self.ended(run)
            self.assertEqual((done["status"], done.get("output"), done["result"]), ("succeeded", {"words": 7}, "Counted."), done)
            self.assertEqual((done.get("kind", "custom"), done["parameters"], done["result_schema"]), ("custom", {"file": "a.txt"}, SCHEMA))
            steps = [s for s in self.api.all(f"/runs/{run}/steps") if s.get("tool") == "finish"]
            self.assertEqual([s["status"] for s in steps], ["failed", "succeeded"], steps)
            self.assertIn("/words", steps[0]["content"])
            told = self.api.read(f"/runs/{run}/steps/1/context")["messages"][0]["content"]
            self.assertTrue(told.endswith('{"file":"a.txt"}'), told)
            self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)

    def test_a_model_that_never_gives_the_output_fails_clearly(self):
        flags, model = self.script("talker", "rules: [{say: It is done.}]")
        run = self.api.create("/runs", {"goal": "Count", "model": model, "result_schema": SCHEMA})["id"]
        done = self.ended(run)
        self.assertEqual(done["status"], "failed", done)
        self.assertIn("no output through finish", done["error"])
        self.assertEqual(done["step"], 4)

    def test_tasks_carry_parameters_and_output(self):
        agent = self.api.create("/agents", {"name": "counter", "model": "rehearsal:simple"})["id"]
        task = self.api.create("/agents/counter/tasks", {"title": "Count", "parameters": {"file": "a.txt"}})
        self.assertEqual(task["parameters"], {"file": "a.txt"})
        done = poll("the task is done", lambda: self.one_in_review(task["id"]))
        self.assertEqual((done["result"], done["output"]), ("Done.", {"any": [1, 2]}))
        run = self.api.read(f"/runs/{done['run_id']}")
        self.assertEqual((run["parameters"], run["output"], run["agent_id"]), ({"file": "a.txt"}, {"any": [1, 2]}, agent))

    def one_in_review(self, task):
        shown = self.api.read(f"/tasks/{task}")
        return shown if shown["status"] == "review" else None

    def test_what_cannot_be_is_refused_with_its_place(self):
        agent = self.api.create("/agents", {"name": "counter"})["id"]
        for body, pointer in (({"parameters": [1]}, "/parameters"),
                              ({"result_schema": {"type": "string"}}, "/result_schema"),
                              ({"result_schema": {"type": "object", "allOf": [{"$ref": "#"}]}}, "/result_schema"),
                              ({"result_schema": {"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}}, "/result_schema"),
                              ({"agent_id": agent, "kind": "tester"}, "/kind")):
            reply = self.api.post("/runs", self.wish(**body))
            self.assertEqual((reply.status, [e["pointer"] for e in reply.json["errors"]]), (422, [pointer]), reply)
        reply = self.api.post("/tasks", {"title": "Count", "agent_id": agent, "parameters": 7})
        self.assertEqual((reply.status, reply.json["errors"][0]["pointer"]), (422, "/parameters"), reply)
        run = self.api.create("/runs", self.wish(model="rehearsal:kind/custom"))["id"]
        self.assertIn("no kind of agent of this name has a script", self.ended(run)["error"])

    def test_kinds_are_listed(self):
        kinds = {k["name"]: k for k in self.api.read("/agent-kinds")["items"]}
        self.assertIn("custom", kinds)
        self.assertIn("custom", self.one.cli("agent", "kinds").stdout)
        said = self.one.cli("run", "start", "--model", "rehearsal:simple", "--parameters", '{"a":1}', "--detach", "Go")
        self.assertEqual(said.returncode, 0, said)
        self.assertEqual(self.ended(said.stdout.strip())["parameters"], {"a": 1})
        self.assertEqual(self.one.cli("run", "start", "--parameters", "{", "Go").returncode, 2)

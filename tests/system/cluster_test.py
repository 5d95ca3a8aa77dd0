"""Three nodes and etcd: what was answered stays, whoever dies."""


from tests.system.cluster import ClusterTest, Writers
from tests.system.node import poll


class Cluster(ClusterTest):
    def leads(self, asked, name):
        return next(n["shards_led"] for n in asked.client().read("/cluster")["nodes"] if n["name"] == name)

    def test_what_one_node_answers_all_show_at_once(self):
        nodes = self.start_all()
        for i, asked in enumerate(nodes):
            made = asked.client().create("/projects", {"name": f"project {i}"})
            for reader in nodes:
                self.assertEqual(reader.client().read(f"/projects/{made['id']}")["name"], f"project {i}")

    def test_nothing_that_was_answered_is_lost_when_nodes_are_killed_one_after_the_other(self):
        nodes = self.start_all()
        load = Writers(nodes)
        try:
            load.wait_for(20)
            for victim in nodes:
                victim.kill9()
                load.wait_for(20)
                victim.launch().ready()
                load.wait_for(20)
        finally:
            load.stop()
        load.check(self, nodes)

    def test_a_node_that_stands_still_is_followed_and_finds_what_came_meanwhile(self):
        nodes = self.start_all()
        load = Writers(nodes)
        try:
            load.wait_for(10)
            nodes[0].pause()
            load.wait_for(20)
            nodes[0].go_on()
            load.wait_for(20)
        finally:
            nodes[0].go_on()
            load.stop()
        load.check(self, nodes)

    def test_with_one_of_three_left_nothing_is_written_and_it_says_so(self):
        n1, n2, n3 = self.start_all()
        made = n1.client().create("/projects", {"name": "before"})
        n2.kill9()
        n3.kill9()
        poll("n1 knows", lambda: n1.client().read("/cluster")["status"] == "partial")
        refused = n1.client().post("/projects", {"name": "alone"}, seconds=30)
        self.status(refused, 503, "unavailable")
        self.assertEqual(n1.client("").get("/health", base="").status, 200)
        n2.launch().ready()
        poll("they serve again", lambda: n1.client().post("/projects", {"name": "two"}).status == 201)
        self.assertEqual(n2.client().read(f"/projects/{made['id']}")["name"], "before")

    def test_a_drained_node_leads_nothing_and_a_resumed_one_does(self):
        n1, n2, _ = self.start_all()
        load = Writers(self.members)
        try:
            load.wait_for(5)
            self.assertEqual(n2.cli("cluster", "drain", "n1").returncode, 0)
            self.assertEqual(self.leads(n2, "n1"), 0)
            load.wait_for(10)
            self.assertEqual(n2.cli("cluster", "resume", "n1").returncode, 0)
            poll("n1 leads again", lambda: self.leads(n2, "n1") > 0)
            load.wait_for(5)
        finally:
            load.stop()
        load.check(self, self.members)

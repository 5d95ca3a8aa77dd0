"""More nodes than copies, and shards that are moved by hand."""

from tests.system.cluster import ClusterTest, Writers
from tests.system.node import poll


class MoreNodesThanCopies(ClusterTest):
    nodes_count = 4

    def placed(self, node):
        return node.client().read("/cluster/shards?limit=100")["items"]

    def shard(self, node, number):
        return self.placed(node)[number]

    def settled(self, node):
        now = node.client().read("/cluster")
        return now["status"] == "ok" and now["shards_moving"] == 0

    def test_each_leads_its_share_follows_the_rest_and_shows_everything(self):
        nodes = self.start_all()
        poll("all is where it belongs", lambda: self.settled(nodes[0]), seconds=60)
        for s in self.placed(nodes[0]):
            self.assertEqual((len(s["voters"]), len(s["learners"])), (3, 1), s)
        self.assertTrue(all(n["shards_led"] > 0 for n in nodes[0].client().read("/cluster")["nodes"]))
        load = Writers(nodes)
        try:
            load.wait_for(10)
            nodes[3].kill9()
            load.wait_for(20)
            nodes[3].launch().ready()
            load.wait_for(10)
        finally:
            load.stop()
        load.check(self, nodes)

    def test_a_shard_that_was_moved_is_led_there_whenever_that_node_is_up(self):
        nodes = self.start_all()
        n1 = nodes[0]
        poll("all is where it belongs", lambda: self.settled(n1), seconds=60)
        before = self.shard(n1, 3)
        to = before["learners"][0]  # it does not even vote
        target = next(n for n in nodes if n.name == to)
        load = Writers(nodes)
        try:
            load.wait_for(5)
            self.assertEqual(n1.cli("cluster", "move", "3", to).returncode, 0)
            poll("it is led there", lambda: self.shard(n1, 3)["leader"] == to)
            self.assertEqual(self.shard(n1, 3)["moved_to"], to)
            target.kill9()
            other = next(n for n in nodes if n is not target)
            poll("others take over", lambda: self.shard(other, 3)["leader"] != to and self.shard(other, 3)["open"])
            target.launch().ready()
            poll("it leads again", lambda: self.shard(other, 3)["leader"] == to)
            self.assertEqual(n1.cli("cluster", "move", "3", "--back").returncode, 0)
            poll("it is where it was", lambda: self.shard(n1, 3)["leader"] == before["leader"])
            load.wait_for(5)
        finally:
            load.stop()
        load.check(self, nodes)

    def test_what_cannot_be_moved_is_said(self):
        nodes = self.start_all()
        n1 = nodes[0]
        for words, said in ((("16", "n2"), "there is no shard"), (("x", "n2"), "there is no shard"), (("3", "n9"), "has no node"),
                            (("3",), "--back"), (("3", "n2", "--back"), "--back")):
            refused = n1.cli("cluster", "move", *words)
            self.assertNotEqual(refused.returncode, 0, words)
            self.assertIn(said, refused.stderr)
        nodes[3].stop()
        poll("n4 is down", lambda: "is down" in n1.cli("cluster", "move", "3", "n4").stderr)

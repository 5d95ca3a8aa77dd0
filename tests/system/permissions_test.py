"""Every operation, with every built-in role, in the own and in another organization: who may what stands in permissions.txt."""

import http.client
import json
import os
import re
import unittest
import urllib.parse
from pathlib import Path

from tests.system.identity_test import IdentityTest
from tests.system.node import SECONDS_MAX

TABLE = Path(__file__).with_name("permissions.txt")
ROLES = ("owner", "admin", "operator", "member", "viewer", "agent")
NOTHING = "018f0000-0000-7000-8000-000000000001"  # an id that nothing has
HEAD = """# Who may call what: operation, then each role that may ("anyone": no key is needed; "node": administrators of the node).
# Compared with a real node by permissions_test.py; TROUPE_WRITE=1 makes it anew: read the difference before you commit it.
"""


class PermissionsTest(IdentityTest):
    def call(self, node, method, path, key, **headers):
        """Status and detail of the answer; nothing of a stream is waited for."""
        parts = urllib.parse.urlsplit(node.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=SECONDS_MAX)
        try:
            sent = {"Authorization": f"Bearer {key}"} if key else {}
            body = None if method == "GET" else "{}"
            connection.request(method, path, body, {**sent, "Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            if answer.status < 400:
                return answer.status, ""
            return answer.status, json.loads(answer.read()).get("detail", "")
        finally:
            connection.close()

    def operations(self, node):
        """(operation, method, path of its URL, whether anyone may)"""
        document = node.client(key="").get("/openapi.json").json
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if method in ("get", "post", "put", "patch", "delete"):
                    server = (operation.get("servers") or methods.get("servers") or document["servers"])[0]["url"]
                    yield operation["operationId"], method.upper(), urllib.parse.urlsplit(server).path.rstrip("/") + path, \
                        operation.get("security") == []

    def test_every_operation_with_every_role(self):
        node = self.node("--limits.address_per_second", "100000", "--limits.address_burst", "100000").start()  # each is asked without a key
        acme, other = self.organization(node, "Acme"), self.organization(node, "Other")
        keys = {}
        for role in ROLES:
            if role == "agent":
                made = node.client().create("/api-keys", {"name": role, "role": role}, headers={"X-Organization": "acme"})
            else:
                person, _ = self.person(node, f"{role}@example.org", role=role, organization="acme")
                made = person.create("/api-keys", {"name": role})
            keys[role] = made["key"]
        stranger, _ = self.person(node, "stranger@example.org", organization="other")
        self.assertNotEqual(acme["id"], other["id"])
        lines = []
        for operation, method, path, is_open in self.operations(node):
            url = re.sub(r"\{[^}]*\}", NOTHING, path.replace("/organizations/{id}", f"/organizations/{acme['id']}"))
            if is_open:
                lines.append(f"{operation}: anyone")
                continue
            self.assertEqual(self.call(node, method, url, "")[0], 401, operation)
            may = []
            for role in ROLES:
                status, detail = self.call(node, method, url, keys[role])
                self.assertNotEqual(status, 401, (operation, role))
                if not (status == 403 and detail.startswith("this needs the permission")):
                    may.append(role)
            lines.append(f"{operation}: {' '.join(may) if may else 'node'}")
            status, detail = self.call(node, method, url, stranger.key, **{"X-Organization": acme["id"]})
            self.assertEqual(status, 404, (operation, detail))
            self.assertIn("that you belong to", detail, operation)
        table = HEAD + "".join(f"{line}\n" for line in sorted(lines))
        if os.environ.get("TROUPE_WRITE"):
            TABLE.write_text(table)
        self.assertEqual(table, TABLE.read_text())


if __name__ == "__main__":
    unittest.main()

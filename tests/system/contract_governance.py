"""The operations of compliance and erasure, for contract_test.py."""

import uuid

from tests.system.identity_test import PASSWORD
from tests.system.node import poll

NOBODY = str(uuid.uuid4())


class GovernanceContract:
    def compliance(self, id, key):
        for suffix, caller, where in (("", key, {"id": id}), ("_of_node", None, {})):
            name = "compliance" + suffix
            self.drive("get_" + name, 200, key=caller, **where)
            self.drive("get_" + name, 401, key="wrong", **where)
            self.drive("export_" + name, 404, key=caller, **where)
            self.drive("evaluate_" + name, 202, key=caller, **where)
            self.drive("evaluate_" + name, 401, key="wrong", **where)
            poll("the evaluation is done", lambda s=suffix, c=caller, w=where: "latest" in self.drive(
                "get_compliance" + s, 200, key=c, **w).json)
            for format in ("json", "csv"):
                self.drive("export_" + name, 200, key=caller, query={"format": format, "number": "1"}, **where)
            self.drive("compliance_history" + suffix, 200, key=caller, **where)
            self.drive("compliance_history" + suffix, 422, key=caller, query={"limit": "0"}, lenient=True, **where)

    def erasures(self):
        slug = self.drive("create_organization", 201, body={"name": "Umbrella", "slug": "umbrella"}).json["slug"]
        self.drive("erase_organization", 422, id=slug)
        self.drive("erase_organization", 404, id=NOBODY)
        erased = self.drive("erase_organization", 202, id=slug, query={"confirm": slug}).json["id"]
        for name, email in (("erase_user", "mallory@example.org"), ("erase_profile", "mallet@example.org")):
            self.drive("create_user", 201, body={"email": email, "password": PASSWORD})
            key, of = (None, {"id": email}) if name == "erase_user" else (
                self.drive("login", 200, key="", body={"email": email, "password": PASSWORD}).json["access_token"], {})
            self.drive(name, 422, key=key, query={"confirm": "x"}, **of)
            self.drive(name, 202, key=key, query={"confirm": email}, **of)
        self.drive("erase_user", 404, id=NOBODY)
        shown = poll("the erasure", lambda: (lambda r: r if r.json["status"] == "done" else None)(
            self.drive("get_erasure", 200, id=erased)))
        self.drive("get_erasure", 304, id=erased, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_erasure", 404, id=NOBODY)
        self.drive("list_erasures", 200, query={"status": "done"})
        self.drive("list_erasures", 422, query={"limit": "0"}, lenient=True)

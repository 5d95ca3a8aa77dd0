"""The operations of settings, for contract_test.py."""

import uuid


class SettingsContract:
    def settings(self, id, key):
        nobody = str(uuid.uuid4())
        of = {"id": id, "key": key}
        self.drive("get_settings", 200, **of)
        changed = self.drive("change_settings", 200, body=self.example("change_settings"), **of)
        self.drive("change_settings", 200, body={"values": {"a": {"secret": "s"}, "security.password.length_min": 12}}, **of)
        self.drive("change_settings", 412, body={"values": {"a": 1}}, headers={"If-Match": '"77"'}, **of)
        self.drive("change_settings", 409, body={"values": {"security.addresses.allowed": ["192.0.2.0/24"]}}, **of)
        self.drive("change_settings", 422, body={"values": {"security.nonsense": 1}}, **of)
        self.drive("change_settings", 404, id=nobody, body={"values": {"a": 1}})
        shown = self.drive("get_settings", 200, **of)
        self.drive("get_settings", 304, headers={"If-None-Match": shown.headers["etag"]}, **of)
        self.assertEqual(changed.json["version"], 1)
        self.drive("list_settings_versions", 200, query={"limit": "1"}, **of)
        self.drive("get_settings_version", 200, version="1", **of)
        self.drive("get_settings_version", 404, version="99", **of)
        self.drive("diff_settings", 200, query={"from": "0", "to": "2"}, **of)
        self.drive("diff_settings", 404, query={"from": "99"}, **of)
        self.drive("get_effective_settings", 200, query={"profile": "production"}, **of)
        self.drive("get_effective_settings", 422, query={"profile": "No Name"}, **of)
        exported = self.drive("export_settings", 200, **of).json
        self.drive("import_settings", 200, body={"document": exported, "mode": "replace"}, **of)
        self.drive("import_settings", 422, body={"document": {**exported, "format": "another"}}, **of)
        self.drive("put_settings_template", 200, name="mine", body=self.example("put_settings_template"), **of)
        self.drive("put_settings_template", 422, name="security-strict", body={"values": {"a": 1}}, **of)
        self.drive("list_settings_templates", 200, **of)
        self.drive("get_settings_template", 200, name="mine", **of)
        self.drive("get_settings_template", 404, name="nothing", **of)
        self.drive("apply_settings_template", 200, name="mine", body={}, **of)
        self.drive("apply_settings_template", 404, name="nothing", body={}, **of)
        self.drive("delete_settings_template", 200, name="mine", **of)
        self.drive("delete_settings_template", 409, name="security-strict", **of)
        self.drive("list_known_settings", 200, **of)
        self.drive("rollback_settings", 200, body={"version": 1}, **of)
        self.drive("rollback_settings", 404, body={"version": 99}, **of)
        for name in ("get_settings", "list_settings_versions", "export_settings", "list_settings_templates", "list_known_settings"):
            self.drive(name, 404, id=nobody)

"""The normalizer against an export of osquery, before it is a component."""

import unittest
from pathlib import Path

from cavra_sdk import normalizer as n
from cavra_sdk.testing import read
from plugin import Plugin

EXPORT = Path(__file__).with_name("export.jsonl").read_bytes()


class Exports(unittest.TestCase):
    def test_an_export_is_read(self) -> None:
        endpoints, summary = read(Plugin, EXPORT, {"target_map": {"macOS": "macos", "Ubuntu": "linux"}})
        self.assertEqual((summary.records, summary.skipped, summary.problems), (3, 2, []))
        self.assertEqual(
            endpoints,
            [
                {
                    "endpoint_id": "6A2F0B1C-0001",
                    "deployment_target": "macos",
                    "provider": "osquery",
                    "hostname": "build-7",
                    "serial_number": "C02ABC",
                    "installed_version": "1.4.2",
                    "binary_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "os": "macOS",
                    "os_version": "15.2",
                    "last_seen_at": "2026-11-30T08:00:00+00:00",
                },
                {
                    "endpoint_id": "web-3",
                    "deployment_target": "",
                    "provider": "osquery",
                    "hostname": "web-3.example.com",
                    "installed_version": "1.4.1",
                    "binary_sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
                    "last_seen_at": "2026-11-30T08:01:00+00:00",
                },
                {
                    "endpoint_id": "dev-ü",
                    "deployment_target": "linux",
                    "provider": "osquery",
                    "installed_version": "1.4.2",
                    "os": "Ubuntu",
                    "last_seen_at": "2026-11-30T08:01:41+00:00",
                },
            ],
        )

    def test_what_is_no_results_log_is_refused(self) -> None:
        for export, refusal in (
            (b"", n.Refusal_NoRecords),
            (b"\n\n", n.Refusal_NoRecords),
            (b"[]\n", n.Refusal_Unreadable),
            (b'{"a": 1}\n{"b"', n.Refusal_Unreadable),
            (b'{"a": 1}\n\xff\n', n.Refusal_Unreadable),
            (b"[" * 100_000, n.Refusal_Unreadable),
            (b" " * (n.LONGEST_LINE + 1), n.Refusal_Unreadable),
        ):
            with self.subTest(export[:20]), self.assertRaises(n.Err) as refused:
                read(Plugin, export)
            self.assertIsInstance(refused.exception.value, refusal)
        with self.assertRaises(n.Err) as refused:
            read(Plugin, b'{"a": 1}\n{"b"')
        self.assertEqual(refused.exception.value.value, n.Fault(9, 2, "a line is no JSON"))

    def test_settings_that_are_no_object_are_refused(self) -> None:
        with self.assertRaises(n.Err):
            Plugin().begin("[]")


if __name__ == "__main__":
    unittest.main()

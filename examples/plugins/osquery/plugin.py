"""osquery: the results log of its scheduled queries, read as an inventory of endpoints.

A line is what one query said of one host: https://osquery.readthedocs.io/en/stable/deployment/logging/. It counts if the
query's name ends in ``cavra``, with or without its pack before it, and if it has the columns ``version`` and ``sha256`` of
the binary; README.md shows such a query. What is in the log of a host is in the order of time, so its newest line counts.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cavra_sdk import normalizer as n

QUERY = "cavra"

COLUMNS = {
    "version": "installed_version",
    "sha256": "binary_sha256",
    "hostname": "hostname",
    "hardware_serial": "serial_number",
    "os_name": "os",
    "os_version": "os_version",
}
"""Columns of the query, and what they are of an endpoint."""

DECORATIONS = {"hostname": "hostname", "hardware_serial": "serial_number"}
"""Decorations of the agent that say the same: https://osquery.readthedocs.io/en/stable/deployment/configuration/"""

MOST = 1024
"""Longest fact, in bytes."""


class Plugin(n.LineNormalizer):
    """Reads lines of differences, one by one or batched, and lines of snapshots."""

    def describe(self) -> n.Description:
        schema = {
            "type": "object",
            "properties": {"target_map": {"type": "object", "additionalProperties": {"type": "string"}}},
        }
        return n.Description("osquery", "osquery", "1.0.0", ["json-lines"], json.dumps(schema))

    def record(self, line: str) -> Mapping[str, Any] | None:
        entry = _object(line)
        name = entry.get("name")
        if not isinstance(name, str) or name.replace("_", "/").rpartition("/")[2] != QUERY:
            return None
        rows = _rows(entry)
        if not rows:
            return None
        if len(rows) > 1:
            self.problem("rows", f"the query answered {len(rows)} rows; the last one counts")
        return self._observation(entry, rows[-1])

    def _observation(self, entry: Mapping[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        host = _text(entry.get("hostIdentifier"))
        if not host:
            self.problem("host", "a line names no host")
            return None
        decorations = entry.get("decorations")
        decorations = decorations if isinstance(decorations, dict) else {}
        facts = {fact: _text(decorations.get(column)) for column, fact in DECORATIONS.items()}
        facts |= {fact: text for column, fact in COLUMNS.items() if (text := _text(row.get(column)))}
        facts["last_seen_at"] = _moment(entry.get("unixTime"))
        targets = self.settings.get("target_map")
        target = targets.get(facts.get("os", "")) if isinstance(targets, dict) else None
        return {
            "endpoint_id": host,
            "deployment_target": target if isinstance(target, str) else facts.get("os", ""),
            "provider": "osquery",
            **{fact: text for fact, text in facts.items() if text},
        }


def _object(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise n.Err("a line is no JSON") from None
    if not isinstance(entry, dict):
        raise n.Err("a line is no JSON object")
    return entry


def _rows(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that are there after the query: those of a snapshot, and those that were added."""
    if entry.get("action") in ("added", "snapshot") and isinstance(entry.get("columns"), dict):
        return [entry["columns"]]
    rows = entry.get("snapshot")
    if rows is None and isinstance(entry.get("diffResults"), dict):
        rows = entry["diffResults"].get("added")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _text(value: Any) -> str:
    """A fact as text; what is longer than one may be is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    text = str(value).strip()
    return text if len(text.encode()) <= MOST else ""


def _moment(seconds: Any) -> str:
    """osquery writes seconds since 1970, some versions as text."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""

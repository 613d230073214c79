"""Exports read as cavra reads them: in pieces, cut wherever they happen to end."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from cavra_sdk import normalizer as n

LARGEST_CHUNK = 64 * 1024
MOST_RECORDS = 50_000
LONGEST_FACT = 1024

_REQUIRED = ("endpoint_id", "deployment_target", "provider")


def read(
    make: Callable[[], n.Normalizer],
    export: bytes,
    settings: Mapping[str, Any] | None = None,
    cuts: tuple[int, ...] = (LARGEST_CHUNK, 4096, 61, 7),
) -> tuple[list[dict[str, Any]], n.Summary]:
    """What a new normalizer makes of an export: the observations that count, and its summary.

    The export is read once for each size of pieces, and has to come to the same each time.

    :raises AssertionError: it does not, or an observation is none that cavra takes.
    :raises Err: the export is refused.
    """
    first = _once(make(), export, settings, cuts[0])
    for cut in cuts[1:]:
        again = _once(make(), export, settings, cut)
        assert again == first, f"in pieces of {cut} bytes it reads something else"
    return first


def _once(
    normalizer: n.Normalizer, export: bytes, settings: Mapping[str, Any] | None, cut: int
) -> tuple[list[dict[str, Any]], n.Summary]:
    provider = normalizer.describe().id
    normalizer.begin(json.dumps(settings or {}))
    parts: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    retracted: set[int] = set()
    batches = [normalizer.chunk(export[start : start + cut]) for start in range(0, len(export), cut)]
    summary = normalizer.finish()
    for batch in [*batches, summary.last]:
        for seen in batch.observations:
            parts.setdefault(seen.part, []).append((seen.record_number, _checked(seen.payload, provider)))
        retracted.update(batch.retracted)
    counted = [seen for part, rows in sorted(parts.items()) if part not in retracted for seen in rows]
    assert len(counted) == summary.records, f"{len(counted)} observations of {summary.records} records"
    assert len(counted) <= MOST_RECORDS, f"more than {MOST_RECORDS} records; refuse them with Refusal_TooMany"
    # A summary's last batch depends on where the export was cut; what it comes to does not.
    return [payload for _, payload in counted], n.Summary(
        n.Batch([], []),
        summary.records,
        summary.skipped,
        summary.problems,
        summary.unknown_columns,
        summary.about,
    )


def _checked(payload: str, provider: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(payload)
    for name in _REQUIRED:
        assert isinstance(members.get(name), str), f"an observation without {name}"
    assert members["provider"] == provider, f"an observation of {members['provider']} from {provider}"
    for name, value in members.items():
        assert name in (*_REQUIRED, *n.FACTS), f"an observation has no {name}"
        assert isinstance(value, (str, int, float, bool)), f"{name} is no text, number or boolean"
        length = len(value.encode()) if isinstance(value, str) else len(json.dumps(value))
        assert length <= LONGEST_FACT, f"{name} is longer than 1 KiB"
    return members

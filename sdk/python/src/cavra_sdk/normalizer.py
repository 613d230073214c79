"""Normalizers: an inventory export of a vendor's tool goes in as chunks, observations of endpoints come out.

An export is one session: ``begin``, chunks cut anywhere, ``finish``. What a normalizer keeps on ``self`` between these calls
it keeps for this session only. Its memory, instructions and time are bounded for all of them together, so it keeps what it
needs and nothing of the export. :class:`LineNormalizer` does all of it for exports with a record in each line.

The types are those of the contract, ``cavra_sdk/wit/normalizer.wit``, where every field is explained.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from cavra_normalizer import CavraNormalizer as Normalizer
from cavra_normalizer.imports.types import (
    Batch,
    Description,
    Fault,
    Observation,
    Problem,
    Refusal,
    Refusal_NoRecords,
    Refusal_Settings,
    Refusal_TooMany,
    Refusal_Unreadable,
    Summary,
)
from componentize_py_types import Err

__all__ = [
    "FACTS",
    "LONGEST_LINE",
    "Batch",
    "Description",
    "Err",
    "Fault",
    "LineNormalizer",
    "Normalizer",
    "Observation",
    "Problem",
    "Refusal",
    "Refusal_NoRecords",
    "Refusal_Settings",
    "Refusal_TooMany",
    "Refusal_Unreadable",
    "Summary",
]

FACTS = (
    "installed_version",
    "binary_sha256",
    "last_seen_at",
    "hostname",
    "serial_number",
    "os",
    "os_version",
    "management_state",
)
"""What an observation may hold besides ``endpoint_id``, ``deployment_target`` and ``provider``, as far as it is known."""

LONGEST_LINE = 1024 * 1024
"""Longest line that is read, in bytes."""

MOST_PROBLEMS = 100
"""Problems that are told; what is wrong with a hundred lines is wrong with all."""


class LineNormalizer(Normalizer):
    """A normalizer of an export whose lines are records. It holds one line at a time.

    ``record`` says what a line is. Empty lines are nothing.
    """

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self._rest = bytearray()
        self._offset = 0
        self._line = 0
        self._records = 0
        self._skipped = 0
        self._problems: list[Problem] = []

    @abstractmethod
    def record(self, line: str) -> Mapping[str, Any] | None:
        """The observation that a line is, without members that are not known; ``None`` if it is about something else.

        :raises Err: the export cannot be read, with a sentence that repeats nothing of its content.
        """

    def begin(self, settings: str) -> None:
        try:
            value = json.loads(settings)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Err(Refusal_Settings("the settings are no JSON object"))
        self.settings = value

    def chunk(self, bytes: bytes) -> Batch:
        self._rest += bytes
        *lines, rest = self._rest.split(b"\n")
        observations = [seen for line in lines for seen in self._read(line, 1)]
        self._rest = bytearray(rest)
        if len(self._rest) > LONGEST_LINE:
            self._line += 1
            raise self._unreadable(f"a line has more than {LONGEST_LINE} bytes")
        return Batch(observations, [])

    def finish(self) -> Summary:
        last = self._read(self._rest, 0)
        if not self._records and not self._skipped:
            raise Err(Refusal_NoRecords())
        return Summary(Batch(last, []), self._records, self._skipped, self._problems, [], "{}")

    def problem(self, sort: str, message: str) -> None:
        """Notes what the reader of the export should know. It does not keep the export from being read."""
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(Problem(sort, f"line {self._line}: {message}"))

    def _read(self, line: bytes | bytearray, end: int) -> list[Observation]:
        self._line += 1
        seen = self._observed(line)
        self._offset += len(line) + end
        return seen

    def _observed(self, line: bytes | bytearray) -> list[Observation]:
        if len(line) > LONGEST_LINE:
            raise self._unreadable(f"a line has more than {LONGEST_LINE} bytes")
        try:
            text = line.decode().strip()
            members = self.record(text) if text else None
        except UnicodeDecodeError:
            raise self._unreadable("a line is not UTF-8") from None
        except Err as error:
            if isinstance(error.value, str):
                raise self._unreadable(error.value) from None
            raise
        if members is None:
            self._skipped += bool(text)
            return []
        self._records += 1
        return [Observation(0, self._line, json.dumps(members, ensure_ascii=False))]

    def _unreadable(self, message: str) -> Err[Refusal]:
        return Err(Refusal_Unreadable(Fault(self._offset, self._line, message)))

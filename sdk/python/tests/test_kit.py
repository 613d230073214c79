"""The kit of test helpers finds what is wrong with a plugin."""

import json
import unittest
from typing import Any

from cavra_sdk import connector as c
from cavra_sdk import normalizer as n
from cavra_sdk.testing import play, read
from cavra_sdk.testing.policy import commands, facts_at, read_file
from cavra_sdk.worlds import WORLDS, world_of


class Desk(c.Connector):
    """Sends what it is made with."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def describe(self) -> c.Description:
        endpoint = c.Endpoint("desk", "a desk", "https://desk.example.com", False)
        access = c.Credential("access", [c.CredentialKind_Token("Bearer")], True, "opens tickets")
        return c.Description("desk", "Desk", "1", [c.SubjectKind.EVENT], [endpoint], [access], [])

    def step(self, subject: c.Subject, context: c.Context, exchanges: list[c.Exchange]) -> c.Next:
        if len(exchanges) >= self.changes.get("requests", 1):
            return c.Next_Done(c.outcome_of(exchanges[-1], lambda answer: answer.get("id")))
        request = c.json_request(context, "desk", c.event_of(subject), credentials=["access"])
        for name, value in self.changes.items():
            setattr(request, name, value)
        return c.Next_Send([request])


CASE: dict[str, Any] = {
    "name": "told",
    "tell": {"event": {"a": 1}},
    "context": {"message_id": "m"},
    "exchanges": [
        {
            "request": {
                "method": "POST",
                "endpoint": "desk",
                "path": "",
                "headers": {"content-type": "application/json", "idempotency-key": "m"},
                "credentials": ["access"],
                "body": {"a": 1},
            },
            "response": {"status": 200, "body": {"id": "T-1"}},
        },
    ],
    "outcome": {"verdict": "accepted", "reference": "T-1"},
}


class Connectors(unittest.TestCase):
    def test_a_connector_that_keeps_to_its_case(self) -> None:
        play(Desk(), CASE)

    def test_departures_are_found(self) -> None:
        for changes, said in (
            ({"method": "PUT"}, "was recorded as"),
            ({"method": "TRACE"}, "the method TRACE"),
            ({"endpoint": "other"}, "the endpoint other is not in its description"),
            ({"credentials": ["other"]}, "the credential other"),
            ({"body": b"text"}, "was recorded as"),
            ({"patience": c.Patience.SHORT}, "was recorded as"),
            ({"headers": [c.Header("Authorization", "x")]}, "is for cavra to set"),
            ({"headers": [c.Header("x-session-token", "x")]}, "is for cavra to set"),
            ({"headers": [c.Header("a", "1"), c.Header("A", "2")]}, "stands there twice"),
            ({"requests": 2}, "one request too many"),
            ({"requests": 0}, "list index out of range"),
        ):
            with self.subTest(changes), self.assertRaises((AssertionError, IndexError)) as found:
                play(Desk(**changes), CASE)
            self.assertIn(said, str(found.exception))
        later = {**CASE, "exchanges": CASE["exchanges"] * 2}
        with self.assertRaisesRegex(AssertionError, "done too early"):
            play(Desk(), later)
        with self.assertRaisesRegex(AssertionError, "was recorded as"):
            play(Desk(), {**CASE, "outcome": {"verdict": "refused"}})

    def test_what_answers_usually_mean(self) -> None:
        sent = c.Sent("POST", "desk", "", "sha256:", 0)
        for status, verdict in ((200, "ACCEPTED"), (302, "REFUSED"), (401, "HELD_UP"), (429, "PASSING"), (503, "PASSING")):
            answer = c.Ok(c.Response(status, None, b'{"id": "a b"}'))
            outcome = c.outcome_of(c.Exchange(sent, answer), lambda answer: answer["id"])
            self.assertEqual((outcome.verdict, outcome.reference), (c.Verdict[verdict], None))
        for failure, verdict in ((c.Failure.TIMED_OUT, "PASSING"), (c.Failure.NOT_PERMITTED, "HELD_UP")):
            self.assertEqual(c.outcome_of(c.Exchange(sent, c.Err(failure))).verdict, c.Verdict[verdict])

    def test_segments_of_paths(self) -> None:
        self.assertEqual(c.segment("!a b:ü?"), "!a%20b:%C3%BC%3F")
        for text in ("", ".", "..", "..;x", "a/b", "a\\b", "a%2fb", "a\nb"):
            with self.subTest(text), self.assertRaises(c.Err):
                c.segment(text)


class Lines(n.LineNormalizer):
    def __init__(self, **changes: Any) -> None:
        super().__init__()
        self.changes = changes

    def describe(self) -> n.Description:
        return n.Description("acme", "Acme", "1", ["json-lines"], "{}")

    def record(self, line: str) -> dict[str, Any] | None:
        seen = {"endpoint_id": line, "deployment_target": "", "provider": "acme", **self.changes}
        return {name: value for name, value in seen.items() if value is not None}


class Normalizers(unittest.TestCase):
    def test_lines_are_read_however_they_are_cut(self) -> None:
        export = "ä\nb\r\n\nc".encode()
        seen, summary = read(Lines, export)
        self.assertEqual([it["endpoint_id"] for it in seen], ["ä", "b", "c"])
        self.assertEqual((summary.records, summary.skipped), (3, 0))

    def test_what_is_no_observation_is_found(self) -> None:
        for changes, said in (
            ({"endpoint_id": None}, "without endpoint_id"),
            ({"provider": "other"}, "of other from acme"),
            ({"password": "x"}, "has no password"),
            ({"os": ["x"]}, "os is no text"),
            ({"os": "x" * 1025}, "longer than 1 KiB"),
        ):
            with self.subTest(changes), self.assertRaisesRegex(AssertionError, said):
                read(lambda changes=changes: Lines(**changes), b"a")

    def test_a_reader_that_depends_on_where_it_is_cut_is_found(self) -> None:
        class Careless(Lines):
            def chunk(self, bytes: bytes) -> n.Batch:
                return super().chunk(bytes + b"\n")

        with self.assertRaisesRegex(AssertionError, "in pieces of"):
            read(Careless, b"a long line " * 40)


class Policies(unittest.TestCase):
    def test_actions_are_those_of_the_contract(self) -> None:
        line = commands('echo "a"', "ls")
        self.assertEqual([part.dequoted for part in line.parts], ["echo a", "ls"])
        self.assertEqual(len(line.effects.certainty), 2)
        self.assertEqual((read_file("a").value.path, facts_at(7).now), ("a", 7))


class Worlds(unittest.TestCase):
    def test_a_plugin_has_one_world(self) -> None:
        self.assertEqual(world_of(Desk).kind, "connector")
        self.assertEqual(world_of(Lines).kind, "normalizer")
        self.assertTrue(all(world.wit_path().is_file() for world in WORLDS))
        for plugin in (object, type("Both", (Desk, Lines), {})):
            with self.assertRaises(TypeError):
                world_of(plugin)

    def test_cases_are_json(self) -> None:
        self.assertEqual(json.loads(json.dumps(CASE)), CASE)


if __name__ == "__main__":
    unittest.main()

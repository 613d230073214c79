"""The connector against recorded exchanges, before it is a component."""

import json
import unittest
from pathlib import Path

from cavra_sdk import connector as c
from cavra_sdk.testing import cases, play
from plugin import Plugin

CASES = Path(__file__).with_name("tests.yaml")


class Recorded(unittest.TestCase):
    def test_every_case(self) -> None:
        for case in cases(CASES):
            with self.subTest(case["name"]):
                play(Plugin(), case)

    def test_without_a_room_nothing_is_sent(self) -> None:
        for settings in ({}, {"room": ""}, {"room": ".."}, {"room": "a/b"}):
            case = cases(CASES)[0]
            case["context"]["settings"] = settings
            with self.subTest(settings), self.assertRaises(c.Err):
                play(Plugin(), case)

    def test_what_is_no_event_is_not_told(self) -> None:
        context = c.Context("m", c.Moment(0, ""), None, "matrix", [("room", "!a:b")], ["access"], [])
        for subject in (c.Subject_Event("[]"), c.Subject_Event("{"), c.Subject_Approval(json.dumps({}))):
            with self.subTest(subject), self.assertRaises(c.Err):
                Plugin().step(subject, context, [])


if __name__ == "__main__":
    unittest.main()

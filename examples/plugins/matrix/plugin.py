"""Matrix: a message in a room for each event, by the client-server API.

https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
"""

from html import escape
from typing import Any

from cavra_sdk import connector as c

LONGEST = 2000
"""Characters shown of a value; an event of Matrix has 64 KiB at most."""

FACTS = (
    ("Decision", "decision"),
    ("Severity", "max_severity"),
    ("Session", "session_id"),
    ("Repository", "repository"),
    ("Action", "action_type"),
    ("Target", "target"),
    ("Reason", "reason"),
)


class Plugin(c.Connector):
    """Tells a room what happens. The message's id is the transaction's, so that a repetition is no second message."""

    def describe(self) -> c.Description:
        return c.Description(
            id="matrix",
            title="Matrix",
            version="1.0.0",
            subjects=[c.SubjectKind.EVENT],
            endpoints=[
                c.Endpoint("homeserver", "the homeserver's client-server API", "https://matrix.example.org", False),
            ],
            credentials=[
                c.Credential("access", [c.CredentialKind_Token("Bearer")], True, "the access token of an account in the room"),
            ],
            settings=[
                c.Setting("room", "the room's id, such as !abc:example.org", []),
                c.Setting("kind", "how people are told: text rings, notice does not", ["text", "notice"]),
            ],
        )

    def step(self, subject: c.Subject, context: c.Context, exchanges: list[c.Exchange]) -> c.Next:
        if exchanges:
            return c.Next_Done(_outcome(exchanges[-1]))
        room = c.setting_of(context, "room")
        if not room:
            raise c.Err("the setting `room` is missing")
        if not context.message_id:
            raise c.Err("a message without an id cannot be sent: it names the transaction")
        kind = c.setting_of(context, "kind") or "text"
        path = f"_matrix/client/v3/rooms/{c.segment(room)}/send/m.room.message/{c.segment(context.message_id)}"
        message = _message(c.event_of(subject), kind)
        return c.Next_Send([c.json_request(context, "homeserver", message, method="PUT", path=path, credentials=["access"])])


def _message(event: dict[str, Any], kind: str) -> dict[str, str]:
    """A message as text, and as HTML in which values are values."""
    title = _text(event.get("title")) or f"CAVRA {_text(event.get('event_type')) or 'event'}"
    record = event.get("record")
    known = event if not isinstance(record, dict) else {**record, **event}
    facts = [(label, text) for label, name in FACTS if (text := _text(known.get(name)))]
    return {
        "msgtype": f"m.{kind}",
        "body": "\n".join([title, *(f"{label}: {text}" for label, text in facts)]),
        "format": "org.matrix.custom.html",
        "formatted_body": f"<b>{escape(title)}</b>" + "".join(f"<br>{label}: {escape(text)}" for label, text in facts),
    }


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value)[:LONGEST]


def _outcome(exchange: c.Exchange) -> c.Outcome:
    """Older servers say in the body how long they want to be left alone, in milliseconds."""
    outcome = c.outcome_of(exchange, lambda answer: str(answer.get("event_id", "")).removeprefix("$"))
    wait = c.answer_of(exchange).get("retry_after_ms")
    if outcome.verdict is c.Verdict.PASSING and isinstance(wait, int) and 0 < wait < 1 << 31:
        outcome.retry_after = -(-wait // 1000)
    return outcome

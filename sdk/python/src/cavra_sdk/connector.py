"""Connectors: something to tell goes in, HTTP requests are described, an outcome comes out.

A connector does no I/O. It names an endpoint and credentials; cavra finds out where the endpoint is, checks that it was
granted, applies the credentials after the connector has answered, sends, cuts every secret out of the answer and asks
again, up to eight times. Every call runs in a fresh sandbox: what it knows is in its arguments.

The types are those of the contract, ``cavra_sdk/wit/connector.wit``, where every field is explained.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from cavra_connector import CavraConnector as Connector
from cavra_connector.imports.types import (
    Context,
    Credential,
    CredentialKind,
    CredentialKind_Basic,
    CredentialKind_Header,
    CredentialKind_Oauth2ClientCredentials,
    CredentialKind_StandardWebhooks,
    CredentialKind_Token,
    Description,
    Endpoint,
    Exchange,
    Failure,
    Header,
    Moment,
    Next,
    Next_Done,
    Next_Send,
    Outcome,
    Patience,
    Request,
    Response,
    Sent,
    Setting,
    Subject,
    Subject_Approval,
    Subject_Document,
    Subject_Event,
    SubjectKind,
    Verdict,
)
from componentize_py_types import Err, Ok, Result

__all__ = [
    "Connector",
    "Context",
    "Credential",
    "CredentialKind",
    "CredentialKind_Basic",
    "CredentialKind_Header",
    "CredentialKind_Oauth2ClientCredentials",
    "CredentialKind_StandardWebhooks",
    "CredentialKind_Token",
    "Description",
    "Endpoint",
    "Err",
    "Exchange",
    "Failure",
    "Header",
    "Moment",
    "Next",
    "Next_Done",
    "Next_Send",
    "Ok",
    "Outcome",
    "Patience",
    "Request",
    "Response",
    "Result",
    "Sent",
    "Setting",
    "Subject",
    "SubjectKind",
    "Subject_Approval",
    "Subject_Document",
    "Subject_Event",
    "Verdict",
    "answer_of",
    "event_of",
    "json_request",
    "outcome_of",
    "segment",
    "setting_of",
]

Refer = Callable[[Mapping[str, Any]], str | None]
"""What the receiver calls what it made, by its answer."""

_REFERENCE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def event_of(subject: Subject) -> dict[str, Any]:
    """The event that is to be told.

    :raises Err: it is no event, or no JSON object.
    """
    if not isinstance(subject, Subject_Event):
        raise Err("it tells events and nothing else")
    return _object(subject.value)


def setting_of(context: Context, name: str) -> str | None:
    """A text that the operator set, if he did."""
    return next((value for known, value in context.settings if known == name), None)


def segment(text: str) -> str:
    """A text as one segment of a path (RFC 3986, section 3.3).

    :raises Err: it cannot be one: it is empty, ``.`` or ``..``, or has a slash, a backslash, a percent sign or a
        control character, which cavra lets no path have in whatever notation.
    """
    hides = any(letter in "/\\%" or ord(letter) < 32 or ord(letter) == 127 for letter in text)
    # Some servers leave parameters out before they look for dots.
    if hides or text.partition(";")[0] in ("", ".", ".."):
        raise Err("a text cannot be a segment of a path")
    return quote(text, safe="!$&'()*+,;=:@~")


def json_request(
    context: Context,
    endpoint: str,
    body: Any,
    *,
    method: str = "POST",
    path: str = "",
    headers: Iterable[tuple[str, str]] = (),
    credentials: Iterable[str] = (),
    patience: Patience = Patience.LONG,
) -> Request:
    """A request with a JSON body, and the message's id as ``idempotency-key``."""
    known = [("content-type", "application/json"), *headers]
    if context.message_id:
        known.append(("idempotency-key", context.message_id))
    return Request(
        method=method,
        endpoint=endpoint,
        path=path,
        headers=[Header(name, value) for name, value in known],
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        credentials=list(credentials),
        patience=patience,
    )


def answer_of(exchange: Exchange) -> dict[str, Any]:
    """The JSON object that the receiver answered with; an empty one if it did not. cavra keeps 4096 bytes of it."""
    if not isinstance(exchange.response, Ok):
        return {}
    try:
        return _object(exchange.response.value.body.decode())
    except (Err, UnicodeDecodeError):
        return {}


def outcome_of(exchange: Exchange, refer: Refer | None = None) -> Outcome:
    """What an answer usually means.

    2xx is accepted. 408, 425, 429 and 5xx pass, as do receivers that are not there or late. 401, 402, 403 and 407 are
    held up until somebody mends something, as is what broke off or is not permitted. Everything else is refused.
    A reference that is longer than cavra takes, or of other characters, is left out.
    """
    if not isinstance(exchange.response, Ok):
        passing = exchange.response.value in (Failure.UNREACHABLE, Failure.TIMED_OUT)
        return Outcome(Verdict.PASSING if passing else Verdict.HELD_UP, None, None, "")
    status = exchange.response.value.status
    if 200 <= status < 300:
        reference = refer(answer_of(exchange)) if refer else None
        return Outcome(Verdict.ACCEPTED, None, reference if _is_reference(reference) else None, "")
    if status in (408, 425, 429) or 500 <= status < 600:
        return Outcome(Verdict.PASSING, None, None, "")
    if status in (401, 402, 403, 407):
        return Outcome(Verdict.HELD_UP, None, None, "")
    return Outcome(Verdict.REFUSED, None, None, "")


def _is_reference(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= 64 and _REFERENCE.issuperset(text)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise Err("it is no JSON") from None
    if not isinstance(value, dict):
        raise Err("it is no JSON object")
    return value

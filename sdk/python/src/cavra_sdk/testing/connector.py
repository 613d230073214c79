"""Recorded exchanges: what a connector is told, what it sends, what comes back, and what it makes of it.

A case is what ``tests.yaml`` of a package holds under ``cases``. JSON is YAML, so a file of cases is written as JSON::

    {"name": "an event", "tell": {"event": {"event_type": "cavra.test"}},
     "context": {"message_id": "msg_1", "now": "2040-01-01T00:00:00Z", "settings": {"room": "a"},
                 "credentials": ["access"]},
     "exchanges": [{"request": {"method": "POST", "endpoint": "receiver", "path": "", "headers": {…},
                                "credentials": ["access"], "body": {…}},
                    "response": {"status": 200, "retry_after": 5, "body": "ok"}}],
     "outcome": {"verdict": "accepted", "reference": "T-1"}}

``failure`` (``unreachable``, ``timed-out``, ``broken``, ``not-permitted``) in place of ``response`` says that there is none.
A request has its ``body`` where it is JSON, and else its ``text``; ``patience`` where it is not ``long``. A response's body is
a text, or the JSON that it is.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cavra_sdk import connector as c

NOW = "2031-01-01T00:00:00Z"
"""When a case happens that does not say it."""

MOST_STEPS = 8
MOST_REQUESTS = 16

_SUBJECTS: dict[str, Callable[[str], c.Subject]] = {
    "event": c.Subject_Event,
    "approval": c.Subject_Approval,
    "document": c.Subject_Document,
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Headers of the connection and of the host, and parts of names of those that let somebody in.
_NOT_OURS = frozenset(
    (
        "host content-length transfer-encoding connection upgrade te trailer expect cookie forwarded x-real-ip "
        "x-original-url x-http-method-override keep-alive"
    ).split(),
)
_SECRET = ("authorization", "token", "secret", "password", "api-key", "signature")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cases(path: str | Path) -> list[dict[str, Any]]:
    """The cases of a file that is written as JSON: a list of them, or an object with the list under ``cases``."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["cases"] if isinstance(document, dict) else document
    return found


def play(connector: c.Connector, case: dict[str, Any]) -> None:
    """Plays a case as cavra does: each request has to be the recorded one, and gets the recorded answer.

    :raises AssertionError: something is not as it was recorded, or nothing that cavra would let pass.
    """
    name = case["name"]
    [(kind, what)] = case["tell"].items()
    subject = _SUBJECTS[kind](json.dumps(what))
    description = connector.describe()
    context = _context(case.get("context", {}), description)
    recorded = iter(case["exchanges"])
    exchanges: list[c.Exchange] = []
    for _ in range(MOST_STEPS):
        step = connector.step(subject, context, list(exchanges))
        if isinstance(step, c.Next_Done):
            assert next(recorded, None) is None, f"{name}: it is done too early"
            _same(name, _outcome(step.value), case["outcome"])
            return
        assert step.value, f"{name}: it sends nothing and is not done"
        _send(name, description, step.value, recorded, exchanges)
    raise AssertionError(f"{name}: it is not done after {MOST_STEPS} steps")


def _send(
    name: str,
    description: c.Description,
    requests: list[c.Request],
    recorded: Iterator[dict[str, Any]],
    exchanges: list[c.Exchange],
) -> None:
    """Sends requests until one of them is not answered with 2xx."""
    for request in requests:
        _permitted(name, description, request)
        row = next(recorded, None)
        assert row is not None, f"{name}: one request too many"
        _same(name, _shown(request), row["request"])
        exchanges.append(_exchange(request, row))
        assert len(exchanges) <= MOST_REQUESTS, f"{name}: more than {MOST_REQUESTS} requests"
        response = exchanges[-1].response
        if not isinstance(response, c.Ok) or not 200 <= response.value.status < 300:
            return


def _permitted(name: str, description: c.Description, request: c.Request) -> None:
    endpoints = [endpoint.name for endpoint in description.endpoints]
    credentials = [credential.name for credential in description.credentials]
    assert request.method in _METHODS, f"{name}: the method {request.method}"
    assert request.endpoint in endpoints, f"{name}: the endpoint {request.endpoint} is not in its description"
    for credential in request.credentials:
        assert credential in credentials, f"{name}: the credential {credential} is not in its description"
    names = [header.name.lower() for header in request.headers]
    assert len(set(names)) == len(names), f"{name}: a header stands there twice"
    for header in names:
        ours = header not in _NOT_OURS and not header.startswith(("proxy-", "x-forwarded-"))
        ours = ours and not any(part in header for part in _SECRET)
        assert ours, f"{name}: the header {header} is for cavra to set"


def _shown(request: c.Request) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "method": request.method,
        "endpoint": request.endpoint,
        "path": request.path,
        "headers": {header.name: header.value for header in request.headers},
        "credentials": request.credentials,
    }
    text = request.body.decode()
    try:
        shown["body"] = json.loads(text)
    except ValueError:
        shown["text"] = text
    if request.patience is not c.Patience.LONG:
        shown["patience"] = request.patience.name.lower()
    return shown


def _outcome(outcome: c.Outcome) -> dict[str, Any]:
    shown: dict[str, Any] = {"verdict": outcome.verdict.name.lower().replace("_", "-")}
    if outcome.reference is not None:
        shown["reference"] = outcome.reference
    if outcome.retry_after is not None:
        shown["retry_after"] = outcome.retry_after
    return shown


def _exchange(request: c.Request, row: dict[str, Any]) -> c.Exchange:
    digest = f"sha256:{hashlib.sha256(request.body).hexdigest()}"
    sent = c.Sent(request.method, request.endpoint, request.path, digest, len(request.body))
    if "failure" in row:
        return c.Exchange(sent, c.Err(c.Failure[row["failure"].upper().replace("-", "_")]))
    answer = row["response"]
    body = answer.get("body", "")
    body = (body if isinstance(body, str) else json.dumps(body)).encode()[:4096]
    return c.Exchange(sent, c.Ok(c.Response(answer["status"], answer.get("retry_after"), body)))


def _context(said: dict[str, Any], description: c.Description) -> c.Context:
    paths = [(description.endpoints[0].name, said["path"])] if "path" in said else []
    return c.Context(
        message_id=said.get("message_id", ""),
        now=_moment(said.get("now", NOW)),
        happened=_moment(said["happened"]) if "happened" in said else None,
        connector=said.get("connector", ""),
        settings=list(said.get("settings", {}).items()),
        credentials=said.get("credentials", []),
        paths=paths,
    )


def _moment(text: str) -> c.Moment:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return c.Moment((moment - _EPOCH) // timedelta(microseconds=1), moment.isoformat(timespec="microseconds"))


def _same(name: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        pretty = [json.dumps(it, indent=2, sort_keys=True, ensure_ascii=False) for it in (found, wanted)]
        raise AssertionError(f"{name}\nit is\n{pretty[0]}\nand was recorded as\n{pretty[1]}")

"""Grafana Loki's push and readiness, so that its agents can send here.

Handed: requests on ``/ready`` and below ``/loki``. Hands on: readings, and Loki's replies: 204 without a body, or
plain text. Source: Loki HTTP API, "Ingest logs". Without the Content-Type of JSON a body is protobuf inside a
snappy block, and a Content-Encoding that says snappy too means that one block.
"""

from typing import Any

from triage.intake import errors
from triage.intake.commit import Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Reply, Request
from triage.intake.protocol import Reading, retry_after, usual_token
from triage.receivers import loki_json, loki_proto
from triage.receivers.base import BodyError
from triage.receivers.inflating import snappy_block

_ALL_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TEXT = b"text/plain; charset=utf-8"
_SNAPPY = ("snappy", "x-snappy-framed")
#: reason -> (HTTP status, text when the refusal brings no detail). Agents try 429 and 5xx again.
REPLIES: dict[str, tuple[int, str]] = {
    errors.NOT_FOUND: (404, "404 page not found"),
    errors.METHOD: (405, "method not allowed, use POST"),
    errors.NO_AUTHORIZATION: (401, "a token is required as Bearer or as the password of Basic credentials"),
    errors.BAD_AUTHORIZATION: (401, "the Authorization header is malformed"),
    errors.QUERY_AUTHORIZATION: (401, "a token in the URL is not accepted"),
    errors.UNKNOWN_SENDER: (401, "the token is not known"),
    errors.DISABLED_SENDER: (403, "the token is disabled"),
    errors.TOO_LARGE: (413, "the body is too large"),
    errors.ENCODING: (415, "this Content-Encoding is not supported"),
    errors.DAMAGED: (400, "the body is damaged"),
    errors.NO_DATA: (400, "the body is empty"),
    errors.INVALID_FORMAT: (400, "the body is not a push request"),
    errors.TIMEOUT: (408, "the body did not arrive in time"),
    errors.BUSY: (503, "the server is busy, try again later"),
    errors.RATE: (429, "this source is over its limit, try again later"),
}
PUSHED = Reply(204, b"", (), _TEXT)


class _Loki:
    """What all of Loki's endpoints share."""

    methods = _ALL_METHODS

    def token(self, request: Request) -> str:
        return usual_token(request)

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return None

    def greet(self, request: Request) -> Reply | None:
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        raise Refusal(errors.NOT_FOUND)

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        return PUSHED

    def refused(self, refusal: Refusal) -> Reply:
        status, text = REPLIES.get(refusal.reason, REPLIES[errors.INVALID_FORMAT])
        headers = []
        if refusal.reason in (errors.BUSY, errors.RATE):
            headers.append(retry_after(refusal))
        if status == 401:
            headers.append((b"www-authenticate", b'Basic realm="Winnow", charset="UTF-8"'))
        if refusal.reason == errors.METHOD:
            headers.append((b"allow", b"POST"))
        return _text_reply(status, refusal.detail or text, *headers)


class LokiPushEndpoint(_Loki):
    """``/loki/api/v1/push``."""

    methods = frozenset({"POST"})

    def greet(self, request: Request) -> Reply | None:
        request.is_packed = not _is_json(request)
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        if _is_json(request):
            push = loki_json.RECEIVER.read(body)
            return Reading("loki_json", (), len(push.records), notes=push)
        if request.header(b"content-encoding").lower() not in _SNAPPY:
            body = _unpacked(request, body)
        push = loki_proto.RECEIVER.read(body)
        return Reading("loki_proto", (), len(push.records), notes=push, body=body)

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        push = reading.notes
        if not push.refused:
            return PUSHED
        total = push.refused + len(push.records)
        return _text_reply(400, f"{push.refused} of {total} entries are not taken: {'; '.join(push.reasons)}")


class LokiReadyEndpoint(_Loki):
    """``/ready``: what Loki's senders ask before they start; it needs no token."""

    methods = frozenset({"GET", "HEAD"})

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return self.refused(Refusal(errors.BUSY)) if is_busy else _text_reply(200, "ready")


class LokiNowhere(_Loki):
    """Any other path below ``/loki``: queries have no home here."""

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return self.refused(Refusal(errors.NOT_FOUND))


def _is_json(request: Request) -> bool:
    return request.header(b"content-type").partition(";")[0].strip().lower() == "application/json"


def _unpacked(request: Request, body: bytes) -> bytes:
    """Undo the block that a protobuf push always is, within what the request may still inflate."""
    if not body:
        raise Refusal(errors.NO_DATA)
    try:
        return snappy_block(body, request.budget)
    except BodyError as error:
        if error.code != "damaged":
            raise
        raise Refusal(
            errors.DAMAGED, "the body is not protobuf in a snappy block; JSON needs Content-Type: application/json"
        ) from error


def _text_reply(status: int, text: str, *headers: tuple[bytes, bytes]) -> Reply:
    return Reply(status, text.encode() + b"\n", headers, _TEXT)

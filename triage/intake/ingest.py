"""Winnow's own intake: JSON, NDJSON and text on ``/api/v1/ingest``, syslog lines below it.

Handed: requests on ``/api/v1/ingest`` and ``/api/v1/ingest/syslog``. Hands on: readings, and replies
``{"accepted":n,"rejected":m,"errors":[{"line":..,"reason":..}]}`` or ``{"error":{"code":..,"message":..}}``.
"""

from typing import Any

from triage.intake import errors
from triage.intake.commit import Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Reply, Request, json_reply
from triage.intake.protocol import Reading, metadata, read_with, retry_after, usual_token
from triage.receivers import ndjson

#: reason -> (HTTP status, message when the refusal brings no detail)
REPLIES: dict[str, tuple[int, str]] = {
    errors.NOT_FOUND: (404, "There is nothing here."),
    errors.METHOD: (405, "Use POST."),
    errors.NO_AUTHORIZATION: (401, "A token is required: Authorization: Bearer TOKEN."),
    errors.BAD_AUTHORIZATION: (401, "The Authorization header is malformed."),
    errors.QUERY_AUTHORIZATION: (401, "A token in the URL is not accepted; use the Authorization header."),
    errors.UNKNOWN_SENDER: (403, "The token is not known."),
    errors.DISABLED_SENDER: (403, "The token is disabled."),
    errors.TOO_LARGE: (413, "The body is too large."),
    errors.ENCODING: (415, "The Content-Encoding is not supported; use gzip, deflate, zstd or snappy."),
    errors.DAMAGED: (400, "The body is damaged."),
    errors.TIMEOUT: (408, "The body did not arrive in time."),
    errors.BUSY: (503, "The server is busy; try again later."),
    errors.RATE: (429, "This source is over its limit; try again later."),
    errors.NO_DATA: (400, "The body is empty."),
    errors.INVALID_FORMAT: (400, "The body is not valid."),
}
MAX_ERRORS_SHOWN = 100


class IngestEndpoint:
    """``/api/v1/ingest``: the Content-Type, or a look at the body, says which format it is."""

    methods = frozenset({"POST"})

    def token(self, request: Request) -> str:
        return usual_token(request)

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return None

    def greet(self, request: Request) -> Reply | None:
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        parameters = metadata(request)
        reading = ndjson.read(body, request.header(b"content-type"), dict(parameters))
        return Reading(reading.receiver, parameters, len(reading.records), reading.rejected)

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        rejected: tuple[ndjson.RejectedLine, ...] = reading.notes or ()
        shown = [{"line": line.line, "reason": line.reason} for line in rejected[:MAX_ERRORS_SHOWN]]
        return json_reply(200, {"accepted": reading.record_count, "rejected": len(rejected), "errors": shown})

    def refused(self, refusal: Refusal) -> Reply:
        status, message = REPLIES.get(refusal.reason, REPLIES[errors.INVALID_FORMAT])
        headers = []
        if refusal.reason in (errors.BUSY, errors.RATE):
            headers.append(retry_after(refusal))
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if refusal.reason == errors.METHOD:
            headers.append((b"allow", ", ".join(sorted(self.methods)).encode()))
        return json_reply(status, {"error": {"code": refusal.reason, "message": refusal.detail or message}}, *headers)


class SyslogEndpoint(IngestEndpoint):
    """``/api/v1/ingest/syslog``: one record per line, never refused for its syntax."""

    def interpret(self, request: Request, body: bytes) -> Reading:
        return read_with("syslog", request, body)


class IngestNowhere(IngestEndpoint):
    """Any other path below ``/api/v1/ingest``."""

    methods = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return self.refused(Refusal(errors.NOT_FOUND))

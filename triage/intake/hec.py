"""Splunk HTTP Event Collector: its endpoints, codes and bodies.

Handed: requests below ``/services/collector``. Hands on: readings, and replies of the shape
``{"text":..,"code":..}``. Codes and texts: Splunk Enterprise, "Troubleshoot HTTP Event Collector".
"""

from typing import Any

from triage.intake import errors
from triage.intake.commit import Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Reply, Request, json_reply
from triage.intake.protocol import Reading, read_with, retry_after, usual_token

#: reason -> (HTTP status, HEC code, text)
REPLIES: dict[str, tuple[int, int, str]] = {
    errors.NOT_FOUND: (404, 404, "The requested URL was not found on this server."),
    errors.METHOD: (405, 405, "Method Not Allowed"),
    errors.DISABLED_SENDER: (403, 1, "Token disabled"),
    errors.NO_AUTHORIZATION: (401, 2, "Token is required"),
    errors.BAD_AUTHORIZATION: (401, 3, "Invalid authorization"),
    errors.UNKNOWN_SENDER: (403, 4, "Invalid token"),
    errors.NO_DATA: (400, 5, "No data"),
    errors.INVALID_FORMAT: (400, 6, "Invalid data format"),
    errors.DAMAGED: (400, 6, "Invalid data format"),
    errors.BUSY: (503, 9, "Server is busy"),
    errors.RATE: (503, 9, "Server is busy"),
    errors.NO_CHANNEL: (400, 10, "Data channel is missing"),
    errors.BAD_CHANNEL: (400, 11, "Invalid data channel"),
    errors.EVENT_REQUIRED: (400, 12, "Event field is required"),
    errors.EVENT_BLANK: (400, 13, "Event field cannot be blank"),
    errors.ACK_DISABLED: (400, 14, "ACK is disabled"),
    errors.NESTED_FIELDS: (400, 15, "Error in handling indexed fields"),
    errors.QUERY_AUTHORIZATION: (400, 16, "Query string authorization is not enabled"),
    errors.TOO_LARGE: (413, 27, "Request entity too large"),
    errors.ENCODING: (415, 6, "Unsupported content encoding"),
    errors.TIMEOUT: (408, 6, "Request timeout"),
}
SUCCESS = Reply(200, b'{"text":"Success","code":0}')
HEALTHY = Reply(200, b'{"text":"HEC is healthy","code":17}')
QUEUES_FULL = Reply(503, b'{"text":"HEC is unhealthy, queues are full","code":18}', ((b"retry-after", b"5"),))


class _Hec:
    """What all HEC endpoints share."""

    methods = frozenset({"POST"})

    def token(self, request: Request) -> str:
        return usual_token(request)

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return None

    def greet(self, request: Request) -> Reply | None:
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        raise Refusal(errors.NOT_FOUND)

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        return SUCCESS

    def refused(self, refusal: Refusal) -> Reply:
        status, code, text = REPLIES[refusal.reason]
        value: dict[str, object] = {"text": text, "code": code}
        if refusal.event_number is not None:
            value["invalid-event-number"] = refusal.event_number
        headers = []
        if refusal.reason in (errors.BUSY, errors.RATE):
            headers.append(retry_after(refusal))
        if refusal.reason == errors.METHOD:
            headers.append((b"allow", ", ".join(sorted(self.methods)).encode()))
        return json_reply(status, value, *headers)


class HecEventEndpoint(_Hec):
    """``/services/collector``, ``/event``, ``/event/1.0``."""

    def interpret(self, request: Request, body: bytes) -> Reading:
        return read_with("hec_event", request, body)


class HecRawEndpoint(_Hec):
    """``/raw``, ``/raw/1.0``."""

    def interpret(self, request: Request, body: bytes) -> Reading:
        return read_with("hec_raw", request, body)


class HecAckEndpoint(_Hec):
    """``/ack``: no token has acknowledgement switched on."""

    def interpret(self, request: Request, body: bytes) -> Reading:
        raise Refusal(errors.ACK_DISABLED)


class HecHealthEndpoint(_Hec):
    """``/health``, ``/health/1.0``: asks for no token, as Splunk does in practice."""

    methods = frozenset({"GET", "HEAD"})

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return QUEUES_FULL if is_busy else HEALTHY


class HecNowhere(_Hec):
    """Any other path below ``/services/collector``."""

    methods = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return self.refused(Refusal(errors.NOT_FOUND))

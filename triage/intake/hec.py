"""Splunk HTTP Event Collector: its endpoints, codes and bodies.

Handed: requests below ``/services/collector``. Hands on: readings, and replies of the shape
``{"text":..,"code":..}``. Codes and texts: Splunk Enterprise, "Troubleshoot HTTP Event Collector". Where Splunk's
web server answers in its own name (404, 405, 408, 413, 415), the code is the HTTP status: HEC has none for it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from triage import receivers
from triage.intake import acknowledgement, errors
from triage.intake.commit import Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Reply, Request, json_reply
from triage.intake.protocol import Reading, metadata, retry_after, usual_token
from triage.receivers import decoding, hec_batch
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import MAX_TEXT

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
    errors.TOO_LARGE: (413, 413, "Request entity too large"),
    errors.ENCODING: (415, 415, "Unsupported content encoding"),
    errors.TIMEOUT: (408, 408, "Request timeout"),
}
SUCCESS = Reply(200, b'{"text":"Success","code":0}')
HEALTHY = Reply(200, b'{"text":"HEC is healthy","code":17}')
#: Numbers one question may hold; no sender has more bodies under way.
MAX_ASKED = 100_000
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
        if receipt.ack_id is None:
            return SUCCESS
        return json_reply(200, {"text": "Success", "code": 0, "ackId": receipt.ack_id})

    def refused(self, refusal: Refusal) -> Reply:
        status, code, text = REPLIES.get(refusal.reason, REPLIES[errors.INVALID_FORMAT])
        value: dict[str, object] = {"text": text, "code": code}
        if refusal.event_number is not None:
            value["invalid-event-number"] = refusal.event_number
        headers = []
        if refusal.reason in (errors.BUSY, errors.RATE):
            headers.append(retry_after(refusal))
        if refusal.reason == errors.METHOD:
            headers.append((b"allow", ", ".join(sorted(self.methods)).encode()))
        return json_reply(status, value, *headers)


class _HecData(_Hec, ABC):
    """What the endpoints that take events share. A source with acknowledgement must name its channel."""

    def greet(self, request: Request) -> Reply | None:
        if _wants_ack(request):
            channel_of(request)
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        parameters = metadata(request)
        if request.query.get("time"):
            parameters += (("time", request.query["time"][:MAX_TEXT]),)
        receiver, count = self.read(body, dict(parameters))
        return Reading(receiver, parameters, count, ack_channel=channel_of(request) if _wants_ack(request) else "")

    @abstractmethod
    def read(self, body: bytes, parameters: Parameters) -> tuple[str, int]:
        """Return the receiver's name and how many records there are."""


class HecEventEndpoint(_HecData):
    """``/services/collector``, ``/event``, ``/event/1.0``."""

    def read(self, body: bytes, parameters: Parameters) -> tuple[str, int]:
        records = receivers.get("hec_event").records(body, parameters)
        return ("hec_batch" if hec_batch.is_needed(records, parameters) else "hec_event"), len(records)


class HecRawEndpoint(_HecData):
    """``/raw``, ``/raw/1.0``."""

    def read(self, body: bytes, parameters: Parameters) -> tuple[str, int]:
        return "hec_raw", len(receivers.get("hec_raw").records(body, parameters))


class HecAckEndpoint(_Hec):
    """``/ack``: which bodies of a channel are committed, each told once."""

    def greet(self, request: Request) -> Reply | None:
        if not _wants_ack(request):
            raise Refusal(errors.ACK_DISABLED)
        channel_of(request)
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        return Reading("", (), 0, look_up=_question(request, _asked_for(body)))

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        answers: dict[int, bool] = found
        return json_reply(200, {"acks": {str(number): is_known for number, is_known in answers.items()}})


def _wants_ack(request: Request) -> bool:
    return request.source is not None and request.source.use_ack


def channel_of(request: Request) -> str:
    """Return the request's channel, from its header or its query; raise the refusal when it has none."""
    text = request.header(b"x-splunk-request-channel") or request.query.get("channel", "")
    if not text:
        raise Refusal(errors.NO_CHANNEL)
    channel = acknowledgement.channel_name(text)
    if channel is None:
        raise Refusal(errors.BAD_CHANNEL)
    return channel


def _asked_for(body: bytes) -> list[int]:
    """Return the numbers in ``{"acks":[..]}``."""
    if not decoding.strip(body):
        raise Refusal(errors.NO_DATA)
    try:
        value = decoding.loads(decoding.strip(body))
    except BodyError as error:
        raise Refusal(errors.INVALID_FORMAT) from error
    numbers = value.get("acks") if isinstance(value, dict) else None
    if not isinstance(numbers, list) or any(type(number) is not int or number < 0 for number in numbers):
        raise Refusal(errors.INVALID_FORMAT)
    if len(numbers) > MAX_ASKED:
        raise Refusal(errors.TOO_LARGE, f"more than {MAX_ASKED} numbers")
    return numbers


def _question(request: Request, numbers: list[int]) -> Callable[[], dict[int, bool]]:
    if request.source is None:
        raise Refusal(errors.ACK_DISABLED)
    return partial(acknowledgement.told, request.source.id, channel_of(request), numbers)


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

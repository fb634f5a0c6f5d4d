"""AWS Firehose HTTP endpoint delivery.

Handed: requests on ``/api/v1/ingest/firehose``. Hands on: readings, and replies
``{"requestId":..,"timestamp":ms}``, with an ``errorMessage`` when nothing was stored. A delivery that is repeated
keeps its request id and is stored once. Every reply but 200 is tried again.
Format: AWS, "HTTP endpoint delivery request and response specifications".
"""

import hashlib
import time
from typing import Any

from triage import receivers
from triage.intake import errors, ingest
from triage.intake.commit import Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Reply, Request, json_reply
from triage.intake.protocol import Reading, metadata, retry_after, usual_token
from triage.receivers import firehose

RECEIVER = "firehose"
VERSION = "1.0"
REQUEST_ID = b"x-amz-firehose-request-id"
MAX_KEY_LENGTH = 180


class FirehoseEndpoint:
    """``/api/v1/ingest/firehose``: the access key of the delivery stream is the token."""

    methods = frozenset({"POST"})

    def token(self, request: Request) -> str:
        return request.header(b"x-amz-firehose-access-key") or usual_token(request)

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return None

    def greet(self, request: Request) -> Reply | None:
        if request.header(b"x-amz-firehose-protocol-version") not in ("", VERSION):
            raise Refusal(errors.INVALID_FORMAT, f"The protocol version is not {VERSION}.")
        request.is_packed = True
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        delivery = firehose.delivery(body, request.budget)
        request_id = request.header(REQUEST_ID) or delivery.request_id
        parameters, stored = _parameters(request), firehose.packed(delivery.records)
        count = len(receivers.get(RECEIVER).records(stored, dict(parameters))) if stored else 0
        key = _key(request_id) if request_id else None
        return Reading(RECEIVER, parameters, count, notes=request_id, body=stored, idempotency_key=key)

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        return json_reply(200, {"requestId": reading.notes, "timestamp": _now_ms()})

    def refused(self, refusal: Refusal) -> Reply:
        status, message = ingest.REPLIES.get(refusal.reason, ingest.REPLIES[errors.INVALID_FORMAT])
        headers = []
        if refusal.reason in (errors.BUSY, errors.RATE):
            headers.append(retry_after(refusal))
        if refusal.reason == errors.METHOD:
            headers.append((b"allow", ", ".join(sorted(self.methods)).encode()))
        request_id = refusal.request_headers.get(REQUEST_ID, b"").decode("latin-1").strip()
        answer = {"requestId": request_id, "timestamp": _now_ms(), "errorMessage": refusal.detail or message}
        return json_reply(status, answer, *headers)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _key(request_id: str) -> str:
    """Return the identity of a delivery; a long or odd id is represented by its hash."""
    if len(request_id) > MAX_KEY_LENGTH or not (request_id.isascii() and request_id.isprintable()):
        return "firehose:sha256:" + hashlib.sha256(request_id.encode("utf-8", "replace")).hexdigest()
    return "firehose:" + request_id


def _parameters(request: Request) -> tuple[tuple[str, str], ...]:
    """Return what all records share: the query's metadata, the stream's name and its common attributes."""
    parameters = dict(metadata(request))
    stream = request.header(b"x-amz-firehose-source-arn")
    if stream:
        parameters.setdefault("source", stream.rpartition("/")[2][:256])
    fields = firehose.common_fields(request.header(b"x-amz-firehose-common-attributes"))
    if fields:
        parameters["fields"] = fields
    return tuple(parameters.items())

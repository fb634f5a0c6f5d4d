"""OTLP over HTTP: log records on ``/v1/logs``, in JSON and protobuf.

Handed: requests below ``/v1``. Hands on: readings, and replies in the encoding of the request: an
``ExportLogsServiceResponse``, or a ``google.rpc.Status`` for what is refused. Sources: OpenTelemetry protocol
specification, "OTLP/HTTP"; plain-text replies to a wrong method or Content-Type as the Collector gives them.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from triage.intake import errors
from triage.intake.commit import Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Reply, Request
from triage.intake.protocol import Reading, retry_after, usual_token
from triage.receivers import otlp_json, otlp_proto

JSON, PROTOBUF = "application/json", "application/x-protobuf"
#: reason -> (HTTP status, google.rpc.Code, message when the refusal brings no detail). Senders try 429, 502, 503
#: and 504 again, nothing else.
REPLIES: dict[str, tuple[int, int, str]] = {
    errors.NOT_FOUND: (404, code_pb2.NOT_FOUND, "Only logs are taken, on /v1/logs."),
    errors.NO_AUTHORIZATION: (401, code_pb2.UNAUTHENTICATED, "A token is required: Authorization: Bearer TOKEN."),
    errors.BAD_AUTHORIZATION: (401, code_pb2.UNAUTHENTICATED, "The Authorization header is malformed."),
    errors.QUERY_AUTHORIZATION: (401, code_pb2.UNAUTHENTICATED, "A token in the URL is not accepted."),
    errors.UNKNOWN_SENDER: (403, code_pb2.PERMISSION_DENIED, "The token is not known."),
    errors.DISABLED_SENDER: (403, code_pb2.PERMISSION_DENIED, "The token is disabled."),
    errors.TOO_LARGE: (413, code_pb2.RESOURCE_EXHAUSTED, "The body is too large."),
    errors.ENCODING: (415, code_pb2.INVALID_ARGUMENT, "Use gzip, deflate, zstd or snappy as Content-Encoding."),
    errors.DAMAGED: (400, code_pb2.INVALID_ARGUMENT, "The body is damaged."),
    errors.INVALID_FORMAT: (400, code_pb2.INVALID_ARGUMENT, "The body is not an ExportLogsServiceRequest."),
    errors.TIMEOUT: (408, code_pb2.DEADLINE_EXCEEDED, "The body did not arrive in time."),
    errors.BUSY: (503, code_pb2.UNAVAILABLE, "The server is busy; try again later."),
    errors.RATE: (429, code_pb2.RESOURCE_EXHAUSTED, "This source is over its limit; try again later."),
}
_TEXT = b"text/plain; charset=utf-8"


class OtlpEndpoint:
    """``/v1/logs``."""

    methods = frozenset({"POST"})

    def token(self, request: Request) -> str:
        return usual_token(request)

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        return None

    def greet(self, request: Request) -> Reply | None:
        if encoding_of(request.headers) not in (JSON, PROTOBUF):
            raise Refusal(errors.MEDIA_TYPE)
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        if encoding_of(request.headers) == JSON:
            return Reading("otlp_json", (), otlp_json.RECEIVER.count(body), notes=(JSON, 0))
        count, rejected = otlp_proto.RECEIVER.count(body)
        return Reading("otlp_proto", (), count, notes=(PROTOBUF, rejected))

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        encoding, rejected = reading.notes
        response = logs_service_pb2.ExportLogsServiceResponse()
        if rejected:
            response.partial_success.rejected_log_records = rejected
            limit = otlp_proto.MAX_MESSAGE_BYTES
            response.partial_success.error_message = f"log records larger than {limit} bytes are not taken"
        return _reply(200, response, encoding)

    def refused(self, refusal: Refusal) -> Reply:
        if refusal.reason == errors.METHOD:
            text = b"405 method not allowed, supported: [POST]"
            return Reply(405, text, ((b"allow", b"POST"),), _TEXT)
        if refusal.reason == errors.MEDIA_TYPE:
            return Reply(415, f"415 unsupported media type, supported: [{JSON}, {PROTOBUF}]".encode(), (), _TEXT)
        http, code, message = REPLIES.get(refusal.reason, REPLIES[errors.INVALID_FORMAT])
        headers = []
        if refusal.reason in (errors.BUSY, errors.RATE):
            headers.append(retry_after(refusal))
        if http == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        status = status_pb2.Status(code=code, message=refusal.detail or message)
        return _reply(http, status, encoding_of(refusal.request_headers), *headers)


class OtlpNowhere(OtlpEndpoint):
    """Any other path below ``/v1``: traces and metrics have no home here."""

    methods = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        refusal = Refusal(errors.NOT_FOUND)
        refusal.request_headers = request.headers
        return self.refused(refusal)


def encoding_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the media type of a request, without parameters and in lower case."""
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def _reply(status: int, message: Message, encoding: str, *headers: tuple[bytes, bytes]) -> Reply:
    """Return a message in the encoding of the request; who asked in neither reads JSON."""
    if encoding == PROTOBUF:
        return Reply(status, message.SerializeToString(), headers, PROTOBUF.encode())
    return Reply(status, json_format.MessageToJson(message, indent=None).encode(), headers)

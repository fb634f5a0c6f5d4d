"""OTLP/HTTP logs in protobuf: ``ExportLogsServiceRequest`` with the official message types.

Handed: one serialised request. Hands on: one record per log record. Resources, scopes and log records are built
one at a time from where :mod:`triage.receivers.wire` finds them. Text that is not UTF-8 breaks a message for the
official types; such a message is read once more by twins of theirs whose text fields are bytes, so that a byte
in a log line cannot refuse its whole batch.
"""

import base64
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from triage.contracts import Record
from triage.receivers import containers, decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.otlp import MAX_VALUE_DEPTH, TOO_DEEP, LogRecord, Origin, origin_of, record_of
from triage.receivers.wire import Walker, malformed

#: A larger log record is rejected: built, it could take thirty times as much memory.
MAX_MESSAGE_BYTES = 2 * 2**20
#: Numbers of fields in ExportLogsServiceRequest, ResourceLogs and ScopeLogs: the head, and what it holds for all.
#: How a text begins that may stand for several records, or for none; the twins' texts are bytes.
_NOT_PLAIN = ("{", "", b"{", b"")
_INNER_OF_REQUEST, _HEAD, _INNER = 1, 1, 2


class OtlpProto:
    """``/v1/logs`` with ``application/x-protobuf``."""

    name = "otlp_proto"
    joinable = False

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the log records in order, without those over the size limit; codes: invalid_format, too_many."""
        return self.read(body)[0]

    def read(self, body: bytes) -> tuple[list[Record], int]:
        """Return the records, and how many log records are rejected because they are too large."""
        found = [None if log is None else record_of(_log(log), origin) for log, origin, _ in _logs(body)]
        records = [record for record in found if record is not None]
        return containers.expand_all(records), len(found) - len(records)

    def count(self, body: bytes) -> tuple[int, int]:
        """Return how many records :meth:`read` returns and how many it rejects, or raise what it raises."""
        count = rejected = 0
        for log, origin, _ in _logs(body):
            if log is None:
                rejected += 1
            elif log.body.WhichOneof("value") == "string_value" and log.body.string_value[:1] not in _NOT_PLAIN:
                count += 1
            else:
                count += len(containers.expand(record_of(_log(log), origin)))
        decoding.check_count(count)
        return count, rejected

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the log record at a 0-based position with its resource and scope, as compact JSON."""
        logs = ((_log(log), origin, shown) for log, origin, shown in _logs(body) if log is not None)
        return containers.at(((record_of(log, origin), _shown(log, shown)) for log, origin, shown in logs), position)


RECEIVER = OtlpProto()


def _logs(body: bytes) -> Iterator[tuple[Any, Origin, dict[str, Any]]]:
    """Yield (log record message, its origin, its origin to show); no message when it is over the size limit."""
    walker, count = Walker(body), 0  # what holds log records costs time too, so it is counted with them
    for start, end in walker.parts(_INNER_OF_REQUEST, 0, len(body)):
        count += 1
        decoding.check_count(count)
        resource = _map(_message(resource_pb2.Resource, walker.joined(_HEAD, start, end)).attributes)
        for inner, inner_end in walker.parts(_INNER, start, end):
            message = _message(common_pb2.InstrumentationScope, walker.joined(_HEAD, inner, inner_end))
            count += 1
            decoding.check_count(count)
            name, version, scope = _text(message.name), _text(message.version), _map(message.attributes)
            origin = origin_of(resource, name, version, scope)
            shown = {"resource": resource, "scope": {"name": name, "version": version, "attributes": scope}}
            for begin, stop in walker.parts(_INNER, inner, inner_end):
                count += 1
                decoding.check_count(count)
                is_small = stop - begin <= MAX_MESSAGE_BYTES
                yield (_message(logs_pb2.LogRecord, body[begin:stop]) if is_small else None), origin, shown


def _shown(log: LogRecord, origin: dict[str, Any]) -> str:
    values = {name: value for name, value in asdict(log).items() if value or name == "body"}
    return decoding.as_text({**origin, "logRecord": values})


def _message(kind: type[Any], data: bytes) -> Any:
    """Build a message; raise ``invalid_format`` when the data is none, ``too_large`` when it is over the limit."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise BodyError("too_large", "a resource or scope is larger than the limit")
    try:
        return kind.FromString(data)
    except DecodeError:
        return _lenient(kind, data)


def _lenient(kind: type[Message], data: bytes) -> Any:
    try:
        return _twins()[kind.DESCRIPTOR.full_name].FromString(data)
    except DecodeError as error:
        raise malformed() from error


@cache
def _twins() -> dict[str, Any]:
    """Return the message types whose text fields are bytes, which look the same on the wire."""
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, logs_pb2):
        file = descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
        for message in file.message_type:
            for member in message.field:
                if member.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
                    member.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        pool.Add(file)
    kinds = (logs_pb2.LogRecord, resource_pb2.Resource, common_pb2.InstrumentationScope)
    names = [kind.DESCRIPTOR.full_name for kind in kinds]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names}


def _log(log: Any) -> LogRecord:
    return LogRecord(
        body=_value(log.body) if log.HasField("body") else None,
        attributes=_map(log.attributes),
        time=log.time_unix_nano,
        observed=log.observed_time_unix_nano,
        severity=log.severity_number,
        severity_text=_text(log.severity_text),
        trace_id=_identifier(log.trace_id),
        span_id=_identifier(log.span_id),
        event_name=_text(log.event_name),
    )


def _identifier(value: bytes) -> str:
    return value[:32].hex() if value.strip(b"\0") else ""


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else decoding.decode_text(value)


def _map(pairs: Any, depth: int = 0) -> dict[str, Any]:
    return {_text(pair.key): _value(pair.value, depth) for pair in pairs}


def _value(value: Any, depth: int = 0) -> Any:
    """Return an ``AnyValue`` as a Python value."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return _text(value.string_value)
    if kind in ("int_value", "bool_value", "double_value"):
        return getattr(value, kind)
    if kind == "bytes_value":
        return _bytes(value.bytes_value)
    if kind not in ("array_value", "kvlist_value"):
        return None
    if depth >= MAX_VALUE_DEPTH:
        return TOO_DEEP
    if kind == "array_value":
        return [_value(item, depth + 1) for item in value.array_value.values]
    return _map(value.kvlist_value.values, depth + 1)


def _bytes(value: bytes) -> str:
    """Return bytes as text when they are text, else in base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()

"""OTLP/HTTP logs in JSON: ``ExportLogsServiceRequest`` by OTLP's own JSON mapping.

Handed: one JSON object. Hands on: one record per log record. Keys are lowerCamelCase (snake_case is read too),
unknown keys are ignored, 64-bit numbers are text or numbers, ids hexadecimal, bytes base64. The frame (lists of
objects) must be right; an odd value inside a log record is left out, never the log record.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from triage.contracts import Record
from triage.receivers import containers, decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.otlp import MAX_VALUE_DEPTH, TOO_DEEP, LogRecord, Origin, origin_of, record_of

_SEVERITY_NAME = "SEVERITY_NUMBER_"
_SEVERITY_NAMES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_MAX_DIGITS = 20


class OtlpJson:
    """``/v1/logs`` with ``application/json``."""

    name = "otlp_json"
    joinable = False

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the log records in order, none for an empty request; code: invalid_format."""
        return containers.expand_all([_record(log, origin) for _, _, origin, log in _logs(_request(body))])

    def count(self, body: bytes) -> int:
        """Return how many records :meth:`records` returns, or raise what it raises, at a fraction of its cost."""
        count = 0
        for _, _, origin, log in _logs(_request(body)):
            count += 1 if _is_plain(log.get("body")) else len(containers.expand(_record(log, origin)))
        decoding.check_count(count)
        return count

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the log record at a 0-based position with its resource and scope, as compact JSON."""
        return containers.at(
            (
                (_record(log, origin), _shown(resource, scope, log))
                for resource, scope, origin, log in _logs(_request(body))
            ),
            position,
        )


RECEIVER = OtlpJson()


def _request(body: bytes) -> dict[str, Any]:
    value = decoding.document(body)
    if not isinstance(value, dict):
        raise BodyError("invalid_format", "not a JSON object")
    return value


def _objects(value: dict[str, Any], name: str, other: str) -> list[dict[str, Any]]:
    """Return a list of objects under either of its names."""
    found = value.get(name)
    if found is None:
        found = value.get(other)
    if found is None:
        return []
    if not isinstance(found, list) or not all(type(item) is dict for item in found):
        raise BodyError("invalid_format", f"{name} is not a list of objects")
    return found


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _logs(request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any], Origin, dict[str, Any]]]:
    """Yield (resource, scope, what they say, log record)."""
    count = 0
    for resource_logs in _objects(request, "resourceLogs", "resource_logs"):
        resource = _object(resource_logs, "resource")
        attributes = _attributes(resource)
        for scope_logs in _objects(resource_logs, "scopeLogs", "scope_logs"):
            scope = _object(scope_logs, "scope")
            origin = origin_of(attributes, _text(scope.get("name")), _text(scope.get("version")), _attributes(scope))
            logs = _objects(scope_logs, "logRecords", "log_records")
            count += len(logs)
            decoding.check_count(count)
            for log in logs:
                yield resource, scope, origin, log


def _shown(resource: dict[str, Any], scope: dict[str, Any], log: dict[str, Any]) -> str:
    try:
        return decoding.as_text({"resource": resource, "scope": scope, "logRecord": log})
    except RecursionError:
        return TOO_DEEP


def _is_plain(body: Any) -> bool:
    """Return whether a body is text that stands for no more than one record."""
    text = body.get("stringValue") if type(body) is dict and len(body) == 1 else None
    return type(text) is str and text[:1] not in ("{", "")


def _record(log: dict[str, Any], origin: Origin) -> Record:
    get = log.get
    body = get("body")
    attributes = get("attributes")
    return record_of(
        LogRecord(
            body=None if body is None else _value(body),
            attributes=_attributes(log) if attributes else {},
            time=_integer(get("timeUnixNano") or get("time_unix_nano")),
            observed=_integer(get("observedTimeUnixNano") or get("observed_time_unix_nano")),
            severity=_severity(get("severityNumber") or get("severity_number")),
            severity_text=_text(get("severityText") or get("severity_text")),
            trace_id=_identifier(get("traceId") or get("trace_id")),
            span_id=_identifier(get("spanId") or get("span_id")),
            event_name=_text(get("eventName") or get("event_name")),
        ),
        origin,
    )


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    """Return a list of ``{"key":..,"value":..}`` as a dictionary; what is no such pair is left out."""
    pairs = holder.get("attributes")
    if not isinstance(pairs, list):
        return {}
    return {
        key: _value(pair.get("value")) for pair in pairs if type(pair) is dict and type(key := pair.get("key")) is str
    }


def _value(value: Any, depth: int = 0) -> Any:
    """Return an ``AnyValue`` as a Python value; a bare value stands for itself."""
    if type(value) is not dict:
        return value if type(value) in (str, int, float, bool) else None
    for kind, inner in value.items():
        if kind == "stringValue" and type(inner) is str:
            return inner
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(inner, depth)
    return None


def _string(value: Any, depth: int) -> Any:
    return value if isinstance(value, str | int | float | bool) else None


def _number(value: Any, depth: int) -> Any:
    if type(value) is str:
        try:
            return int(value) if len(value) <= _MAX_DIGITS else value
        except ValueError:
            return value
    return _string(value, depth)


def _bytes(value: Any, depth: int) -> Any:
    """Return bytes as text when they are text, else in base64 as they came."""
    if type(value) is not str:
        return None
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return value


def _array(value: Any, depth: int) -> Any:
    if depth >= MAX_VALUE_DEPTH:
        return TOO_DEEP
    items = value.get("values") if isinstance(value, dict) else None
    return [_value(item, depth + 1) for item in items] if isinstance(items, list) else []


def _map(value: Any, depth: int) -> Any:
    if depth >= MAX_VALUE_DEPTH:
        return TOO_DEEP
    pairs = value.get("values") if isinstance(value, dict) else None
    if not isinstance(pairs, list):
        return {}
    return {
        key: _value(pair.get("value"), depth + 1)
        for pair in pairs
        if type(pair) is dict and type(key := pair.get("key")) is str
    }


_READERS = {
    "stringValue": _string,
    "string_value": _string,
    "boolValue": _string,
    "bool_value": _string,
    "intValue": _number,
    "int_value": _number,
    "doubleValue": _string,
    "double_value": _string,
    "bytesValue": _bytes,
    "bytes_value": _bytes,
    "arrayValue": _array,
    "array_value": _array,
    "kvlistValue": _map,
    "kvlist_value": _map,
}


def _integer(value: Any) -> int:
    """Return a number of nanoseconds; 0 for what is none."""
    if type(value) is str and len(value) <= _MAX_DIGITS:
        try:
            return int(value)
        except ValueError:
            return 0
    if type(value) is float and abs(value) < 2.0**64:
        return int(value)
    return value if type(value) is int else 0


def _severity(value: Any) -> int:
    """Return a severity number; its name in the enum is read too."""
    if type(value) is str and value.startswith(_SEVERITY_NAME):
        name = value.removeprefix(_SEVERITY_NAME)
        word, step = (name[:-1], name[-1:]) if name[-1:] in ("2", "3", "4") else (name, "1")
        return 4 * _SEVERITY_NAMES.index(word) + int(step) if word in _SEVERITY_NAMES else 0
    return _integer(value)


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _identifier(value: Any) -> str:
    """Return a trace or span id in lower case; all zeros mean none."""
    if type(value) is not str or len(value) > 64 or not value.strip("0"):
        return ""
    return value.lower()

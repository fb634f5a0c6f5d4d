"""OpenTelemetry log records, however they were encoded.

Handed: the parts of a log record as Python values. Hands on: one :class:`~triage.contracts.Record`. Text in the
body is the content, so that a line of a known format is read by its own parser; a map is the content as it is;
without a body the attributes are. What the record, its scope and its resource say beside that goes to the
envelope. Format: opentelemetry-proto, logs/v1; logs data model, "Field descriptions".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from triage.contracts import Envelope, Record
from triage.receivers import decoding
from triage.receivers.semantics import level_of, split

#: Values nested deeper than this are replaced by :data:`TOO_DEEP`.
MAX_VALUE_DEPTH = 64
TOO_DEEP = f"(nested deeper than {MAX_VALUE_DEPTH} levels)"
NANOSECONDS = 10**9
#: An observation later than the event by more than this says something (nanoseconds).
DELAY = NANOSECONDS
_MAX_NANOSECONDS = 2**63


@dataclass(frozen=True, slots=True)
class Origin:
    """What all log records of one resource and scope share, split by :mod:`triage.receivers.semantics`."""

    ecs: dict[str, Any] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class LogRecord:
    """One log record. Times are nanoseconds since the epoch, 0 when unknown; ids are hexadecimal text."""

    body: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    time: int = 0
    observed: int = 0
    severity: int = 0
    severity_text: str = ""
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""


def origin_of(resource: Mapping[str, Any], scope_name: str, scope_version: str, scope: Mapping[str, Any]) -> Origin:
    """Return what a resource's attributes, a scope's name, version and attributes say."""
    origin = Origin()
    split(resource, origin.ecs, origin.rest)
    for name, value in scope.items():
        origin.rest[f"scope.{name}"] = value
    if scope_name:
        origin.ecs["log.logger"] = scope_name
    if scope_version:
        origin.rest["scope.version"] = scope_version
    return origin


def record_of(log: LogRecord, origin: Origin) -> Record:
    """Return a log record as a record."""
    ecs, rest = dict(origin.ecs), dict(origin.rest)
    content = log.body
    if content is None or content in ("", {}):
        content = dict(log.attributes) or log.event_name
        split(log.attributes, ecs, {})
    else:
        if type(content) is not str and type(content) is not dict:
            content = decoding.as_text(content)
        if log.attributes:
            split(log.attributes, ecs, rest)
    _add_context(log, ecs, rest)
    when = log.time or log.observed
    time = when / NANOSECONDS if when else None
    return Record(content, Envelope(time=time, fields=rest or None, ecs=ecs or None))


def _add_context(log: LogRecord, ecs: dict[str, Any], rest: dict[str, Any]) -> None:
    level = level_of(log.severity, log.severity_text)
    if level:
        ecs["log.level"] = level
    if log.severity_text and log.severity_text.lower() != level:
        rest["severity_text"] = log.severity_text
    if log.trace_id:
        ecs["trace.id"] = log.trace_id
    if log.span_id:
        ecs["span.id"] = log.span_id
    if log.event_name:
        ecs["event.action"] = log.event_name
    if log.time and log.time + DELAY < log.observed < _MAX_NANOSECONDS:
        ecs["event.created"] = datetime.fromtimestamp(log.observed / NANOSECONDS, UTC).isoformat()

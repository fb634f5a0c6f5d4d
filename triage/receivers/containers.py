"""Objects that only carry many records: ``{"Records": [..]}`` and its relatives in other APIs.

Handed: a record as a protocol cut it out. Hands on: the records it stands for. One record becomes one event, so
what a cloud delivers as one object with an array of events is cut here, before records are counted. Formats:
CloudTrail log files, Azure diagnostic settings, Kubernetes ``EventList``, CloudWatch Logs subscriptions, Pub/Sub
messages, and the list answers of the APIs that audit logs are polled from.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from triage.contracts import Envelope, Record
from triage.receivers import decoding
from triage.receivers.base import BodyError
from triage.receivers.envelope import seconds, short_text

#: Array of events -> what may stand beside it without being content: paging and the list's own kind.
SIBLINGS: dict[str, frozenset[str]] = {
    "Records": frozenset(),
    "records": frozenset(),
    "items": frozenset({"kind", "apiVersion", "metadata", "etag"}),
    "logEvents": frozenset({"messageType", "owner", "logGroup", "logStream", "subscriptionFilters", "policyLevel"}),
    "value": frozenset({"@odata.context", "@odata.count", "@odata.nextLink", "@odata.deltaLink"}),
    "receivedMessages": frozenset(),
    "entries": frozenset(),
    "Findings": frozenset(),
    "Events": frozenset(),
    "events": frozenset(),
    "logs": frozenset({"start", "limit", "length", "total"}),
}
_PAGING = frozenset({"@timestamp", "@version", "nextPageToken", "NextToken", "nextToken"})
#: An array of this name is a list of events only beside this key.
_NEEDS = {"items": "kind", "value": "@odata.context"}
#: A container has few keys of its own; a wider object is a document and is not looked at.
MAX_KEYS = 12
#: How far into a text the name of the array has to appear.
HINT_LENGTH = 2_000
MAX_ATTRIBUTES = 32
_NAMES = frozenset(SIBLINGS) | {"subscription"}
_HINT = re.compile(rf'"(?:{"|".join(SIBLINGS)})"[ \t\r\n]*:[ \t\r\n]*\[|"subscription"[ \t\r\n]*:')
#: What a CloudWatch Logs subscription says once for all of its events.
_LOG_CONTEXT = ("owner", "logGroup", "logStream")


def expand(record: Record) -> list[Record]:
    """Return the records a record stands for: its elements when it is a container, else itself alone.

    Elements share the container's envelope. An empty container stands for itself, so that no acknowledged
    record is without an event. A record that is no container comes back as the same object.
    Raises :class:`~triage.receivers.base.BodyError` ``too_many`` past the cap of one body.

    >>> [inner.content for inner in expand(Record({"Records": [{"a": 1}, {"a": 2}]}))]
    [{'a': 1}, {'a': 2}]
    """
    content = record.content
    if type(content) is str:
        content = _decoded(content)
    if type(content) is not dict or len(content) > MAX_KEYS or _NAMES.isdisjoint(content):
        return [record]
    if "subscription" in content:
        return [_from_push(content, record.envelope) or record]
    key = _array_key(content)
    return _cut(content, key, record.envelope) if key else [record]


def expand_all(records: list[Record]) -> list[Record]:
    """Return the records of a body with every container replaced by its elements, in order."""
    decoding.check_count(len(records))
    if not any(
        # Inline, because nearly every record of nearly every body is none and this runs for all of them.
        content[:1] == "{" if isinstance(content, str) else len(content) <= MAX_KEYS and not _NAMES.isdisjoint(content)
        for content in [record.content for record in records]
    ):
        return records
    expanded = [inner for record in records for inner in expand(record)]
    decoding.check_count(len(expanded))
    return expanded


def texts(record: Record, text: str) -> list[str]:
    """Return the exact text of each record a record stands for; ``text`` is the record's own.

    An element of a container is given as compact JSON.
    """
    inner = expand(record)
    return [text] if inner[0] is record else [as_sent(element) for element in inner]


def at(pairs: Iterable[tuple[Record, str]], position: int) -> str:
    """Return the text at a 0-based position among the records that (record, text) pairs stand for."""
    seen = 0
    for record, text in pairs:
        inner = texts(record, text)
        if position < seen + len(inner):
            return inner[position - seen]
        seen += len(inner)
    raise IndexError(f"no record {position}: the body has {seen}")


def as_sent(record: Record) -> str:
    """Return a record's content as text."""
    return record.content if isinstance(record.content, str) else decoding.as_text(record.content)


def _decoded(text: str) -> Any:
    """Return the object of a text that looks like a container, else ``None``."""
    if text[:1] != "{" or _HINT.search(text, 0, HINT_LENGTH) is None:
        return None
    try:
        return decoding.loads(text.encode("utf-8", "replace"))
    except BodyError:
        return None


def _array_key(content: dict[str, Any]) -> str:
    """Return the name of the array of events that is all an object holds, or an empty string."""
    for key, value in content.items():
        beside = SIBLINGS.get(key)
        if beside is None or type(value) is not list or not value:
            continue
        if _NEEDS.get(key, key) not in content or any(type(element) is not dict for element in value):
            continue
        if all(other == key or other in beside or other in _PAGING for other in content):
            return key
    return ""


def _cut(content: dict[str, Any], key: str, envelope: Envelope) -> list[Record]:
    elements: list[dict[str, Any]] = content[key]
    decoding.check_count(len(elements))
    if key == "receivedMessages":
        return [_from_message(element.get("message"), envelope) or Record(element, envelope) for element in elements]
    if key != "logEvents":
        return [Record(element, envelope) for element in elements]
    context = {name: text for name in _LOG_CONTEXT if (text := short_text(content.get(name)))}
    return [Record({**context, **element}, envelope) for element in elements]


def _from_push(content: dict[str, Any], envelope: Envelope) -> Record | None:
    """Return the record inside a Pub/Sub push body, or ``None`` when it is something else."""
    if any(key not in ("message", "subscription", "deliveryAttempt") for key in content):
        return None
    return _from_message(content.get("message"), envelope)


def _from_message(message: Any, envelope: Envelope) -> Record | None:
    """Return the record a Pub/Sub message carries in base64, with the message's attributes on its envelope."""
    data = message.get("data") if isinstance(message, dict) else None
    if type(data) is not str or not data:
        return None
    try:
        body = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Record(_value(body), _with_attributes(message, envelope))


def _value(body: bytes) -> str | dict[str, Any]:
    if body[:1] == b"{":
        try:
            value = decoding.loads(body)
        except BodyError:
            return decoding.decode_text(body)
        if isinstance(value, dict):
            return value
    return decoding.decode_text(body)


def _with_attributes(message: dict[str, Any], envelope: Envelope) -> Envelope:
    attributes = message.get("attributes")
    fields: dict[str, Any] = dict(envelope.fields or {})
    if isinstance(attributes, dict):
        for name, value in list(attributes.items())[:MAX_ATTRIBUTES]:
            text = short_text(value)
            if text:
                fields.setdefault(name, text)
    when = envelope.time
    if when is None:
        when = seconds(message.get("publishTime", message.get("publish_time")))
    return replace(envelope, time=when, fields=fields or None)

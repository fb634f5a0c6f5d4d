"""GCP Pub/Sub push: one message per request, in base64, with attributes.

Handed: the JSON body of a push, or a message that came bare and was wrapped again. Hands on: what the message
carries as one record, or as several where it is a stream of JSON objects; attributes, subscription and time of
publishing are on the envelope. A message without data is the object of its attributes.
Format: Google, "Push subscriptions" and "Payload unwrapping".
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from triage.contracts import Envelope, Record
from triage.receivers import containers, decoding, firehose
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import defaults, seconds, short_text
from triage.receivers.inflating import Budget

MAX_ATTRIBUTES = 100
_KEYS = frozenset({"data", "attributes", "messageId", "message_id", "publishTime", "publish_time"})


@dataclass(frozen=True, slots=True)
class Push:
    """One message as it was pushed. ``data`` is ``None`` when it has only attributes."""

    data: bytes | None
    attributes: Mapping[str, str]
    message_id: str = ""
    published_at: str = ""
    subscription: str = ""


class PubSub:
    """``/api/v1/ingest/pubsub``."""

    name = "pubsub"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return what the pushed messages carry; codes: no_data, invalid_format, too_many."""
        return containers.expand_all([record for record, _ in _pairs(body, defaults(parameters))])

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the message, or its JSON object, at a 0-based position."""
        return containers.at(_pairs(body, defaults(parameters)), position)


def push_of(body: bytes) -> Push:
    """Read a push body; codes: no_data, invalid_format."""
    if not decoding.strip(body):
        raise BodyError("no_data", "No data")
    return _push(decoding.loads(decoding.strip(body)))


def inflated(push: Push, budget: Budget) -> Push:
    """Return a push whose message is not compressed, the same object when it was not; code: too_large."""
    data = push.data if push.data is None else firehose.inflated(push.data, budget)
    return push if data is push.data else replace(push, data=data)


def wrapped(push: Push) -> bytes:
    """Return the body in which a push is stored."""
    message: dict[str, Any] = {"attributes": dict(push.attributes)}
    if push.data is not None:
        message["data"] = base64.b64encode(push.data).decode()
    if push.message_id:
        message["messageId"] = push.message_id
    if push.published_at:
        message["publishTime"] = push.published_at
    return decoding.as_text({"message": message, "subscription": push.subscription}).encode()


def _pairs(body: bytes, shared: Envelope) -> Iterator[tuple[Record, str]]:
    values = decoding.stream(body)
    if not values:
        raise BodyError("no_data", "No data")
    for value in values:
        push = _push(value)
        envelope = _envelope(push, shared)
        if push.data is None:
            yield Record(dict(push.attributes), envelope), decoding.as_text(dict(push.attributes))
        else:
            for content, text in _contents(push.data):
                yield Record(content, envelope), text


def _push(value: Any) -> Push:
    message = value.get("message") if isinstance(value, dict) else None
    if not isinstance(message, dict) or _KEYS.isdisjoint(message):
        raise BodyError("invalid_format", "not an object with a message")
    attributes = message.get("attributes")
    return Push(
        data=_data(message.get("data")),
        attributes=_attributes(attributes if isinstance(attributes, dict) else {}),
        message_id=short_text(message.get("messageId", message.get("message_id"))),
        published_at=short_text(message.get("publishTime", message.get("publish_time"))),
        subscription=short_text(value.get("subscription")),
    )


def _data(data: Any) -> bytes | None:
    if data is None or data == "":
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BodyError("invalid_format", "the message's data is not base64") from error


def _attributes(attributes: dict[str, Any]) -> dict[str, str]:
    return {name[:256]: short_text(value) for name, value in list(attributes.items())[:MAX_ATTRIBUTES]}


def _envelope(push: Push, shared: Envelope) -> Envelope:
    when, fields = seconds(push.published_at), dict(push.attributes)
    return replace(shared, time=when, source=shared.source or push.subscription, fields=fields or None)


def _contents(data: bytes) -> list[tuple[str | dict[str, Any], str]]:
    """Return the JSON objects of a message with their texts; any other message is one text, line ends and all."""
    if decoding.strip(data[:256])[:1] == b"{":
        found = firehose.objects(data)
        if found:
            return list(found)
    text = decoding.decode_text(data)
    return [(text, text)]


RECEIVER = PubSub()

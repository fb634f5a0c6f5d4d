"""Grafana Loki's push in protobuf: ``logproto.PushRequest``, after its snappy block has been inflated.

Handed: one serialised request. Hands on: one record per entry. No package brings Loki's messages, so their
descriptor is made here from the field numbers of ``pkg/push/push.proto``; its text fields are bytes, so that a
line that is not UTF-8 does not refuse its push. Entries are built one at a time from where
:mod:`triage.receivers.wire` finds them.

| message | fields |
|---|---|
| PushRequest | 1 streams (Stream) |
| Stream | 1 labels (text), 2 entries (Entry), 3 hash |
| Entry | 1 timestamp (1 seconds, 2 nanos), 2 line (text), 3 structuredMetadata (LabelPair) |
| LabelPair | 1 name (text), 2 value (text) |
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from triage.contracts import Record
from triage.receivers import containers, decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.loki import NANOSECONDS, Labels, Push, labels_of, parse_labels, record_of
from triage.receivers.wire import Walker, malformed

#: A larger entry is refused: built, its metadata could take thirty times as much memory.
MAX_ENTRY_BYTES = 2 * 2**20
PACKAGE = "logproto"
_STREAMS, _LABELS, _ENTRIES = 1, 1, 2
#: Message -> its fields: (name, number, type, repeated); a type that begins with a dot is a message of this table.
_MESSAGES: dict[str, tuple[tuple[str, int, str, bool], ...]] = {
    "Timestamp": (("seconds", 1, "INT64", False), ("nanos", 2, "INT32", False)),
    "LabelPair": (("name", 1, "BYTES", False), ("value", 2, "BYTES", False)),
    "Entry": (
        ("timestamp", 1, ".Timestamp", False),
        ("line", 2, "BYTES", False),
        ("structured_metadata", 3, ".LabelPair", True),
    ),
    "Stream": (("labels", 1, "BYTES", False), ("entries", 2, ".Entry", True), ("hash", 3, "UINT64", False)),
    "PushRequest": (("streams", 1, ".Stream", True),),
}


def _built() -> dict[str, Any]:
    """Return the message classes by name."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="winnow/loki_push.proto", package=PACKAGE, syntax="proto3")
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for member, number, kind, repeated in members:
            label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            added = message.field.add(name=member, number=number, label=label)
            if kind.startswith("."):
                added.type, added.type_name = field.TYPE_MESSAGE, f".{PACKAGE}{kind}"
            else:
                added.type = field.Type.Value(f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }


MESSAGES = _built()


class LokiProto:
    """``/loki/api/v1/push`` with ``application/x-protobuf``."""

    name = "loki_proto"
    joinable = False

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the lines in order; codes: invalid_format, too_many."""
        return self.read(body).records

    def read(self, body: bytes) -> Push:
        """Return the records of a body, and what is left out of it."""
        push = Push()
        push.records = containers.expand_all(list(_records(body, push)))
        return push

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the line of the record at a 0-based position; an element of a container in compact form."""
        records = _records(body, Push())
        return containers.at(((record, containers.as_sent(record)) for record in records), position)


RECEIVER = LokiProto()


def _records(body: bytes, push: Push) -> Iterator[Record]:
    """Yield the record of every good entry; count the others on the push."""
    walker, count = Walker(body), 0  # streams cost time too, so they are counted with the entries
    for number, (start, end) in enumerate(walker.parts(_STREAMS, 0, len(body))):
        count += 1
        decoding.check_count(count)
        labels, reason = _labels(walker.last(_LABELS, start, end))
        for begin, stop in walker.parts(_ENTRIES, start, end):
            count += 1
            decoding.check_count(count)
            if labels is None:
                push.refuse(number, reason)
            elif stop - begin > MAX_ENTRY_BYTES:
                push.refuse(number, f"an entry is larger than {MAX_ENTRY_BYTES} bytes")
            else:
                yield _record(body[begin:stop], labels)


def _labels(text: bytes) -> tuple[Labels | None, str]:
    try:
        return labels_of(parse_labels(decoding.decode_text(text))), ""
    except BodyError as error:
        return None, str(error)


def _record(data: bytes, labels: Labels) -> Record:
    try:
        entry = MESSAGES["Entry"].FromString(data)
    except DecodeError as error:
        raise malformed() from error
    when = entry.timestamp
    nanoseconds = when.seconds * NANOSECONDS + when.nanos
    pairs = entry.structured_metadata
    metadata = {decoding.decode_text(pair.name): decoding.decode_text(pair.value) for pair in pairs} if pairs else {}
    return record_of(decoding.decode_text(entry.line), nanoseconds or None, labels, metadata)

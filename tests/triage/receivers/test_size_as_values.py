"""What is small as text and large as values is refused before it is read, or cut short when it is written down."""

import base64

import orjson
import pytest

from triage import receivers
from triage.receivers import decoding
from triage.receivers.base import BodyError

ARRAYS = b"[" + b"[]," * 2**22 + b"[]]"
NUMBERS = b"[" + b"1," * (2**23 + 1) + b"1]"
BODIES = [
    ("hec_event", b'{"event":%b}'),
    ("hec_batch", b'{"event":%b}'),
    ("json", b'{"a":%b}'),
    ("ndjson", b'{"a":%b}\n'),
    ("lines", b'{"a":%b}\n'),
    ("azure", b'[{"a":%b}]'),
    ("es_bulk", b'{"index":{"_index":"a"}}\n{"a":%b}\n'),
    ("otlp_json", b'{"resourceLogs":%b}'),
    ("loki_json", b'{"streams":%b}'),
]


@pytest.mark.parametrize("value", [ARRAYS, NUMBERS], ids=["arrays", "numbers"])
@pytest.mark.parametrize(("name", "body"), BODIES, ids=[name for name, _ in BODIES])
def test_too_many_values_are_refused_before_they_are_made(name, body, value):
    with pytest.raises(BodyError) as caught:
        receivers.get(name).records(body % value, {})
    assert caught.value.code == "too_many"


def test_too_many_values_inside_what_was_packed():
    body = b'{"a":' + ARRAYS + b"}"
    packed = b"%d:%b\n" % (len(body), body)
    push = {"message": {"data": base64.b64encode(body).decode(), "messageId": "1"}, "subscription": "s"}
    for name, sent in (("firehose", packed), ("pubsub", orjson.dumps(push))):
        with pytest.raises(BodyError) as caught:
            receivers.get(name).records(sent, {})
        assert caught.value.code == "too_many"


@pytest.mark.parametrize("depth", [300, 400, 900, 1_000])
def test_a_label_of_any_depth_is_text(depth):
    value = b"[" * depth + b'"x"' + b"]" * depth
    body = b'{"streams":[{"stream":{"deep":' + value + b'},"values":[["1","line"]]}]}'
    (record,) = receivers.get("loki_json").records(body, {})
    text = record.envelope.fields["deep"]
    assert text.startswith("[" * 150)
    assert text == value.decode() or "nested deeper" in text


def test_what_is_too_deep_to_be_written_is_cut():
    value = "x"
    for _ in range(5_000):
        value = {"a": value}
    text = decoding.as_text(value)
    shown = f"(nested deeper than {decoding.SHOWN_DEPTH} levels)"
    assert text == '{"a":' * decoding.SHOWN_DEPTH + f'"{shown}"' + "}" * decoding.SHOWN_DEPTH

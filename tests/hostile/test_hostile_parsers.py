"""Golden records that somebody spoilt: cut, doubled, mixed, stuffed. Every parser makes one clean event of each."""

import random
from pathlib import Path

import orjson
import pytest

from tests.hostile import bodies
from triage import parsers
from triage.contracts import Envelope, Record

pytestmark = [pytest.mark.slow, pytest.mark.once]

AT = 1_767_225_600.0
FOLDER = Path(__file__).resolve().parents[1] / "triage" / "parsers" / "golden"
GOLDEN = [
    (path.stem, pair["content"]) for path in sorted(FOLDER.glob("*.json")) for pair in orjson.loads(path.read_bytes())
]
TEXTS = [(name, content) for name, content in GOLDEN if isinstance(content, str) and content]
STUFFING = [text.decode("utf-8", "replace") for _, text in bodies.TEXTS if len(text) <= 6_000]
LARGE = [text.decode("utf-8", "replace") for _, text in bodies.TEXTS if len(text) > 6_000]
ROUNDS = 6


def check(events, records):
    assert len(events) == len(records)
    for event, record in zip(events, records, strict=True):
        assert not event.fallback_reason.startswith("parser_error"), (event.fallback_reason, record)
        assert len(event.fields) <= 256, record
        shown = orjson.dumps([event.message, event.fields])
        assert orjson.loads(shown) == [event.message, event.fields], record
        assert "\0" not in event.message, record
        assert b"\\u0000" not in orjson.dumps([*event.fields.values()]).replace(b"\\\\", b""), record
        assert not any("\0" in name for name in event.fields), record
        assert len(shown) <= 2**20, record
        assert event.timestamp_origin in ("event", "envelope", "received")
        assert -62_135_596_800 <= event.timestamp < 253_402_300_800, record


def spoilt(text, chance):
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.randrange(30))
    middle = chance.choice([*STUFFING, "", text[start:end] * 2, chance.choice(TEXTS)[1]])
    return text[:start] + middle + text[end:]


def test_there_are_golden_texts():
    assert len(TEXTS) >= 100


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_spoilt_golden_texts(seed):
    chance = random.Random(seed)
    records = [Record(spoilt(text, chance)) for _, text in TEXTS for _ in range(3)]
    check(parsers.parse(records, AT), records)


def test_spoilt_golden_texts_for_a_pinned_parser():
    chance = random.Random(99)
    for name in parsers.TABLE:
        own = [text for golden, text in TEXTS if golden == name] or [text for _, text in chance.choices(TEXTS, k=5)]
        records = [Record(spoilt(text, chance)) for text in own for _ in range(3)]
        records += [Record(text) for text in STUFFING]
        check(parsers.parse(records, AT, pinned=name), records)


def test_golden_texts_cut_anywhere():
    chance = random.Random(5)
    records = [Record(text[: chance.randrange(len(text))]) for _, text in TEXTS for _ in range(10)]
    check(parsers.parse(records, AT), records)


def test_large_texts_and_hostile_envelopes():
    envelope = Envelope(
        time=1e300, host="h\0" * 600, source="\ud800", sourcetype="\x1b[2J", index="\u202e",
        fields={"a\0": "\ud800", "": [1, "\0"], "x" * 5_000: "y" * 100_000}, ecs={"host.name": "\0", "source.port": 80},
    )  # fmt: skip
    records = [Record(text, envelope) for text in LARGE] + [Record(text) for text in LARGE]
    records += [Record({"message": text, "a": {text[:300]: text}}, envelope) for text in LARGE]
    check(parsers.parse(records, AT), records)


def test_values_no_parser_expects():
    documents = []
    for _, value in bodies.VALUES:
        try:
            documents.append(orjson.loads(value))
        except orjson.JSONDecodeError:
            continue
    names = ("message", "@timestamp", "log", "event", "host", "detail", "Records", "source", "user", "winlog", "time")
    records = [Record({name: value, "kind": "x"}) for value in documents for name in names]
    assert len(records) > 300
    check(parsers.parse(records, AT), records)

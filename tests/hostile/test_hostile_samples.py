"""Texts that broke other programs, through every protocol: what comes out is what went in."""

import gzip
import re

import orjson
import pytest

from tests.hostile import bodies
from tests.hostile.endpoints import BY_NAME, quoted
from tests.hostile.harness import Sending
from triage import parsers, reading, receivers, store
from triage.contracts import Record
from triage.models import RawBatch

pytestmark = pytest.mark.slow

SURROGATES = re.compile("[\ud800-\udfff]")
OWN = [
    "",
    " ",
    "a b",
    "naïve ☃",
    "\u202eevil",
    "{}",
    "null",
    "a\tb",
    "'; DROP TABLE x; --",
    "<b>&amp;</b>",
    "\\",
    '"',
    "%00",
    "nul\x00byte",
    "\ufffe\uffff\U0010ffff",
]
TOGETHER = 200


def nasty(directory):
    with gzip.open(directory / "nasty_inputs" / "events.ndjson.gz") as lines:
        return [orjson.loads(line)["message"] for line in lines]


# The collected ones are thousands: what a database could object to is among our own, which both databases get.
@pytest.fixture(params=["own", pytest.param("collected", marks=[pytest.mark.shared, pytest.mark.once])])
def texts(request):
    return OWN if request.param == "own" else nasty(request.getfixturevalue("shared_data"))


def contents():
    """Return what is stored, record by record."""
    return [
        record.content
        for batch in store.stored_batches(RawBatch.objects.all())
        for record in receivers.get(batch.receiver).records(reading.inflate(batch.body), batch.parameters)
    ]


def replaced(text):
    """What is documented: lone surrogates become U+FFFD."""
    return SURROGATES.sub("\ufffd", text)


def text_of(content):
    """Return the text that was sent, out of the record made of it."""
    return content if isinstance(content, str) else next(iter(content.values()))


def as_lines(texts):
    """Return each text as one line without a byte order mark, and without the blank ones, which are no records."""
    lines = [text.replace("\n", " ").replace("\r", " ").lstrip("\ufeff") for text in texts]
    return [line for line in lines if line.strip(" \t\r")]


#: What takes any text as an event.
ANY_TEXT = (
    "hec /event", "ingest ndjson", "ingest json", "bulk", "document", "otlp json", "otlp protobuf",
    "loki json", "loki protobuf", "azure",
)  # fmt: skip
BY_LINE = ("hec /raw", "ingest text", "syslog", "firehose", "pubsub", "pubsub bare")


def sent(harness, endpoint, found):
    """Send each text alone or many at once; return what is stored in the order of the sending."""
    stored = []
    for start in range(0, len(found), TOGETHER):
        some = [
            Sending(endpoint, endpoint.text(text.encode("utf-8", "surrogatepass")), {})
            for text in found[start : start + TOGETHER]
        ]
        answers = harness.send_all(some)
        stored += [(answer.status, text) for answer, text in zip(answers, found[start : start + TOGETHER], strict=True)]
    return stored


@pytest.mark.parametrize("name", ANY_TEXT)
def test_event_texts_are_stored_as_they_are(harness, texts, name):
    endpoint = BY_NAME[name]
    found = [text for text in texts if text] if name.startswith(("hec", "loki", "otlp")) else texts
    results = sent(harness, endpoint, found)
    taken = [text for status, text in results if status in endpoint.taken]
    assert taken == found
    plain = [text for text in found if not text.startswith("{")]  # which may be a container
    stored = {text_of(content) for content in contents() if isinstance(content, str) or len(content) == 1}
    assert {replaced(text) for text in plain} <= stored
    harness.drain()


@pytest.mark.parametrize("name", BY_LINE)
def test_lines_are_stored_as_they_are(harness, texts, name):
    endpoint, found = BY_NAME[name], as_lines(texts)
    results = sent(harness, endpoint, found)
    assert [text for status, text in results if status in endpoint.taken] == found
    plain = {replaced(text) for text in found if not text.lstrip().startswith(("{", "["))}  # which are JSON
    assert plain <= {content for content in contents() if isinstance(content, str)}
    harness.drain()


@pytest.mark.parametrize("name", ["hec /event", "ingest ndjson", "bulk", "azure", "loki json", "otlp json", "pubsub"])
def test_names_and_values_of_fields(harness, texts, name):
    endpoint = BY_NAME[name]
    for start in range(0, len(texts), TOGETHER):
        some = texts[start : start + TOGETHER]
        sendings = [Sending(endpoint, endpoint.value(bodies.escaped(text)), {}) for text in some]
        sendings += [Sending(endpoint, endpoint.value(b"{" + bodies.escaped(text) + b":1}"), {}) for text in some]
        harness.send_all(sendings)
    values = {
        value for content in contents() if isinstance(content, dict) for value in content.values() if type(value) is str
    }
    if name in ("hec /event", "ingest ndjson", "bulk", "azure"):
        assert {replaced(text) for text in texts} <= values
    harness.drain()


def test_every_text_is_one_clean_event(texts):
    records = [Record(text) for text in texts] + [Record({"message": text, text: text}) for text in texts]
    events = parsers.parse(records, 1_767_225_600.0)
    assert len(events) == len(records)
    for event in events:
        assert not event.fallback_reason.startswith("parser_error"), event
        assert len(event.fields) <= 256
        shown = orjson.dumps([event.message, event.fields]).decode()  # refuses surrogates
        assert "\0" not in event.message
        assert "\\u0000" not in orjson.dumps([*event.fields.values()]).decode().replace("\\\\", "")
        assert len(shown) < 2**20


def test_quoting_is_json():
    assert orjson.loads(quoted(b'a"\\\nb')) == 'a"\\\nb'

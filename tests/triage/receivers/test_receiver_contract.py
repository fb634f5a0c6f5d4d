"""What every receiver promises, whichever there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import receivers
from triage.contracts import Record
from triage.receivers import ndjson
from triage.receivers.base import BodyError

NAMES = sorted(receivers.receivers())
JOINABLE = [name for name in NAMES if receivers.get(name).joinable]
PIECES = st.sampled_from(
    [b'{"event":', b'"a"', b"}", b"{", b"}{", b"\n", b"\r\n", b" ", b"[", b"]", b",", b"NaN", b"1e999", b"\xff", b"\0",
     b'"\\ud800"', b'"', b"\\", b'{"event":"x"}', b'{"time":1,"event":{"a":[1]}}', b"<13>x", b"\xef\xbb\xbf"]
)  # fmt: skip
BODIES = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=12).map(b"".join))


def attempt(receiver, body):
    try:
        return receiver.records(body, {})
    except BodyError:
        return None


@pytest.mark.parametrize("name", NAMES)
def test_its_name_is_its_row(name):
    assert receivers.get(name).name == name


@pytest.mark.parametrize("name", NAMES)
@given(body=BODIES)
def test_any_bytes_give_storable_records_or_a_body_error(name, body):
    receiver = receivers.get(name)
    records = attempt(receiver, body)
    assert records == attempt(receiver, body)
    for position, record in enumerate(records or []):
        assert isinstance(record, Record)
        str(record.content).encode("utf-8")
        assert isinstance(receiver.raw(body, {}, position), str)


@pytest.mark.parametrize("name", JOINABLE)
@given(first=BODIES, second=BODIES)
def test_two_valid_bodies_joined_give_both_their_records(name, first, second):
    receiver = receivers.get(name)
    bodies = [body.removeprefix(b"\xef\xbb\xbf") for body in (first, second)]
    one, two = (attempt(receiver, body) for body in bodies)
    if one and two:
        assert receiver.records(b"\n".join(bodies), {}) == [*one, *two]


@given(body=BODIES, content_type=st.sampled_from(["", "application/json", "text/plain", "application/x-ndjson"]))
def test_the_chosen_receiver_reads_what_was_counted(body, content_type):
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        reading = ndjson.read(body, content_type, {})
    except BodyError:
        return
    if reading.records:
        assert receivers.get(reading.receiver).records(body, {}) == reading.records

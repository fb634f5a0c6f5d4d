import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.receivers import wire
from triage.receivers.base import BodyError
from triage.receivers.wire import Walker

#: field 1 "ab", field 2 varint 300, field 3 fixed64, field 4 fixed32, field 1 "c", field 200 "d"
MESSAGE = b"\x0a\x02ab\x10\xac\x02\x19" + b"8" * 8 + b"\x25" + b"4" * 4 + b"\x0a\x01c" + b"\xc2\x0c\x01d"


def test_the_parts_of_a_field_are_found_among_others():
    walker = Walker(MESSAGE)
    assert [MESSAGE[start:end] for start, end in walker.parts(1, 0, len(MESSAGE))] == [b"ab", b"c"]
    assert walker.joined(1, 0, len(MESSAGE)) == b"abc"
    assert walker.last(1, 0, len(MESSAGE)) == b"c"
    assert walker.joined(200, 0, len(MESSAGE)) == b"d"
    assert walker.joined(7, 0, len(MESSAGE)) == walker.last(7, 0, len(MESSAGE)) == b""


def test_a_long_part_is_found():
    body = b"\x0a\x90\x03" + b"x" * 400
    assert list(Walker(body).parts(1, 0, len(body))) == [(3, 403)]


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",  # a length is missing
        b"\x0a\x05abcd",  # longer than the body
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length of more than 64 bits
        b"\x10",  # a number is missing
        b"\x10\x80",  # a number is cut
        b"\x19" + b"8" * 7,
        b"\x25" + b"4" * 3,
        b"\x0b",  # a group
        b"\x0c",
        b"\x0e",  # no such kind
        b"\x02\x00",  # field number 0
        b"\x00\x01",
        b"\x80",
        b"\xff" * 5,
    ],
)
def test_what_is_no_message_is_refused(body):
    with pytest.raises(BodyError) as caught:
        list(Walker(body).parts(1, 0, len(body)))
    assert caught.value.code == "invalid_format"


def test_the_end_of_a_part_is_kept():
    body = b"\x0a\x05abcde"
    with pytest.raises(BodyError):
        list(Walker(body).parts(1, 0, 5))


def test_all_walks_over_a_body_share_their_steps(monkeypatch):
    monkeypatch.setattr(wire, "MAX_STEPS", 5)
    walker = Walker(b"\x0a\x00" * 3)
    assert len(list(walker.parts(1, 0, 6))) == 3
    with pytest.raises(BodyError) as caught:
        list(walker.parts(1, 0, 6))
    assert caught.value.code == "too_many"


@given(body=st.binary(max_size=60))
def test_any_bytes_are_parts_within_the_body_or_an_error(body):
    try:
        found = list(Walker(body).parts(1, 0, len(body)))
    except BodyError:
        return
    assert all(0 < start <= end <= len(body) for start, end in found)

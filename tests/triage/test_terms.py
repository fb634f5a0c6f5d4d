"""Filters of chunks: never wrong when they say no, seldom when they say maybe, the same bytes every time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import terms
from triage.conditions import Text, fold, text_of

pytestmark = pytest.mark.once
FIELDS = ("user.name", "host.name", "source.ip", "event.code", "url.path", "tags", "source.port", "zeek.duration")
TEXTS = st.text(
    st.sampled_from("aZ09.-_ /\\:\"'\n\t,äß€😀\u202e=*") | st.characters(exclude_categories=["Cs"]), max_size=40
)
SCALARS = TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.dictionaries(st.sampled_from(FIELDS) | TEXTS, SCALARS | st.lists(SCALARS, max_size=3), max_size=6)
EVENTS = st.lists(st.tuples(TEXTS, DOCUMENTS), min_size=1, max_size=5)


def built(events):
    found = terms.build([message for message, _ in events], [fields for _, fields in events])
    assert found is not None
    return found


def texts_of(message, fields):
    yield message
    for value in fields.values():
        yield from map(text_of, value if isinstance(value, list) else [value])


@given(EVENTS)
def test_every_value_and_message_that_is_there_may_be_there(events):
    stored = built(events)
    for message, fields in events:
        for text in texts_of(message, fields):
            assert terms.may_hold(stored, terms.words(text))
            assert terms.may_hold(stored, terms.words(text.swapcase() if text.isascii() else text))
        for name in fields:
            assert terms.may_hold(stored, terms.words(name))


@given(EVENTS, st.data())
def test_a_text_that_is_found_in_a_value_is_never_denied(events, data):
    stored = built(events)
    texts = [text for event in events for text in texts_of(*event) if text]
    if not texts:
        return
    whole = data.draw(st.sampled_from(texts))
    start = data.draw(st.integers(0, len(whole) - 1))
    part = whole[start : data.draw(st.integers(start + 1, len(whole)))]
    for open_start, open_end in ((True, True), (False, True), (True, False), (False, False)):
        asked = Text(part, open_start, open_end)
        if _finds(asked, whole):
            assert terms.may_hold(stored, terms.words(part, open_start=open_start, open_end=open_end))


def _finds(asked, text):
    from triage.conditions import _finder

    return _finder(asked)(fold(text))


@given(EVENTS)
def test_the_exact_fields_are_held_as_their_columns_have_them(events):
    from triage import ecs

    stored = built(events)
    for _, fields in events:
        for (name, _), column in zip(ecs.COLUMN_WIDTHS, ecs.columns(fields), strict=True):
            if name in terms.EXACT:
                assert terms.may_hold(stored, terms.exactly(name, column))


def test_the_same_chunk_gives_the_same_bytes_and_order_does_not_matter():
    events = [(f"login of user{number}", {"user.name": f"user{number}", "n": number}) for number in range(50)]
    assert built(events) == built(events) == built(events[::-1])


def test_the_format_is_what_stored_filters_are_in():
    """These bytes are in databases: another hash needs another version."""
    stored = terms.build(["Failed password for root from 192.0.2.7"], [{"user.name": "root", "event.code": 4625}])
    assert stored is not None
    assert stored[0] == terms.VERSION == 1
    assert terms.words("root") == ((405151619, 2105326217),)
    assert terms.exactly("user.name", "ROOT") == terms.exactly("user.name", "root") != terms.words("user.name root")


def test_about_one_in_a_hundred_absent_terms_looks_present():
    events = [
        (f"GET /p/{number:x} 200", {"user.name": f"u{number % 97}", "source.ip": f"10.0.{number % 7}.{number % 251}"})
        for number in range(512)
    ]
    stored = built(events)
    absent = [terms.words(f"absent{number}") for number in range(4000)]
    absent += [terms.exactly("user.name", f"v{number}") for number in range(4000)]
    assert 0.002 < sum(terms.may_hold(stored, asked) for asked in absent) / len(absent) < 0.02
    addresses = [terms.words(f"10.0.{third}.{fourth}") for third in range(7, 20) for fourth in range(256)]
    assert sum(terms.may_hold(stored, asked) for asked in addresses) / len(addresses) < 0.05


def test_an_unknown_filter_denies_nothing():
    asked = terms.words("anything")
    assert all(terms.may_hold(stored, asked) for stored in (None, b"", b"\x01", b"\x02" + bytes(64)))
    assert not terms.may_hold(b"\x01" + bytes(64), asked)
    assert terms.may_hold(b"\x01" + bytes(64), ())


def test_what_has_too_many_words_gets_no_filter():
    words = [" ".join(f"{number}x{position}" for position in range(60)) for number in range(512)]
    assert terms.build(words, [{}] * 512) is None
    assert terms.build(words[:20], [{}] * 20) is not None


def test_a_line_of_any_length_is_cut_nowhere():
    long = " ".join(f"w{number}" for number in range(12_000))
    stored = terms.build([long, "x" * 40_000, "tail"], [{"message": "m"}] * 3)
    assert stored is not None
    assert all(terms.may_hold(stored, terms.words(word)) for word in ("w0", "w11999", "w6543", "tail", "x" * 40_000))


def test_probes_are_the_bits_that_are_looked_at():
    asked = terms.words("one two")
    assert len(terms.probes(asked)) == terms.HASHES * 2
    assert all(0 <= probe < 2**32 for probe in terms.probes(asked))

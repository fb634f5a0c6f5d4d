"""Documents of real shape in which somebody put other types, huge values or other documents: no parser trips."""

import copy
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from triage import parsers
from triage.contracts import Record

RECEIVED_AT = 1_767_225_600.0
FOLDER = Path(__file__).parent / "golden"
DOCUMENTS: list[tuple[str, dict[str, Any]]] = [
    (path.stem, pair["content"])
    for path in sorted(FOLDER.glob("*.json"))
    for pair in orjson.loads(path.read_bytes())
    if isinstance(pair["content"], dict) and pair["content"] and path.stem in parsers.TABLE
]
ODD = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | st.sampled_from(
        ["", "-", "\x00", "\ud800", "::1", "[", "1.2.3.4:99999", "9" * 5000, "{", '{"a":1}', "%s", "0x1f"]
    )
    | st.text(max_size=20)
)
VALUES = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "Name", "value", "ip", "user"]), inner)
    ),
    max_leaves=8,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    if isinstance(value, dict):
        inner = [place for key, part in value.items() for place in paths(part, (*here, key))]
    elif isinstance(value, list):
        inner = [place for number, part in enumerate(value) for place in paths(part, (*here, number))]
    else:
        inner = []
    return [here, *inner] if here else inner


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A golden document with a few of its values replaced or taken away."""
    name, document = draw(st.sampled_from(DOCUMENTS))
    content = copy.deepcopy(document)
    for _ in range(draw(st.integers(min_value=1, max_value=4))):
        places = paths(content)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        holder: Any = content
        for step in way:
            holder = holder[step]
        if draw(st.booleans()):
            holder[last] = draw(VALUES)
        else:
            del holder[last]
    return name, content


def check(event: Any) -> None:
    assert not event.fallback_reason.startswith("parser_error"), event.fallback_reason
    assert len(event.fields) <= 256
    assert orjson.loads(orjson.dumps([event.message, event.fields])) == [event.message, event.fields]
    assert all(type(value) in (str, int, float, bool, list) for value in event.fields.values())


def test_there_is_something_to_spoil() -> None:
    assert len({name for name, _ in DOCUMENTS}) >= 20


@given(spoilt())
def test_a_spoilt_document_is_still_one_storable_event(case: tuple[str, dict[str, Any]]) -> None:
    name, content = case
    (event,) = parsers.parse([Record(content)], RECEIVED_AT)
    check(event)
    if content:
        (pinned,) = parsers.parse([Record(content)], RECEIVED_AT, pinned=name)
        check(pinned)


@given(spoilt(), st.integers(min_value=0, max_value=300))
def test_many_fields_never_crowd_out_the_cap(case: tuple[str, dict[str, Any]], count: int) -> None:
    name, content = case
    wide = {**content, **{f"zz{number}": "v" * 50 for number in range(count)}}
    (event,) = parsers.parse([Record(wide)], RECEIVED_AT, pinned=name)
    check(event)

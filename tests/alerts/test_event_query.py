"""The language of the event search: what is written is what is asked, and what is asked can be written."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.event_query import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, QueryError, parse, write
from triage.conditions import EVERYTHING, All, Any, Match, Not, Present, Text, Within

pytestmark = pytest.mark.once
DAY = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
NEXT = DAY + dt.timedelta(days=1)

READ = {
    "": EVERYTHING,
    "  ": EVERYTHING,
    "*": EVERYTHING,
    "failed": Text("failed"),
    '"failed password"': Text("failed password"),
    "*mimi*": Text("mimi", True, True),
    "mimi*": Text("mimi", open_end=True),
    '*"a b"*': Text("a b", True, True),
    "10:22:33": Text("10:22:33"),
    "[ERROR]": Text("[ERROR]"),
    "a-b": Text("a-b"),
    "-": Text("-"),
    '"AND"': Text("AND"),
    r'"C:\Windows\x"': Text(r"C:\Windows\x"),
    r'"say \"hi\" \\ x"': Text('say "hi" \\ x'),
    r'"txt\u{202e}exe"': Text("txt\u202eexe"),
    r'"a\\u{202e}"': Text(r"a\u{202e}"),
    "user:root": Match("user.name", "root"),
    "USER:root": Match("user.name", "root"),
    "user.name:root": Match("user.name", "root"),
    'user:"ro ot"': Match("user.name", "ro ot"),
    "user:adm*": Match("user.name", "adm", open_end=True),
    "user:*adm": Match("user.name", "adm", open_start=True),
    "user:*": Present("user.name"),
    'user:""': Not(Present("user.name")),
    "user:-x": Match("user.name", "-x"),
    "entity:user:root": Match("entity", "user:root"),
    "my.field:1": Match("my.field", "1"),
    "ip:10.0.0.7": Any((Match("source.ip", "10.0.0.7"), Match("destination.ip", "10.0.0.7"))),
    "-ip:10.0.0.7": Not(Any((Match("source.ip", "10.0.0.7"), Match("destination.ip", "10.0.0.7")))),
    "message:hello": Text("hello"),
    "flagged:yes": Match("flagged", "true"),
    "flagged:No": Match("flagged", "false"),
    "score:>3": Within("score", 3.0, None, low_included=False),
    "p:<=0.001": Within("p", None, 0.001),
    "p_value:<1e-3": Within("p", None, 0.001, high_included=False),
    "id:12": Within("id", 12.0, 12.0),
    "source.port:[1 TO 1024}": Within("source.port", 1.0, 1024.0, True, False),
    "score:[* TO 3]": Within("score", None, 3.0),
    "score:[* TO *]": Present("score"),
    "timestamp:2026-11-20": Within("timestamp", DAY, NEXT, True, False),
    "time:>=2026-11-20": Within("timestamp", DAY, None),
    "timestamp:[2026-11-20 TO 2026-11-21T00:00:00Z}": Within("timestamp", DAY, NEXT, True, False),
    "timestamp:{2026-11-20T01:00:00+01:00 TO *}": Within("timestamp", DAY, None, low_included=False),
    "a b": All((Text("a"), Text("b"))),
    "a AND b": All((Text("a"), Text("b"))),
    "a a": Text("a"),
    "a OR b": Any((Text("a"), Text("b"))),
    "a b OR c": Any((All((Text("a"), Text("b"))), Text("c"))),
    "a (b OR c)": All((Text("a"), Any((Text("b"), Text("c"))))),
    "NOT a": Not(Text("a")),
    "-a b": All((Not(Text("a")), Text("b"))),
    "--a": Text("a"),
    "-(a OR b)": Not(Any((Text("a"), Text("b")))),
    "((a))": Text("a"),
}


@pytest.mark.parametrize("text", READ)
def test_what_is_written_is_read(text):
    assert parse(text) == READ[text]
    assert parse(write(READ[text])) == READ[text]


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ('a "b', 2, "not closed"),
        ("(a", 0, "not closed"),
        ("a b)", 3, "not opened"),
        ("OR a", 0, "missing"),
        ("a OR", 4, "missing"),
        ("a AND OR b", 6, "missing"),
        ("()", 1, "missing"),
        ("x user:", 7, "what user: should be is missing"),
        ("user: root", 5, "what user: should be is missing"),
        ("user:(a b)", 5, "what user: should be is missing"),
        ("https://x.y", 0, 'no field is called "https"'),
        ("root nonsense:1", 5, 'no field is called "nonsense"'),
        ("score:abc", 6, "score needs a number"),
        ("score:>abc", 7, "score needs a number"),
        ("score:[1 TO b]", 6, "score needs a number"),
        ("score:nan", 6, "not a number"),
        ("score:>inf", 7, "not a number"),
        ("score:[1 2]", 6, "[from TO to]"),
        ("timestamp:>yesterday", 11, "not a time"),
        ("timestamp:10", 10, "needs a day"),
        ("timestamp:[2026-13-01 TO *]", 10, "not a time"),
        ("timestamp:9999-12-31", 10, "not a time"),
        ("timestamp:<=9999-12-31T23:59:59.999999", 12, "not a time"),
        ("received:>0001-01-01T00:00:00+14:00", 10, "not a time"),
        ("flagged:maybe", 8, "yes or no"),
        ("fo*o", 2, "stands at an end only"),
        ('""', 0, "empty"),
        ("a\0", 0, "character"),
        (r'x "a\u{0}"', 4, "character"),
        (r'"\u{d800}"', 1, "character"),
        (r'"\u{110000}"', 1, "character"),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, "longer"),
        ("(" * (MAX_DEPTH + 1) + "a", MAX_DEPTH, "deeper"),
        ("- " * 0 + "-" * 40 + "a", MAX_DEPTH, "deeper"),
        ("a1 " * (MAX_TERMS + 1), 3 * MAX_TERMS, "more than"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text, position, words):
    with pytest.raises(QueryError) as raised:
        parse(text)
    assert words in str(raised.value)
    assert raised.value.position == position


TEXTS = st.text(
    st.sampled_from('aB0.-_*:"\\ ()[]{}<>=OR\u202eß') | st.characters(exclude_categories=["Cs"]), min_size=1
)
SOUND = TEXTS.map(lambda text: text.replace("\0", "")).filter(str.strip)
NAMES = st.sampled_from(["user.name", "my.field", "source", "parser", "entity", "labels.x-y"])
NUMBERS = st.floats(-1e299, 1e299, allow_nan=False)
TIMES = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))


def ranges(name, bounds):
    low, high = bounds
    return st.builds(
        lambda first, last: Within(name, low, high, first or low is None, last or high is None),
        st.booleans(),
        st.booleans(),
    )


def bound_pairs(values):
    pairs = st.tuples(st.none() | values, st.none() | values)
    return pairs.filter(lambda pair: pair != (None, None))


LEAVES = st.one_of(
    st.builds(Text, SOUND, st.booleans(), st.booleans()),
    st.builds(Match, NAMES, SOUND, st.booleans(), st.booleans()),
    st.builds(Present, NAMES),
    st.sampled_from([Match("flagged", "true"), Match("flagged", "false")]),
    bound_pairs(NUMBERS).flatmap(lambda pair: ranges("score", pair)),
    bound_pairs(TIMES).flatmap(lambda pair: ranges("timestamp", pair)),
)


def flat(kind, parts):
    from alerts.event_query import _any
    from triage.conditions import both

    return both(*parts) if kind is All else _any(list(parts))


CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda part: part.part if isinstance(part, Not) else Not(part)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: flat(All, parts)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: flat(Any, parts)),
    ),
    max_leaves=6,
)


@given(CONDITIONS)
def test_what_is_asked_can_be_written_and_read_again(condition):
    text = write(condition)
    if len(text) <= MAX_LENGTH:
        assert parse(text) == condition
        assert write(parse(text)) == text


@given(st.text(st.sampled_from('ab:"*-()[]{}<>= \\TOORNOT.userflagged0') | st.characters(), max_size=60))
def test_no_text_breaks_it_and_its_canonical_form_is_stable(text):
    found = problem = None
    try:
        found = parse(text)
    except QueryError as error:
        problem = error
    if found is None:
        assert str(problem)
        assert 0 <= problem.position <= len(text)
    elif len(write(found)) <= MAX_LENGTH:
        assert parse(write(found)) == found

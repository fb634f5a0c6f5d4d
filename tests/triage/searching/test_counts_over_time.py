"""Counts over time against counting every event, from the chunks' own figures and from what they hold."""

import datetime as dt

import pytest

from tests.factories import make_source
from tests.triage.searching.corpus import NOON, parsed, put
from triage.conditions import EVERYTHING, All, Match, Text, Within
from triage.models import Event
from triage.searching import over_time, results
from triage.searching.over_time import Counts, Spans
from triage.searching.walk import UNLIMITED, Budget

pytestmark = pytest.mark.django_db
START = int(NOON.timestamp())


@pytest.fixture
def stored(db):
    """Sixty seconds of two sources, a batch a quarter of a minute, one of them as before times were kept."""
    edge, far = make_source("edge"), make_source("far")
    put(edge, [parsed(number, user__name="root") for number in range(15)], flagged=(3,))
    put(far, [parsed(number, user__name="root") for number in range(15, 30)], filtered=False)
    put(edge, [parsed(number + 0.75, user__name="alice") for number in range(30, 45)], flagged=(0, 14))
    put(far, [parsed(number) for number in (*range(45, 60), 4000)])


def naive(condition, spans):
    wanted, flagged = [0] * spans.count, [0] * spans.count
    for event in results.search(condition, limit=1000, budget=UNLIMITED).events:
        place = int((event.timestamp.timestamp() - spans.start) // spans.step)
        if 0 <= place < spans.count:
            wanted[place] += 1
            flagged[place] += event.flagged
    return wanted, flagged


@pytest.mark.parametrize(
    "spans", [Spans(START, 1, 60), Spans(START, 7, 9), Spans(START - 600, 600, 3), Spans(START + 31, 5, 4)]
)
def test_plain_counts_are_those_of_the_events(stored, spans):
    low, high = NOON + dt.timedelta(seconds=20), NOON + dt.timedelta(seconds=31, milliseconds=750)
    for condition in (
        EVERYTHING,
        Match("source", "edge"),
        Match("source", "nowhere"),
        Within("timestamp", low, high, True, False),
        Within("timestamp", low, high),
        All((Match("source", "far"), Within("timestamp", low, None, low_included=False))),
    ):
        counts = over_time.over_time(condition, spans)
        assert counts.all == naive(condition, spans)[0], condition
        assert (counts.flagged, counts.about, counts.progress) == (None, False, None)


def test_few_rows_are_read_for_chunks_that_lie_in_one_span(stored, django_assert_num_queries):
    with django_assert_num_queries(4):  # sources; whole chunks; those over an edge; their rows
        counts = over_time.over_time(EVERYTHING, Spans(START - 600, 600, 3))
    assert counts.all == [0, 60, 0]


def test_with_too_many_chunks_over_an_edge_the_narrowest_are_spread(stored, monkeypatch):
    monkeypatch.setattr(over_time, "MAX_STRADDLING", 2)
    counts = over_time.over_time(EVERYTHING, Spans(START, 10, 6))
    assert counts.about
    assert (sum(counts.all), counts.all[4:]) == (60, [10, 10])
    assert counts.all[2] in (9, 10, 11)


def test_filtered_counts_tell_flagged_ones_and_what_lies_outside(stored):
    spans = Spans(START, 10, 6)
    for condition in (Match("user.name", "root"), Text("line"), Match("flagged", "true")):
        counts = over_time.over_time(condition, spans, budget=UNLIMITED)
        assert (counts.all, counts.flagged) == naive(condition, spans)
        assert counts.progress is not None
        assert counts.progress.done
    assert over_time.over_time(Text("line"), spans, budget=UNLIMITED).outside == 1


def test_counts_join_where_the_budget_ended_them(stored):
    spans, before, joined = Spans(START, 10, 6), None, Counts([0] * 6, [0] * 6)
    small = Budget(bodies=1, chunks=1, seconds=60)
    turns = 0
    while turns < 20:
        turns += 1
        part = over_time.over_time(Text("line"), spans, before=before, budget=small)
        joined.all = [one + other for one, other in zip(joined.all, part.all, strict=True)]
        joined.flagged = [one + other for one, other in zip(joined.flagged, part.flagged, strict=True)]
        before = part.progress.before
        if part.progress.done:
            break
    assert turns > 1
    assert (joined.all, joined.flagged) == naive(Text("line"), spans)
    assert Event.objects.count() == 61

"""Searches against asking every event one by one: the same events, newest first, however the chunks are cut."""

import datetime as dt
from collections import Counter
from itertools import product

import pytest

from tests.factories import make_source
from tests.triage.searching.corpus import NOON, ids, parsed, put
from triage import documents
from triage.conditions import EVERYTHING, All, Any, Match, Not, Present, Text, Within, Written
from triage.models import Event, EventChunk
from triage.searching import results, walk
from triage.searching.plan import plan
from triage.searching.walk import UNLIMITED, Budget, Progress

pytestmark = pytest.mark.django_db
HOSTILE = "'; DROP TABLE triage_event; -- %s \\ \" <b> \u202e müller 100%"


@pytest.fixture
def corpus(monkeypatch):
    """Four batches of two sources: 40 events in chunks of 8, one batch as it was written before filters were kept."""
    monkeypatch.setattr(documents, "CHUNK_EVENTS", 8)
    monkeypatch.setattr("triage.searching.gates.CHUNK_EVENTS", 8)
    monkeypatch.setattr("triage.searching.walk.CHUNK_EVENTS", 8)
    monkeypatch.setattr(walk, "_FIRST_PAGE", 2)
    monkeypatch.setattr(walk, "_PAGE", 3)
    edge, far = make_source("Edge"), make_source("far")
    users = ("root", "Admin", "svc-backup", HOSTILE, "")
    made = []
    for number in range(40):
        fields = {
            "user.name": users[number % 5] or None,
            "host.name": f"web-{number % 3}.corp.example",
            "source.ip": f"10.0.0.{number}",
            "event.code": str(4620 + number % 7),
            "source.port": 1000 + number,
            "url.path": f"/a b/{number}.EXE",
            "tags": ["Red", f"t{number % 4}"],
            "network.internal": number % 2 == 0,
            "zeek.duration": number / 4,
        }
        message = f"Failed password for {users[number % 5]} from 10.0.0.{number} port {1000 + number} ssh2"
        event = parsed(number, message=message)
        event.fields.update({name: value for name, value in fields.items() if value is not None})
        made.append(event)
    put(edge, made[:3], filtered=False)
    put(far, made[3:20], flagged=(2, 11))
    put(edge, made[20:33], flagged=(0,))
    put(far, made[33:])


def naive(condition):
    names = results.source_names()
    events = list(Event.objects.order_by("-pk"))
    documents.prefetch(events)
    asked = plan(condition, names)
    return [event.pk for event in events if condition.holds(results._subject(asked, event))]


AT = NOON + dt.timedelta(seconds=10)
CONDITIONS = {
    "everything": EVERYTHING,
    "column": Match("user.name", "ROOT"),
    "column, hostile": Match("user.name", HOSTILE),
    "column begins": Match("host.name", "WEB-1", open_end=True),
    "column ends": Match("host.name", "0.corp.example", open_start=True),
    "column holds": Match("user.name", "%", True, True),
    "column, nothing such": Match("user.name", "nobody"),
    "no user": Not(Present("user.name")),
    "source": Match("source", "edge"),
    "source begins": Match("source", "f", open_end=True),
    "no such source": Match("source", "elsewhere"),
    "parser": Match("parser", "SYSLOG"),
    "entity": Match("entity", "user:root"),
    "entity of hosts": Match("entity", "host:", open_end=True),
    "flagged": Match("flagged", "true"),
    "not flagged": Not(Match("flagged", "true")),
    "nonsense flag": Match("flagged", "maybe"),
    "since": Within("timestamp", low=AT),
    "before": Within("timestamp", high=AT, high_included=False),
    "received": Within("received", low=NOON, high=NOON),
    "received later": Within("received", low=AT),
    "score": Within("score", low=3.0, low_included=False),
    "p": Within("p", high=0.2),
    "number in a document": Within("source.port", low=1010.0, high=1020.0),
    "number in a column of text": Within("event.code", low=4624.0),
    "document": Match("url.path", "/A B/7.exe"),
    "document begins": Match("url.path", "/a b/1", open_end=True),
    "document, number": Match("source.port", "1007"),
    "document, float": Match("zeek.duration", "2.5"),
    "document, whole float": Match("zeek.duration", "2.0"),
    "document, truth": Match("network.internal", "true"),
    "list": Match("tags", "t3"),
    "present": Present("zeek.duration"),
    "absent": Not(Present("no.such")),
    "text": Text("failed PASSWORD"),
    "text, address": Text("10.0.0.7"),
    "text, part of a word": Text("asswor"),
    "text, open": Text("asswor", True, True),
    "text, begins": Text("svc-b", open_end=True),
    "text, sign": Text("%"),
    "text, number": Text("1007"),
    "text, hostile": Text(HOSTILE),
    "text, letter beyond ASCII": Text("müller"),
    "written": Written("Failed password for Admin"),
    "written, a field's name": Written("zeek.dur"),
    "written, capitals": Written("FAILED"),
    "both": All((Match("user.name", "root"), Text("ssh2"), Within("timestamp", low=AT))),
    "either": Any((Match("user.name", "root"), Match("url.path", "/a b/7.EXE"))),
    "either of two columns": Any((Match("source.ip", "10.0.0.7"), Match("destination.ip", "10.0.0.7"))),
    "neither": Not(Any((Match("user.name", "root"), Text("port 1007")))),
    "not in the document": All((Match("user.name", "root"), Not(Match("tags", "t0")))),
    "mixed": All((Any((Match("flagged", "true"), Text("10.0.0.9"))), Not(Match("source", "edge")))),
    "never": All((Match("flagged", "true"), Not(Match("flagged", "true")))),
}  # fmt: skip


def test_a_search_finds_what_asking_every_event_finds(corpus):
    for name, condition in CONDITIONS.items():
        found = results.search(condition, limit=100, budget=UNLIMITED)
        assert ids(found.events) == naive(condition), name
        assert (found.next, found.progress.done) == (None, True)
        covered = found.progress.covered()
        assert (covered.events, covered.back_to, covered.about) == (45, NOON, True)  # the old chunk tells no number


def pages(condition, *, limit, budget):
    """Follow a search to its end; return the ids, how many answers it took, and how many events were looked at."""
    got, before, turns, looked = [], None, 0, 0
    while turns < 60:
        found = results.search(condition, limit=limit, before=before, budget=budget)
        assert len(found.events) <= limit
        turns, before, got = turns + 1, found.next, got + ids(found.events)
        looked += found.progress.covered().events
        if before is None:
            return got, turns, looked
    raise AssertionError("the search goes on for ever")


def test_pages_join_to_the_whole_without_gap_or_repeat(corpus):
    for name in ("everything", "column", "text", "document", "flagged", "mixed", "not flagged"):
        got, turns, looked = pages(CONDITIONS[name], limit=2, budget=UNLIMITED)
        assert (got, looked) == (naive(CONDITIONS[name]), 45), name
        assert turns >= len(got) // 2


def test_a_small_budget_answers_early_and_goes_on_from_there(corpus):
    small = Budget(bodies=1, chunks=1, seconds=60)
    for name in ("everything", "column, nothing such", "text, part of a word", "number in a document"):
        got, turns, looked = pages(CONDITIONS[name], limit=5, budget=small)
        assert (got, looked) == (naive(CONDITIONS[name]), 45), name
        assert turns > 1 or not got


def test_a_value_that_is_nowhere_opens_no_chunk_that_has_a_filter(corpus, django_assert_num_queries):
    EventChunk.objects.filter(terms=None).delete()
    with django_assert_num_queries(7):  # the sources, and two for each page of 2, 3 and what is left of 6 chunks
        found = results.search(Text("zzz-nowhere"), limit=5, budget=UNLIMITED)
    assert (found.events, found.progress.bodies, found.progress.chunks, found.progress.done) == ([], 0, 0, True)
    assert found.progress.covered().events == 37


def test_flagged_events_are_taken_from_whoever_knows_their_numbers(corpus):
    flagged = sorted(Event.objects.filter(flagged=True).values_list("pk", flat=True), reverse=True)
    asked = []

    def numbers(before, limit):
        asked.append((before, limit))
        return [one for one in flagged if before is None or one < before][:limit]

    condition = CONDITIONS["flagged"]
    found = results.search(condition, limit=2, flagged=numbers)
    assert ids(found.events) == flagged[:2]
    assert found.next == flagged[1]
    rest = results.search(condition, limit=2, before=found.next, flagged=numbers)
    assert (ids(rest.events), rest.next) == (flagged[2:], None)
    both = All((condition, Text("10.0.0.14")))
    assert ids(results.search(both, limit=5, flagged=numbers).events) == naive(both)
    assert {limit for _, limit in asked} == {200}


def test_most_frequent_values_are_counted_over_what_was_found(corpus):
    asked = plan(EVERYTHING, results.source_names())
    for name, field in product(("everything", "column begins", "text"), ("user.name", "tags", "source", "flagged")):
        counts = results.most_frequent(CONDITIONS[name], field, Progress(None, UNLIMITED))
        events = Event.objects.filter(pk__in=naive(CONDITIONS[name]))
        values = [value for event in events for value in results._subject(asked, event).values(field)]
        assert counts == Counter(map(results.text_of, values)), (name, field)


def test_a_chunk_that_is_damaged_hides_its_own_events_only(corpus, caplog):
    damaged = EventChunk.objects.order_by("-pk").first()
    EventChunk.objects.filter(pk=damaged.pk).update(body=b"not zstd")
    found = results.search(Text("ssh2"), limit=100, budget=UNLIMITED)
    assert len(found.events) == 40 - damaged.events
    assert "cannot be read" in caplog.text


def test_a_filter_of_another_version_is_not_believed(corpus):
    for chunk in EventChunk.objects.exclude(terms=None):
        EventChunk.objects.filter(pk=chunk.pk).update(terms=b"\x07" + bytes(8))
    assert ids(results.search(Text("10.0.0.7"), limit=9).events) == naive(Text("10.0.0.7"))

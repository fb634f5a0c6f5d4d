"""Documents beside the rows: each event finds its own, texts are found newest first, old rows are moved over."""

import datetime as dt

import orjson
import pytest
import zstandard
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.documents import write_document, write_line
from tests.factories import make_batch, make_source
from triage import documents, partitions, pipeline, sliding, store, terms
from triage.conditions import Written
from triage.contracts import NO_SCORE, ParsedEvent, StoredBatch
from triage.documents import Document
from triage.models import Event, EventChunk, RawBatch, event_id
from triage.searching import results, walk

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def events(*messages):
    return [ParsedEvent(0.0, "event", "syslog", message, {"user.name": f"u{n}"}) for n, message in enumerate(messages)]


def chunk(batch_id, *messages):
    partitions.ensure(["2026-05-04"])
    documents.insert(list(documents.chunk_rows(batch_id, "2026-05-04 12:00:00", events(*messages))))


@pytest.mark.django_db
def test_every_event_finds_its_own_document_across_chunks():
    count = documents.CHUNK_EVENTS + 3
    chunk(7, *(f"m{n}" for n in range(count)))
    assert list(EventChunk.objects.order_by("id").values_list("id", flat=True)) == [
        event_id(7, 0), event_id(7, documents.CHUNK_EVENTS),
    ]  # fmt: skip
    wanted = [event_id(7, n) for n in (0, 511, 512, count - 1)]
    assert documents.load(wanted) == {
        identifier: Document(f"m{n}", {"user.name": f"u{n}"})
        for identifier, n in zip(wanted, (0, 511, 512, count - 1), strict=True)
    }


@pytest.mark.django_db
def test_an_event_without_a_document_is_left_out():
    chunk(7, "one")
    assert documents.load([event_id(7, 1), event_id(8, 0)]) == {}
    assert documents.fields_of(Event(pk=event_id(8, 0))) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("line", [b"", b"{not json", b'["m"]', b'[1,{"a":1}]', b'["m",[1]]', b"7"])
def test_a_line_that_is_no_document_is_an_empty_one_and_its_neighbour_is_whole(line):
    write_document(event_id(7, 0), "whole", {"a": 1}, NOON)
    write_line(event_id(7, 1), line, NOON)
    assert documents.load([event_id(7, 0), event_id(7, 1)]) == {
        event_id(7, 0): Document("whole", {"a": 1}),
        event_id(7, 1): Document(),
    }


@pytest.mark.django_db
def test_a_damaged_chunk_is_told_and_the_others_are_read(caplog):
    chunk(7, "one")
    chunk(8, "two")
    EventChunk.objects.filter(pk=event_id(7, 0)).update(body=b"not zstd")
    assert documents.load([event_id(7, 0), event_id(8, 0)]) == {
        event_id(7, 0): Document(),
        event_id(8, 0): Document("two", {"user.name": "u0"}),
    }
    assert caplog.messages == [
        f"chunk {event_id(7, 0)} cannot be read: error determining content size from frame header"
    ]


@pytest.mark.django_db
def test_a_text_is_found_newest_first_in_messages_and_fields():
    for batch_id in (1, 2, 3, 4, 5):
        item = pipeline.ReadBatch(
            StoredBatch(batch_id, 1, "lines", {}, NOON.timestamp(), b"", 2), events(f'say "hi" {batch_id}', "nothing")
        )
        partitions.ensure(["2026-05-04"])
        store.insert_events(list(pipeline.event_rows(item, [NO_SCORE] * 2, None, sliding.numbers_of([None, None]))))
        documents.insert(list(pipeline.document_chunks(item)))

    def find(text, before=None):
        found = results.search(Written(text), limit=100, before=before, budget=walk.UNLIMITED)
        return [event.pk for event in found.events]

    assert find('"hi"') == [event_id(batch_id, 0) for batch_id in (5, 4, 3, 2, 1)]
    assert find("user.name") == [event_id(batch_id, n) for batch_id in (5, 4, 3, 2, 1) for n in (1, 0)]
    older = find("user.name", before=event_id(4, 1))
    assert older == [event_id(4, 0), *(event_id(batch_id, n) for batch_id in (3, 2, 1) for n in (1, 0))]
    assert find("no such text") == []


def rows_of(*parsed_events, source_id=3):
    return list(documents.chunk_rows(7, "2026-05-04 12:00:00", parsed_events, source_id))


@pytest.mark.django_db
def test_a_chunk_tells_how_many_events_it_holds_their_times_and_what_may_be_in_it():
    spread = [
        ParsedEvent(NOON.timestamp() + place, "event", "syslog", f"line {place}", {"user.name": f"u{place}"})
        for place in (5.25, -3, 0)
    ]
    partitions.ensure(["2026-05-04"])
    documents.insert(rows_of(*spread))
    chunk = EventChunk.objects.get()
    assert (chunk.events, chunk.first_at, chunk.last_at) == (
        3, NOON - dt.timedelta(seconds=3), NOON + dt.timedelta(seconds=5.25),
    )  # fmt: skip
    held = [terms.words("line 5.25"), terms.exactly("user.name", "U-3"), terms.exactly("source", 3)]
    held.append(terms.exactly("parser", "syslog"))
    assert all(terms.may_hold(chunk.terms, asked) for asked in held)
    assert not terms.may_hold(chunk.terms, terms.exactly("source", 4))
    assert not terms.may_hold(chunk.terms, terms.words("elsewhere"))


def test_the_same_batch_gives_the_same_chunk_every_time():
    made = [ParsedEvent(float(n), "event", "syslog", f"m{n}", {"n": n, "tags": ["a", f"t{n}"]}) for n in range(600)]
    assert rows_of(*made) == rows_of(*made)
    assert [row[2] for row in rows_of(*made)] == [512, 88]


def test_what_gets_no_filter_is_stored_all_the_same(monkeypatch, caplog):
    def refuse(*_):
        raise ValueError("a line is too long")

    monkeypatch.setattr(terms, "build", refuse)
    [row] = rows_of(*events("one", "two"))
    assert (row[2], row[5]) == (2, None)
    assert zstandard.ZstdDecompressor().decompress(row[6]).count(b"\n") == 1
    assert caplog.messages == ["a chunk gets no filter and will be read by every search: a line is too long"]


@pytest.mark.django_db
def test_the_row_holds_the_beginning_and_the_chunk_the_whole_message():
    message = "x" * 1_000
    item = pipeline.ReadBatch(
        next(store.stored_batches(RawBatch.objects.filter(pk=make_batch(make_source(), message).pk))), events(message)
    )
    [row] = pipeline.event_rows(item, [NO_SCORE], None, sliding.numbers_of([None]))
    [(identifier, *_, body)] = pipeline.document_chunks(item)
    assert row[store.EVENT_COLUMNS.index("message")] == message[: pipeline.MESSAGE_WIDTH]
    assert orjson.loads(zstandard.ZstdDecompressor().decompress(body)) == [message, {"user.name": "u0"}]
    assert identifier == row[0]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_documents_of_an_older_winnow_are_moved_into_chunks():
    before = [("triage", "0002_intake")]
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    executor.migrate(before)
    old = executor.loader.project_state(before).apps
    source = old.get_model("triage", "Source").objects.create(name="edge", token_hash="h")
    usual = {"source": source, "received_at": NOON, "timestamp": NOON, "timestamp_origin": "event", "parser": "syslog"}
    rows = {event_id(1, 0): '{"a":1}', event_id(1, 600): '{"b":[2]}', event_id(2, 0): "broken"}
    old.get_model("triage", "Event").objects.bulk_create(
        old.get_model("triage", "Event")(id=identifier, message=f"m{identifier}", document=text, **usual)
        for identifier, text in rows.items()
    )
    MigrationExecutor(connection).migrate(newest)
    assert documents.load(rows) == {
        event_id(1, 0): Document(f"m{event_id(1, 0)}", {"a": 1}),
        event_id(1, 600): Document(f"m{event_id(1, 600)}", {"b": [2]}),
        event_id(2, 0): Document(f"m{event_id(2, 0)}", {}),
    }

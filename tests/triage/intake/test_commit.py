"""Group commit: every body exactly once, no reply before its commit, a failure is everyone's to know."""

import asyncio
import threading

import pytest
from django.db import IntegrityError

from triage import reading, receivers
from triage.intake import commit, database, repeats
from triage.intake.commit import BusyError, GroupCommit, Piece, Receipt, Submission, join
from triage.models import RawBatch, Source

EVENT = "/services/collector/event"


def submission(body=b"a", **changes):
    values = {"source_id": 1, "receiver": "lines", "parameters": (), "body": body, "record_count": 1}
    return Submission(**(values | changes))


def shapes(submissions):
    return [(batch.body(), batch.record_count, batch.body_bytes) for batch in join(submissions)]


def test_bodies_of_one_kind_are_joined_by_a_newline():
    assert shapes([submission(b"a"), submission(b"bc", record_count=2)]) == [(b"a\nbc", 3, 4)]


@pytest.mark.parametrize(
    "change",
    [
        {"source_id": 2},
        {"receiver": "syslog"},
        {"parameters": (("host", "h"),)},
        {"idempotency_key": "k"},
        {"joinable": False},
    ],
)
def test_what_differs_stays_apart(change):
    found = shapes([submission(b"a"), submission(b"b", **change), submission(b"c")])
    assert found == [(b"a\nc", 2, 3), (b"b", 1, 1)]


def test_joined_bodies_are_capped():
    half = b"x" * (commit.MAX_JOINED_BYTES // 2)
    assert [len(batch.bodies) for batch in join([submission(half)] * 3)] == [1, 1, 1]
    many = submission(record_count=commit.MAX_JOINED_RECORDS // 2)
    assert [batch.record_count for batch in join([many] * 3)] == [20_000, 10_000]


class Store:
    """A store that can be held, and told to fail."""

    def __init__(self):
        self.groups, self.error = [], None
        self.entered, self.open = threading.Event(), threading.Event()
        self.open.set()

    def __call__(self, submissions):
        self.entered.set()
        assert self.open.wait(10)
        if self.error:
            raise self.error
        self.groups.append([batch.body() for batch in join(submissions)])
        return [Receipt()] * len(submissions)

    def bodies(self):
        return sorted(body for group in self.groups for joined in group for body in joined.split(b"\n"))


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def group_commit(store):
    running = GroupCommit(store, on_commit=lambda: None, idle=lambda: None, on_close=lambda: None)
    yield running
    store.open.set()
    running.close()


def test_no_reply_before_the_commit_and_what_waits_is_one_group(store, group_commit):
    async def scenario():
        store.open.clear()
        first = asyncio.create_task(group_commit.submit(submission(b"0")))
        await asyncio.to_thread(store.entered.wait, 10)
        rest = [asyncio.create_task(group_commit.submit(submission(b"%d" % n))) for n in range(1, 5)]
        await asyncio.sleep(0.05)
        assert not first.done()
        assert not any(task.done() for task in rest)
        store.open.set()
        await asyncio.gather(first, *rest)

    asyncio.run(scenario())
    assert store.groups == [[b"0"], [b"1\n2\n3\n4"]]


def test_a_full_queue_is_busy(store, group_commit, monkeypatch):
    monkeypatch.setattr(commit, "MAX_WAITING", 4)  # one source may hold half

    async def scenario():
        store.open.clear()
        waiting = [asyncio.create_task(group_commit.submit(submission())) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await group_commit.submit(submission(b"third"))
        store.open.set()
        await asyncio.gather(*waiting)
        await group_commit.submit(submission(b"later"))

    asyncio.run(scenario())
    assert store.bodies() == [b"a", b"a", b"later"]


def test_a_store_that_is_down_refuses_the_group_at_once(store, group_commit):
    store.error = BusyError("down")

    async def scenario():
        tasks = [group_commit.submit(submission(b"%d" % n)) for n in range(3)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(scenario())
    assert [type(answer) for answer in answers] == [BusyError] * 3
    assert store.groups == []


def test_one_bad_body_does_not_refuse_its_neighbours():
    stored = []

    def picky(submissions):
        if any(b"bad" in submission.body for submission in submissions):
            raise IntegrityError("bad")
        stored.extend(submission.body for submission in submissions)
        return [Receipt()] * len(submissions)

    running = GroupCommit(picky, on_commit=lambda: None, idle=lambda: None, on_close=lambda: None)

    async def scenario():
        tasks = [running.submit(submission(body)) for body in (b"one", b"bad", b"two")]
        return await asyncio.gather(*tasks, return_exceptions=True)

    try:
        answers = asyncio.run(scenario())
    finally:
        running.close()
    assert [isinstance(answer, BusyError) for answer in answers] == [False, True, False]
    assert sorted(b"\n".join(stored).split(b"\n")) == [b"one", b"two"]


def test_closing_commits_what_waits(store, group_commit):
    async def scenario():
        store.open.clear()
        tasks = [asyncio.create_task(group_commit.submit(submission(b"%d" % n))) for n in range(3)]
        await asyncio.to_thread(store.entered.wait, 10)
        closing = asyncio.create_task(asyncio.to_thread(group_commit.close))
        store.open.set()
        await asyncio.gather(closing, *tasks)

    asyncio.run(scenario())
    assert store.bodies() == [b"0", b"1", b"2"]


def test_64_concurrent_requests_become_few_batches_with_every_record_once(intake):
    bodies = [b'{"event":"%d a"}{"event":"%d b"}' % (n, n) for n in range(64)]
    answers = intake.post_all([(EVENT, body) for body in bodies])
    assert {answer.status for answer in answers} == {200}
    contents = []
    for batch in RawBatch.objects.all():
        records = receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters)
        assert len(records) == batch.record_count
        contents += [record.content for record in records]
    assert sorted(contents) == sorted(f"{n} {letter}" for n in range(64) for letter in "ab")
    assert RawBatch.objects.count() < 32


@pytest.mark.django_db(transaction=True)
def test_one_key_twice_in_a_group_is_stored_once():
    source = Source.objects.create(name="edge", token_hash="h")
    twice = [submission(b"x", source_id=source.pk, idempotency_key="k") for _ in range(2)]
    database.insert([*twice, submission(b"y", source_id=source.pk)])
    database.insert([twice[0], submission(b"z", source_id=source.pk)])
    stored = sorted(reading.inflate(bytes(body)) for body in RawBatch.objects.values_list("body", flat=True))
    assert stored == [b"x", b"y", b"z"]


@pytest.mark.django_db(transaction=True)
def test_losing_the_race_for_a_key_is_a_success_that_stores_nothing(monkeypatch):
    source = Source.objects.create(name="edge", token_hash="h")
    submissions = [submission(b"x", source_id=source.pk, idempotency_key="k")]
    looked = []
    really = repeats._used_bodies

    def another_process_is_faster(asked):
        looked.append(1)
        if len(looked) == 1:
            RawBatch.objects.bulk_create([database._row(join(submissions)[0])])
            return set()
        return really(asked)

    # the rival's row goes away with this transaction; the second look-up then finds nothing and inserts
    monkeypatch.setattr(repeats, "_used_bodies", another_process_is_faster)
    assert database.insert(submissions) == [Receipt()]
    assert (len(looked), RawBatch.objects.count()) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_a_piece_with_a_key_is_stored_once_in_a_group_and_later():
    source, other = (Source.objects.create(name=name, token_hash=name) for name in "ab")
    a, b, c, free = Piece("a", b"A"), Piece("b", b"B"), Piece("c", b"C"), Piece(None, b"free")

    def sent(*pieces, source_id=source.pk):
        body = b"\n".join(piece.body for piece in pieces)
        return submission(body, source_id=source_id, pieces=pieces, record_count=len(pieces))

    receipts = database.insert([sent(a, b, a), sent(b), sent(a, source_id=other.pk)])
    assert [sorted(receipt.duplicates) for receipt in receipts] == [[2], [0], []]
    receipts = database.insert([sent(free, a, c), sent(free)])
    assert [sorted(receipt.duplicates) for receipt in receipts] == [[1], []]
    stored = [(reading.inflate(bytes(row.body)), row.record_count) for row in RawBatch.objects.order_by("id")]
    assert stored == [(b"A\nB", 2), (b"A", 1), (b"free\nC\nfree", 3)]


@pytest.mark.django_db(transaction=True)
def test_a_row_the_database_refuses_takes_its_group_with_it():
    source = Source.objects.create(name="edge", token_hash="h")
    with pytest.raises(IntegrityError):
        database.insert([submission(b"x", source_id=source.pk), submission(b"y", source_id=10**6)])
    assert RawBatch.objects.count() == 0


@pytest.fixture
def bell(monkeypatch):
    """A doorbell whose rings are counted; the state room lets every second one through."""
    rung, sent, turn = threading.Semaphore(0), [], [True, False]

    def may_send(name):
        assert name == "pipeline"
        turn.append(turn.pop(0))
        rung.release()
        return turn[-1]

    def wake():
        sent.append(1)
        raise ConnectionError("the broker is away")

    monkeypatch.setattr("triage.state.ring", may_send)
    doorbell = database.Doorbell(wake)
    yield doorbell, rung, sent
    doorbell.close()


def test_a_bell_that_was_rung_is_not_rung_again_and_a_broken_broker_is_survived(bell, caplog):
    doorbell, rung, sent = bell
    for _ in range(4):
        doorbell.ring()
        assert rung.acquire(timeout=10)
    doorbell.close()
    assert len(sent) == 2
    assert caplog.messages == ["cannot wake the pipeline: ConnectionError: the broker is away"] * 2

"""HEC acknowledgement: a number for each committed body, told once, whichever process is asked."""

import datetime as dt
import threading

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from triage import forgetting, tasks
from triage.authentication import hash_token
from triage.intake import acknowledgement, database
from triage.intake.commit import BusyError, GroupCommit, Receipt, Submission
from triage.intake.front import Front
from triage.models import Ack, AckChannel, RawBatch, Source

EVENT = "/services/collector/event"
RAW = "/services/collector/raw"
ACK = "/services/collector/ack"
CHANNEL = "11111111-2222-3333-4444-aaaaaaaaaaaa"
OTHER = "99999999-2222-3333-4444-aaaaaaaaaaaa"
BODY = b'{"event":"x"}'


@pytest.fixture
def acking(intake):
    """The same intake, with a source whose senders are acknowledged."""
    Source.objects.create(name="acking", token_hash=hash_token("acking-token"), use_ack=True)
    intake.token = "acking-token"
    return intake


def send(intake, channel=CHANNEL, path=EVENT, **headers):
    answer = intake.post(path, BODY, x_splunk_request_channel=channel, **headers)
    assert answer.status == 200, answer.body
    return answer.json


def ask(intake, numbers, channel=CHANNEL):
    answer = intake.post(f"{ACK}?channel={channel}", b'{"acks":%s}' % str(numbers).encode())
    assert (answer.status, answer.headers[b"content-type"]) == (200, b"application/json")
    return answer.json


def submission(source, channel=CHANNEL, body=b"x"):
    return Submission(source.pk, "hec_raw", (), body, 1, ack_channel=channel)


@pytest.mark.parametrize("path", ["/services/collector", EVENT, EVENT + "/1.0", RAW, RAW + "/1.0"])
def test_every_committed_body_of_a_channel_has_the_next_number(acking, path):
    assert [send(acking, path=path) for _ in range(3)] == [
        {"text": "Success", "code": 0, "ackId": number} for number in range(3)
    ]
    assert send(acking, OTHER, path=path)["ackId"] == 0
    assert RawBatch.objects.count() == 4


def test_a_number_is_told_once_and_then_forgotten(acking):
    for _ in range(3):
        send(acking)
    assert ask(acking, [0, 2, 7]) == {"acks": {"0": True, "2": True, "7": False}}
    assert ask(acking, [0, 1, 2]) == {"acks": {"0": False, "1": True, "2": False}}
    assert ask(acking, [0, 1, 2, 1]) == {"acks": {"0": False, "1": False, "2": False}}
    assert not Ack.objects.exists()
    assert send(acking)["ackId"] == 3


def test_channels_and_sources_are_apart(acking):
    send(acking)
    assert ask(acking, [0], OTHER) == {"acks": {"0": False}}
    Source.objects.create(name="second", token_hash=hash_token("second-token"), use_ack=True)
    acking.token = "second-token"
    assert ask(acking, [0]) == {"acks": {"0": False}}
    acking.token = "acking-token"
    assert ask(acking, [0]) == {"acks": {"0": True}}


def test_a_channel_has_one_spelling_in_header_and_query(acking):
    send(acking, CHANNEL.upper())
    assert acking.post(f"{EVENT}?channel={CHANNEL}", BODY).json["ackId"] == 1
    assert ask(acking, [0, 1], CHANNEL.upper()) == {"acks": {"0": True, "1": True}}
    assert AckChannel.objects.get().channel == CHANNEL


def test_numbers_survive_a_restart_of_the_web_process(acking):
    send(acking)
    acking.close()
    acking.commit = GroupCommit(
        acking._store, on_commit=acking._ring, idle=lambda: None, on_close=database.close_connection
    )
    acking.front = Front(commit=acking.commit, backlog=acking.backlog)
    assert ask(acking, [0]) == {"acks": {"0": True}}
    assert send(acking)["ackId"] == 1


def test_a_repeat_with_the_same_key_is_acknowledged_and_not_stored(acking):
    first, second = (send(acking, idempotency_key="k") for _ in range(2))
    assert (first["ackId"], second["ackId"]) == (0, 1)
    assert RawBatch.objects.count() == 1
    assert ask(acking, [0, 1]) == {"acks": {"0": True, "1": True}}


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        (EVENT, 400, {"text": "Data channel is missing", "code": 10}),
        (RAW, 400, {"text": "Data channel is missing", "code": 10}),
        (ACK, 400, {"text": "Data channel is missing", "code": 10}),
        (EVENT + "?channel=", 400, {"text": "Data channel is missing", "code": 10}),
        (EVENT + "?channel=c", 400, {"text": "Invalid data channel", "code": 11}),
        (EVENT + "?channel=" + CHANNEL.replace("-", ""), 400, {"text": "Invalid data channel", "code": 11}),
        (EVENT + "?channel=" + CHANNEL + "%0a", 400, {"text": "Invalid data channel", "code": 11}),
        (RAW + "?channel=" + "g" + CHANNEL[1:], 400, {"text": "Invalid data channel", "code": 11}),
        (ACK + "?channel=c", 400, {"text": "Invalid data channel", "code": 11}),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_without_a_good_channel_the_body_is_not_even_read(acking, path, status, expected):
    answer = acking.send("POST", path, [BODY], {"authorization": "Splunk acking-token"})
    assert (answer.status, answer.json) == (status, expected)
    assert acking.body_reads == 0
    assert not AckChannel.objects.exists()


def test_without_acknowledgement_a_channel_means_nothing(intake):
    for channel in (CHANNEL, "c", ""):
        assert intake.post(EVENT, BODY, x_splunk_request_channel=channel).json == {"text": "Success", "code": 0}
    assert not AckChannel.objects.exists()
    assert intake.post(f"{ACK}?channel={CHANNEL}", b'{"acks":[0]}').json == {"text": "ACK is disabled", "code": 14}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {"text": "No data", "code": 5}),
        (b" \n", {"text": "No data", "code": 5}),
        (b"{", {"text": "Invalid data format", "code": 6}),
        (b"[0]", {"text": "Invalid data format", "code": 6}),
        (b"{}", {"text": "Invalid data format", "code": 6}),
        (b'{"acks":0}', {"text": "Invalid data format", "code": 6}),
        (b'{"acks":[true]}', {"text": "Invalid data format", "code": 6}),
        (b'{"acks":["0"]}', {"text": "Invalid data format", "code": 6}),
        (b'{"acks":[-1]}', {"text": "Invalid data format", "code": 6}),
        (b'{"acks":[0.5]}', {"text": "Invalid data format", "code": 6}),
        (b'{"acks":[0]}{"acks":[0]}', {"text": "Invalid data format", "code": 6}),
    ],
)
def test_a_question_that_is_none_is_refused_and_forgets_nothing(acking, body, expected):
    send(acking)
    answer = acking.post(f"{ACK}?channel={CHANNEL}", body)
    assert (answer.status, answer.json) == (400, expected)
    assert ask(acking, [0]) == {"acks": {"0": True}}


def test_odd_questions_have_answers(acking, monkeypatch):
    send(acking)
    assert ask(acking, []) == {"acks": {}}
    assert ask(acking, [2**63, 2**64 - 1]) == {"acks": {str(2**63): False, str(2**64 - 1): False}}
    monkeypatch.setattr("triage.intake.hec.MAX_ASKED", 2)
    assert acking.post(f"{ACK}?channel={CHANNEL}", b'{"acks":[1,2,3]}').status == 413
    assert ask(acking, [0, 1]) == {"acks": {"0": True, "1": False}}


def test_a_body_that_is_refused_takes_no_number(acking):
    assert acking.post(f"{EVENT}?channel={CHANNEL}", b'{"event":').status == 400
    assert send(acking)["ackId"] == 0


def test_a_rollback_takes_the_numbers_with_it(acking, monkeypatch):
    def broken(submissions):
        raise OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr("triage.intake.repeats.leave_out", broken)
        answer = acking.post(f"{EVENT}?channel={CHANNEL}", BODY)
    assert (answer.status, answer.json["code"]) == (503, 9)
    assert not RawBatch.objects.exists()
    assert not AckChannel.objects.exists()
    assert not Ack.objects.exists()
    assert send(acking)["ackId"] == 0


def test_the_database_that_cannot_be_asked_is_busy(acking, monkeypatch):
    send(acking)

    def broken(source_id, channel, numbers):
        raise OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr("triage.intake.acknowledgement.told", broken)
        answer = acking.post(f"{ACK}?channel={CHANNEL}", b'{"acks":[0]}')
    assert (answer.status, answer.json) == (503, {"text": "Server is busy", "code": 9})
    assert ask(acking, [0]) == {"acks": {"0": True}}


def test_many_bodies_of_a_channel_in_a_group_are_counted_once(acking):
    source = Source.objects.get(name="acking")
    group = [submission(source), submission(source, OTHER), submission(source, ""), *[submission(source)] * 20]
    numbers = [receipt.ack_id for receipt in database.insert(group)]
    assert numbers == [0, 0, None, *range(1, 21)]
    with CaptureQueriesContext(connection) as asked:
        numbers = [receipt.ack_id for receipt in database.insert(group)]
    assert len([query for query in asked if query["sql"].startswith('UPDATE "triage_ackchannel"')]) == 1
    assert len(asked) <= 10
    assert numbers == [21, 1, None, *range(22, 42)]


def test_writers_at_once_never_give_a_number_twice(acking):
    source = Source.objects.get(name="acking")
    given, lock = [], threading.Lock()

    def write():
        try:
            for _ in range(10):
                receipts = database.insert([submission(source), submission(source, OTHER)])
                with lock:
                    given.extend((position, receipt.ack_id) for position, receipt in enumerate(receipts))
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(given) == [(position, number) for position in (0, 1) for number in range(40)]
    assert Ack.objects.count() == 80


def test_a_channel_too_many_is_refused_alone_and_nothing_of_it_stored(acking, monkeypatch):
    monkeypatch.setattr(acknowledgement, "MAX_CHANNELS", 1)
    source = Source.objects.get(name="acking")
    answers = database.insert(
        [submission(source, body=b"a"), submission(source, OTHER, body=b"b"), submission(source, "", body=b"c")]
    )
    assert [type(answer) for answer in answers] == [Receipt, BusyError, Receipt]
    assert answers[0].ack_id == 0
    assert sum(RawBatch.objects.values_list("record_count", flat=True)) == 2
    answer = acking.post(f"{EVENT}?channel={OTHER}", BODY)
    assert (answer.status, answer.json) == (503, {"text": "Server is busy", "code": 9})
    assert answer.headers[b"retry-after"] == b"5"
    assert send(acking)["ackId"] == 1


def test_of_a_sender_that_never_asks_the_oldest_numbers_are_forgotten(acking, monkeypatch):
    monkeypatch.setattr(acknowledgement, "MAX_PENDING", 5)
    monkeypatch.setattr(acknowledgement, "TRIM_EVERY", 10)
    for _ in range(12):
        send(acking)
    assert list(Ack.objects.order_by("number").values_list("number", flat=True)) == list(range(5, 12))
    assert ask(acking, [4, 5]) == {"acks": {"4": False, "5": True}}


def test_idle_channels_are_dropped_by_the_sweep(acking, monkeypatch):
    send(acking)
    send(acking, OTHER)
    AckChannel.objects.filter(channel=CHANNEL).update(used_at=timezone.now() - dt.timedelta(seconds=601))
    monkeypatch.setattr(tasks, "send", lambda *_: None)
    monkeypatch.setattr(tasks.current_app, "send_task", lambda *_, **__: None)
    tasks.sweep()
    assert list(AckChannel.objects.values_list("channel", flat=True)) == [OTHER]
    assert Ack.objects.get().channel.channel == OTHER
    assert ask(acking, [0]) == {"acks": {"0": False}}
    assert send(acking)["ackId"] == 0


def test_asking_keeps_a_channel_in_use(acking):
    send(acking)
    long_ago = timezone.now() - dt.timedelta(days=1)
    AckChannel.objects.update(used_at=long_ago)
    ask(acking, [5])
    assert forgetting.drop_idle_channels(timezone.now()) == 0
    AckChannel.objects.update(used_at=long_ago)
    send(acking)
    assert forgetting.drop_idle_channels(timezone.now()) == 0
    assert ask(acking, [0, 1]) == {"acks": {"0": True, "1": True}}


def test_a_channel_dropped_before_it_was_locked_is_made_again(acking, monkeypatch):
    source, dropped = Source.objects.get(name="acking"), []
    making = acknowledgement._make

    def dropping(names):
        made = making(names)
        if not dropped:
            dropped.append(AckChannel.objects.all().delete())
        return made

    monkeypatch.setattr(acknowledgement, "_make", dropping)
    assert [receipt.ack_id for receipt in database.insert([submission(source)])] == [0]
    assert len(dropped) == 1
    assert AckChannel.objects.count() == 1

"""Pub/Sub pushes: stored once, whether wrapped or bare, and refused in the form of the intake."""

import base64
import gzip

import orjson
import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from triage import reading, receivers
from triage.contracts import Envelope, Record
from triage.models import RawBatch, RecordKey

PATH = "/api/v1/ingest/pubsub"
NAME = "projects/p/subscriptions/s"
BARE = {
    "x_goog_pubsub_subscription_name": NAME,
    "x_goog_pubsub_message_id": "7",
    "x_goog_pubsub_publish_time": "2026-01-01T00:00:00Z",
    "user_agent": "CloudPubSub-Google",
    "x_forwarded_for": "203.0.113.9",
    "x_proxy_auth_token": "hidden",
    "severity": "high",
}


def push(data, message_id="7", subscription=NAME, **attributes):
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": attributes,
        "messageId": message_id,
        "publishTime": "2026-01-01T00:00:00Z",
    }
    return orjson.dumps({"message": message, "subscription": subscription})


def stored():
    found = []
    for batch in RawBatch.objects.order_by("id"):
        records = receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters)
        assert len(records) == batch.record_count
        found += records
    return found


def test_a_wrapped_push_is_stored_as_it_came(intake):
    body = push(b'{"textPayload":"x"}', team="pay")
    answer = intake.post(PATH, body)
    assert (answer.status, answer.body) == (204, b"")
    assert b"content-length" not in answer.headers
    envelope = Envelope(time=1767225600.0, source=NAME, fields={"team": "pay"})
    assert stored() == [Record({"textPayload": "x"}, envelope)]
    assert reading.inflate(bytes(RawBatch.objects.get().body)) == body


def test_a_bare_push_is_the_body_with_its_headers(intake):
    assert intake.post(PATH, b"plain \xff text", **BARE).status == 204
    assert stored() == [
        Record("plain \ufffd text", Envelope(time=1767225600.0, source=NAME, fields={"severity": "high"}))
    ]
    body = reading.inflate(bytes(RawBatch.objects.get().body))
    assert intake.token.encode() not in body
    assert b"hidden" not in body


def test_a_message_that_comes_again_is_stored_once(intake):
    body = push(b"x")
    assert [intake.post(PATH, sent).status for sent in (body, body, body[:-1] + b',"deliveryAttempt":3}')] == [204] * 3
    assert len(stored()) == 1
    assert intake.post(PATH, b"x", **BARE).status == 204
    assert len(stored()) == 1


def test_other_messages_are_other_records(intake):
    for body in (
        push(b"x"),
        push(b"x", message_id="8"),
        push(b"x", subscription="projects/p/subscriptions/t"),
        push(b"y"),
    ):
        assert intake.post(PATH, body).status == 204
    assert len(stored()) == 4
    assert RecordKey.objects.count() == 4


def test_a_message_without_an_id_is_never_a_repeat(intake):
    for _ in range(2):
        assert intake.post(PATH, b'{"message":{"data":"eA=="}}').status == 204
    assert len(stored()) == 2
    assert not RecordKey.objects.exists()


def test_pushes_at_once_share_rows(intake):
    answers = intake.post_all([(PATH, push(b"%d" % number, message_id=str(number))) for number in range(30)])
    assert {answer.status for answer in answers} == {204}
    assert {record.content for record in stored()} == {str(number) for number in range(30)}
    assert RawBatch.objects.count() < 30


def test_compressed_messages_are_stored_inflated(intake):
    assert intake.post(PATH, push(gzip.compress(b"packed"))).status == 204
    assert [record.content for record in stored()] == ["packed"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "no_data"),
        (b"", BARE, 400, "no_data"),
        (b"{", {}, 400, "invalid_format"),
        (b"text", {}, 400, "invalid_format"),
        (b"{}", {}, 400, "invalid_format"),
        (b'{"message":{"data":"%%%"},"subscription":"s"}', {}, 400, "invalid_format"),
        (push(b"x"), {"authorization": ""}, 401, "no_authorization"),
        (push(b"x"), {"authorization": "Bearer wrong"}, 403, "unknown_sender"),
        (push(b"x"), {"content_encoding": "br"}, 415, "encoding"),
        (push(gzip.compress(bytes(100_000))), {}, 413, "too_large"),
        (gzip.compress(bytes(100_000)), BARE, 413, "too_large"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_what_is_refused_stores_nothing(intake, settings, body, headers, status, code):
    settings.MAX_BODY_BYTES = 65_536
    answer = intake.post(PATH, body, **headers)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert not RecordKey.objects.exists()


@pytest.mark.usefixtures("nothing_stored")
def test_the_database_that_is_away_is_busy(intake):
    def broken(submissions):
        raise OperationalError("gone")

    intake.store = broken
    answer = intake.post(PATH, push(b"x"))
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"5")


@pytest.mark.parametrize("credentials", ["Basic {}", "Bearer {}"])
def test_the_usual_tokens(intake, credentials):
    token = (
        intake.token if credentials.startswith("Bearer") else base64.b64encode(f"x:{intake.token}".encode()).decode()
    )
    assert intake.post(PATH, push(b"x"), authorization=credentials.format(token)).status == 204


@given(body=st.binary(max_size=80) | st.binary(min_size=1, max_size=40).map(push), is_bare=st.booleans())
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_body_is_stored_whole_or_refused(intake, body, is_bare):
    RawBatch.objects.all().delete()
    RecordKey.objects.all().delete()
    answer = intake.post(PATH, body, **(BARE if is_bare else {}))
    assert answer.status in (204, 400)
    assert RawBatch.objects.exists() == (answer.status == 204)
    stored()

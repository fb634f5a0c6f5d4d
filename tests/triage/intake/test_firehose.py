"""Firehose deliveries: the request id always comes back, and a repeated delivery is stored once."""

import base64
import gzip

import orjson
import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from triage import reading, receivers
from triage.authentication import hash_token
from triage.intake.errors import RATE, Refusal
from triage.intake.firehose import FirehoseEndpoint
from triage.models import RawBatch, Source

PATH = "/api/v1/ingest/firehose"
ARN = "arn:aws:firehose:eu-central-1:111122223333:deliverystream/edge-logs"


def body_of(*records, request_id="r-1"):
    encoded = [{"data": base64.b64encode(record).decode()} for record in records]
    return orjson.dumps({"requestId": request_id, "timestamp": 1767225600000, "records": encoded})


def deliver(intake, body, request_id="r-1", **headers):
    head = {
        "x-amz-firehose-access-key": intake.token,
        "x-amz-firehose-protocol-version": "1.0",
        "x-amz-firehose-source-arn": ARN,
        "content-length": str(len(body)),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    if request_id is not None:
        head["x-amz-firehose-request-id"] = request_id
    return intake.send("POST", PATH, [body], head)


def stored():
    found = []
    for batch in RawBatch.objects.order_by("id"):
        records = receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters)
        assert len(records) == batch.record_count
        found += records
    return found


def check(answer, status, request_id="r-1"):
    assert answer.status == status, answer.body
    assert answer.headers[b"content-type"] == b"application/json"
    value = answer.json
    assert value.pop("requestId") == request_id
    stamp = value.pop("timestamp")
    assert isinstance(stamp, int)
    assert stamp > 1_700_000_000_000
    return value


def test_a_delivery_is_stored_and_its_id_comes_back(intake):
    answer = deliver(intake, body_of(b'{"a":1}', b"text one\ntext two", gzip.compress(b"packed")))
    assert check(answer, 200) == {}
    assert [record.content for record in stored()] == [{"a": 1}, "text one", "text two", "packed"]
    batch = RawBatch.objects.get()
    assert (batch.receiver, batch.idempotency_key) == ("firehose", "firehose:r-1")
    assert batch.parameters == {"source": "edge-logs"}


def test_common_attributes_and_the_query_are_on_every_record(intake):
    header = '{"commonAttributes":{"stage":"test"}}'
    body = body_of(b"x")
    head = {"x-amz-firehose-access-key": intake.token, "x-amz-firehose-common-attributes": header}
    answer = intake.send("POST", PATH + "?sourcetype=st&source=mine", [body], head)
    assert check(answer, 200) == {}
    (record,) = stored()
    assert (record.envelope.source, record.envelope.sourcetype) == ("mine", "st")
    assert record.envelope.fields == {"stage": "test"}


def test_a_gzip_request_with_gzip_inside(intake):
    assert check(deliver(intake, gzip.compress(body_of(gzip.compress(b"deep"))), content_encoding="gzip"), 200) == {}
    assert [record.content for record in stored()] == ["deep"]


def test_a_delivery_that_is_repeated_is_stored_once(intake):
    for _ in range(2):
        assert check(deliver(intake, body_of(b"x")), 200) == {}
    assert check(deliver(intake, body_of(b"x", request_id="r-2"), "r-2"), 200, "r-2") == {}
    assert RawBatch.objects.count() == 2


@pytest.mark.parametrize("request_id", ["x" * 3000, "schl\xfcssel", " spaced "])
def test_odd_ids_come_back_and_count(intake, request_id):
    for _ in range(2):
        assert check(deliver(intake, body_of(b"x", request_id="other"), request_id), 200, request_id.strip()) == {}
    assert RawBatch.objects.count() == 1


def test_without_the_header_the_id_of_the_body_counts(intake):
    for _ in range(2):
        assert check(deliver(intake, body_of(b"x"), None), 200) == {}
    assert RawBatch.objects.count() == 1


def test_without_any_id_nothing_is_taken_for_a_repeat(intake):
    for _ in range(2):
        assert check(deliver(intake, b'{"records":[{"data":"YQ=="}]}', None), 200, "") == {}
    assert RawBatch.objects.count() == 2


@pytest.mark.parametrize("body", [body_of(), body_of(b"", b" \n")])
@pytest.mark.usefixtures("nothing_stored")
def test_an_empty_delivery_is_delivered(intake, body):
    assert check(deliver(intake, body), 200) == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x_amz_firehose_access_key": ""}, 401),
        ({"x_amz_firehose_access_key": "wrong"}, 403),
        ({"x_amz_firehose_access_key": "off"}, 403),
        ({"x_amz_firehose_access_key": "", "authorization": "nonsense"}, 401),
        ({"x_amz_firehose_protocol_version": "2.0"}, 400),
        ({"content_encoding": "br"}, 415),
        ({"content_length": str(10 * 2**30)}, 413),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_what_the_head_is_refused_for_names_the_request(intake, headers, status):
    Source.objects.create(name="off", token_hash=hash_token("off"), enabled=False)
    answer = deliver(intake, body_of(b"x"), **headers)
    assert list(check(answer, status)) == ["errorMessage"]
    assert intake.body_reads == 0
    assert intake.token.encode() not in answer.body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"requestId":"r-1","records":[{"data":"%%%"}]}', 400),
        (b'{"requestId":"r-1","records":[{"data":"YQ=="},{"data":5}]}', 400),
        (b"[" * 60_000, 400),
        (body_of(gzip.compress(bytes(40_000)), gzip.compress(bytes(40_000))), 413),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_broken_body_stores_nothing_and_names_the_request(intake, settings, body, status):
    settings.MAX_BODY_BYTES = 65_536
    assert list(check(deliver(intake, body), status)) == ["errorMessage"]
    assert intake.rings == 0


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_wrong_method(intake, method):
    answer = intake.send(method, PATH, headers={"x-amz-firehose-request-id": "r-1"})
    assert list(check(answer, 405)) == ["errorMessage"]
    assert answer.headers[b"allow"] == b"POST"


@pytest.mark.usefixtures("nothing_stored")
def test_the_database_that_is_away_is_busy(intake):
    def broken(submissions):
        raise OperationalError("gone")

    intake.store = broken
    answer = deliver(intake, body_of(b"x"))
    assert list(check(answer, 503)) == ["errorMessage"]
    assert answer.headers[b"retry-after"] == b"5"


def test_a_source_over_its_limit_is_told_when_to_come_back():
    answer = FirehoseEndpoint().refused(Refusal(RATE, retry_after=17))
    assert (answer.status, dict(answer.headers)[b"retry-after"]) == (429, b"17")


@pytest.mark.usefixtures("nothing_stored")
def test_a_token_works_as_on_the_other_paths(intake):
    answer = intake.post(PATH, body_of(), x_amz_firehose_request_id="r-1")
    assert check(answer, 200) == {}


@given(body=st.binary(max_size=80) | st.lists(st.binary(max_size=30), max_size=3).map(lambda found: body_of(*found)))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_body_is_stored_whole_or_refused(intake, body):
    RawBatch.objects.all().delete()
    answer = deliver(intake, body)
    value = check(answer, answer.status)
    assert answer.status in (200, 400)
    assert (answer.status == 200) == (value == {})
    if answer.status == 400:
        assert not RawBatch.objects.exists()
    else:
        stored()

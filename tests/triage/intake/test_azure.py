"""Azure Logs Ingestion: an array or an error in Azure's form."""

import gzip

import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from triage import reading, receivers
from triage.contracts import Envelope, Record
from triage.intake import routes
from triage.intake.azure import AzureEndpoint
from triage.intake.errors import RATE, Refusal
from triage.models import RawBatch

BASE = "/dataCollectionRules/dcr-0123/streams/Custom-Table"
PATH = BASE + "?api-version=2023-01-01"


def stored():
    found = []
    for batch in RawBatch.objects.order_by("id"):
        records = receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters)
        assert len(records) == batch.record_count
        found += records
    return found


def test_an_array_is_committed_before_the_reply(intake):
    answer = intake.post(PATH, b'[{"TimeGenerated":"2026-01-01T00:00:00Z","RawData":"a"},{"RawData":"b"}]')
    assert (answer.status, answer.body) == (204, b"")
    assert b"content-length" not in answer.headers
    plain = Envelope(source="dcr-0123", sourcetype="Custom-Table")
    timed = Envelope(time=1767225600.0, source="dcr-0123", sourcetype="Custom-Table")
    assert stored() == [
        Record({"TimeGenerated": "2026-01-01T00:00:00Z", "RawData": "a"}, timed),
        Record({"RawData": "b"}, plain),
    ]


def test_the_query_beats_the_path(intake):
    assert intake.post(PATH + "&source=mine&host=h", b"[{}]").status == 204
    assert stored() == [Record({}, Envelope(host="h", source="mine", sourcetype="Custom-Table"))]


def test_gzip_and_an_idempotency_key(intake):
    for _ in range(2):
        answer = intake.post(PATH, gzip.compress(b'[{"a":1}]'), content_encoding="gzip", idempotency_key="k")
        assert answer.status == 204
    assert [record.content for record in stored()] == [{"a": 1}]


@pytest.mark.usefixtures("nothing_stored")
def test_an_empty_array_is_taken(intake):
    assert intake.post(PATH, b"[]").status == 204


@pytest.mark.parametrize("version", ["2021-11-01-preview", "2023-01-01", "2027-03-01"])
def test_versions_are_dates(intake, version):
    assert intake.post(f"{BASE}?api-version={version}", b"[{}]").status == 204


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("?api-version=", "MissingApiVersionParameter"),
        ("?api-version=1", "InvalidApiVersionParameter"),
        ("?api-version=2016-04-01", "InvalidApiVersionParameter"),
        ("?api-version=2023-13-01", "InvalidApiVersionParameter"),
        ("?api-version=2023-01-01-alpha", "InvalidApiVersionParameter"),
        ("?api-version=2023-01-01%0a", "InvalidApiVersionParameter"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_without_a_known_version_the_body_is_not_even_read(intake, query, code):
    answer = intake.post(BASE + query, b"[{}]")
    assert (answer.status, answer.json["error"]["code"]) == (400, code)
    assert answer.json["error"]["message"]
    assert intake.body_reads == 0


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "InvalidPayload"),
        (b"{}", {}, 400, "InvalidPayload"),
        (b'{"a":1}\n{"a":2}', {}, 400, "InvalidPayload"),
        (b"[", {}, 400, "InvalidPayload"),
        (b"[" * 60_000, {}, 400, "InvalidPayload"),
        (b"[]", {"authorization": ""}, 401, "AuthenticationFailed"),
        (b"[]", {"authorization": "nonsense"}, 401, "AuthenticationFailed"),
        (b"[]", {"authorization": "Bearer wrong"}, 403, "AuthorizationFailed"),
        (b"[]", {"content_encoding": "br"}, 415, "UnsupportedContentEncoding"),
        (b"[]", {"content_encoding": "gzip"}, 400, "InvalidPayload"),
        (b"[" + b" " * 70_000 + b"]", {}, 413, "ContentLengthLimitExceeded"),
        (gzip.compress(b"[" + b" " * 70_000 + b"]"), {"content_encoding": "gzip"}, 413, "ContentLengthLimitExceeded"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_what_is_refused_stores_nothing(intake, settings, body, headers, status, code):
    settings.MAX_BODY_BYTES = settings.MAX_WIRE_BYTES = 65_536
    answer = intake.post(PATH, body, **headers)
    assert (answer.status, answer.headers[b"content-type"]) == (status, b"application/json")
    assert answer.json["error"]["code"] == code
    assert answer.json["error"]["message"]
    assert (b"www-authenticate" in answer.headers) is (status == 401)


@pytest.mark.parametrize(
    "path",
    [
        "/dataCollectionRules/x",
        "/dataCollectionRules/x/streams",
        "/dataCollectionRules//streams/y",
        "/dataCollectionRules/x/streams/y/z",
    ],
)
def test_other_paths_below_are_not_found_in_the_same_form(intake, path):
    answer = intake.post(path + "?api-version=2023-01-01", b"[]")
    assert (answer.status, answer.json["error"]["code"]) == (404, "ResourceNotFound")
    assert routes.endpoint_for("/datacollection") is None


def test_a_wrong_method(intake):
    answer = intake.send("GET", PATH)
    assert (answer.status, answer.headers[b"allow"], answer.json["error"]["code"]) == (405, b"POST", "MethodNotAllowed")


@pytest.mark.usefixtures("nothing_stored")
def test_the_database_that_is_away_is_busy(intake):
    def broken(submissions):
        raise OperationalError("gone")

    intake.store = broken
    answer = intake.post(PATH, b"[{}]")
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"5")
    assert answer.json["error"]["code"] == "ServiceUnavailable"


def test_a_source_over_its_limit_is_told_when_to_come_back():
    answer = AzureEndpoint().refused(Refusal(RATE, retry_after=17))
    assert (answer.status, dict(answer.headers)[b"retry-after"]) == (429, b"17")


@given(body=st.binary(max_size=60) | st.sampled_from([b'[{"a":1}]', b"[1,2]", b'["\\ud800"]', b"[NaN]", b"[[]]"]))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_body_is_stored_whole_or_refused(intake, body):
    RawBatch.objects.all().delete()
    answer = intake.post(PATH, body)
    assert answer.status in (204, 400)
    if answer.status == 400:
        assert not RawBatch.objects.exists()
    stored()

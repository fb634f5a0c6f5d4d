"""What HEC answers where nothing is to be stored, and how its events share what a request says."""

import gzip

import orjson
import pytest

from triage import reading, receivers
from triage.contracts import Envelope, Record
from triage.intake import errors
from triage.intake.errors import RATE, Refusal
from triage.intake.hec import HecEventEndpoint
from triage.models import RawBatch

EVENT = "/services/collector/event"
RAW = "/services/collector/raw"
HEALTH = "/services/collector/health"


def stored():
    (batch,) = RawBatch.objects.all()
    return list(receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters))


@pytest.mark.parametrize(
    "path", ["mint", "mint/1.0", "s2s", "s2s/1.0", "validate", "validate/bundle", "raw/2.0", "x/y"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.usefixtures("nothing_stored")
def test_what_winnow_does_not_speak_is_not_found_in_form(intake, method, path):
    answer = intake.send(method, f"/services/collector/{path}", headers={"authorization": f"Splunk {intake.token}"})
    assert answer.status == 404
    assert answer.json == {"text": "The requested URL was not found on this server.", "code": 404}
    assert answer.headers[b"content-type"] == b"application/json"


@pytest.mark.parametrize("path", ["", "/event", "/event/1.0", "/raw", "/raw/1.0", "/ack"])
@pytest.mark.usefixtures("nothing_stored")
def test_a_wrong_method_has_a_body(intake, path):
    answer = intake.send("GET", "/services/collector" + path)
    assert (answer.status, answer.json) == (405, {"text": "Method Not Allowed", "code": 405})
    assert answer.headers[b"allow"] == b"POST"


@pytest.mark.parametrize("path", [HEALTH, HEALTH + "/1.0", HEALTH + "?ack=true&token=nonsense"])
@pytest.mark.parametrize("token", [None, "wrong"])
def test_health_is_the_servers_whoever_asks(intake, path, token):
    headers = {"authorization": f"Splunk {token}"} if token else {}
    answer = intake.send("GET", path, headers=headers)
    assert (answer.status, answer.json) == (200, {"text": "HEC is healthy", "code": 17})
    head = intake.send("HEAD", path, headers=headers)
    assert (head.status, head.body, head.headers) == (200, b"", answer.headers)
    assert intake.send("POST", path).status == 405


def test_a_source_over_its_limit_is_told_busy_and_when_to_come_back():
    answer = HecEventEndpoint().refused(Refusal(RATE, retry_after=17))
    assert (answer.status, answer.body) == (503, b'{"text":"Server is busy","code":9}')
    assert dict(answer.headers)[b"retry-after"] == b"17"


def test_metadata_holds_until_an_event_says_otherwise(intake):
    body = (
        b'{"event":"a","host":"h1","sourcetype":"s1","index":"i","time":5,"fields":{"k":"v"}}{"event":"b"}'
        b'{"event":"c","host":"h2","source":""}{"event":"d"}'
    )
    assert intake.post(EVENT + "?host=default&source=file", body).status == 200
    assert stored() == [
        Record("a", Envelope(time=5.0, host="h1", source="file", sourcetype="s1", index="i", fields={"k": "v"})),
        Record("b", Envelope(host="h1", source="file", sourcetype="s1", index="i")),
        Record("c", Envelope(host="h2", source="file", sourcetype="s1", index="i")),
        Record("d", Envelope(host="h2", source="file", sourcetype="s1", index="i")),
    ]
    batch = RawBatch.objects.get()
    assert batch.receiver == "hec_batch"
    assert receivers.get("hec_batch").raw(body, batch.parameters, 1) == '{"event":"b"}'


def test_metadata_never_carries_from_one_request_into_another(intake):
    first, second = b'{"event":"a","host":"h1"}{"event":"b"}', b'{"event":"c"}{"event":"d","host":"h2"}{"event":"e"}'
    answers = intake.post_all([(EVENT, body) for body in (first, second)] * 5)
    assert {answer.status for answer in answers} == {200}
    found = {
        (record.content, record.envelope.host)
        for batch in RawBatch.objects.all()
        for record in receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters)
    }
    assert found == {("a", "h1"), ("b", "h1"), ("c", ""), ("d", "h2"), ("e", "h2")}


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"a"}{"event":"b"}',
        b'{"event":"a","host":"h"}{"event":"b","host":"h"}',
        b'{"event":"a","host":"h","source":"x"}{"event":"b","host":"i","source":"y"}',
    ],
)
def test_bodies_that_say_all_or_nothing_may_share_a_row(intake, body):
    assert intake.post(EVENT, body).status == 200
    assert RawBatch.objects.get().receiver == "hec_event"


@pytest.mark.parametrize("path", [EVENT, RAW])
def test_the_time_of_the_query_is_for_events_without_one(intake, path):
    body = b'{"event":"a"}{"event":"b","time":7}' if path == EVENT else b"a\nb"
    assert intake.post(path + "?time=1426279439.5", body).status == 200
    assert [record.envelope.time for record in stored()] == [1426279439.5, 7.0 if path == EVENT else 1426279439.5]


def test_metadata_of_the_wrong_type_is_left_out_and_never_refused(intake):
    body = b'{"event":"a","host":{"x":1},"source":["y"],"sourcetype":null,"index":true,"time":{}}'
    assert intake.post(EVENT, body).status == 200
    assert stored() == [Record("a", Envelope(index="True"))]


def test_raw_lines_share_the_query(intake):
    assert intake.post(RAW + "?host=h&source=s&sourcetype=t&index=i", b"one\ntwo").status == 200
    assert stored() == [
        Record(line, Envelope(host="h", source="s", sourcetype="t", index="i")) for line in ("one", "two")
    ]


def test_several_gzip_members_are_one_body(intake):
    body = b"".join(gzip.compress(part) for part in (b'{"event":', b'"a"}', b"", b'{"event":"b"}'))
    assert intake.post(EVENT, body, content_encoding="gzip").status == 200
    assert [record.content for record in stored()] == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"{}", 200),
        (b"null", 200),
        (b'{"a":1,"b":"x","c":true,"d":null,"e":["x",1]}', 200),
        (b'{"a":{}}', 400),
        (b'{"a":[{}]}', 400),
        (b'{"a":[[]]}', 400),
        (b"[]", 400),
        (b'"x"', 400),
    ],
)
def test_indexed_fields_are_flat(intake, fields, status):
    answer = intake.post(EVENT, b'{"event":"good"}{"event":"x","fields":' + fields + b"}")
    assert answer.status == status
    assert RawBatch.objects.count() == (status == 200)
    if status == 400:
        assert answer.json == {"text": "Error in handling indexed fields", "code": 15, "invalid-event-number": 1}


@pytest.mark.parametrize("reason", [value for name, value in vars(errors).items() if name.isupper()])
def test_every_refusal_has_an_answer_in_form(reason):
    answer = HecEventEndpoint().refused(Refusal(reason))
    assert answer.status >= 400
    assert set(orjson.loads(answer.body)) == {"text", "code"}

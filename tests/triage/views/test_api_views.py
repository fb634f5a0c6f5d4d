import datetime as dt
import hashlib

import orjson
import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from tests.documents import write_document
from triage import partitions
from triage.authentication import hash_token
from triage.models import ApiToken, Event, ModelVersion, RawBatch, Source, WorkerHeartbeat, event_id
from triage.views import openapi

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def reader(alice):
    ApiToken.objects.create(user=alice, token_hash=hash_token("reading"), scope="read")
    return Client(headers={"authorization": "Bearer reading"})


@pytest.fixture
def edge():
    return Source.objects.create(name="edge", token_hash="h1")


def make_event(source, position, **changes):
    usual = {"message": changes.get("message", ""), "winnow.sourcetype": "st", "user.name": 'the "root"'}
    fields = changes.pop("document", usual)
    values = {
        "id": event_id(1, position),
        "source": source,
        "received_at": NOON,
        "timestamp": NOON + dt.timedelta(seconds=position),
        "timestamp_origin": "event",
        "parser": "syslog",
        "host_name": "web-1",
        "log_level": "warning",
        "entity": "host:web-1",
    }
    partitions.ensure([str(NOON.date())])
    event = Event.objects.create(**(values | changes))
    write_document(event.pk, event.message, fields, NOON)
    return event


def positions(response):
    return [event["id"] & 0xFFFFF for event in response.json()["events"]]


def test_an_event_is_shown_with_its_fields(reader, edge):
    make_event(edge, 3, message="hello", score=0.25, p_value=0.01, flagged=True, reasons='[{"feature":"f"}]')
    response = reader.get("/api/v1/events")
    assert response.status_code == 200
    assert response.json() == {
        "events": [
            {
                "id": event_id(1, 3),
                "timestamp": "2026-05-04T12:00:03Z",
                "timestamp_origin": "event",
                "received_at": "2026-05-04T12:00:00Z",
                "host": "web-1",
                "feed": "edge",
                "source": "edge",
                "sourcetype": "st",
                "severity": "warning",
                "message": "hello",
                "score": 0.25,
                "p_value": 0.01,
                "flagged": True,
                "reasons": [{"feature": "f"}],
                "parser": "syslog",
                "entity": "host:web-1",
                "fields": {"message": "hello", "winnow.sourcetype": "st", "user.name": 'the "root"'},
            }
        ],
        "next": None,
    }


def test_an_event_without_a_score_has_none(reader, edge):
    make_event(edge, 1)
    [event] = reader.get("/api/v1/events").json()["events"]
    assert (event["score"], event["p_value"], event["flagged"]) == (None, None, False)


def test_filters(reader, edge):
    other = Source.objects.create(name="other", token_hash="h2")
    make_event(edge, 1, message="alpha 100%")
    make_event(other, 2, message="beta", host_name="db-1")
    make_event(edge, 3, message="gamma", flagged=True)

    def found(**parameters):
        return positions(reader.get("/api/v1/events", parameters))

    assert found() == [3, 2, 1]
    assert found(contains="100%") == [1]
    assert found(contains='"root"') == [3, 2, 1]
    assert found(contains="nowhere") == []
    assert found(source="other") == [2]
    assert found(source="nobody") == []
    assert found(host="db-1") == [2]
    assert found(flagged="true") == [3]
    assert found(flagged="false") == [2, 1]
    assert found(since="2026-05-04T12:00:02Z") == [3, 2]
    assert found(since="2026-05-04T14:00:02+02:00") == [3, 2]
    assert found(since=str(NOON.timestamp() + 3)) == [3]
    assert found(contains="a", flagged="false", source="edge") == [1]


def test_a_sender_may_name_its_own_source(reader, edge):
    make_event(edge, 1, document={"log.file.path": '/var/log/a "b".log'})
    make_event(edge, 2)
    [event] = reader.get("/api/v1/events", {"source": '/var/log/a "b".log'}).json()["events"]
    assert (event["feed"], event["source"]) == ("edge", '/var/log/a "b".log')
    assert positions(reader.get("/api/v1/events", {"source": "edge"})) == [2, 1]


def test_pages_follow_each_other_without_gap_or_overlap(reader, edge):
    for position in range(5):
        make_event(edge, position)
    first = reader.get("/api/v1/events", {"limit": 2})
    assert (positions(first), first.json()["next"]) == ([4, 3], event_id(1, 3))
    second = reader.get("/api/v1/events", {"limit": 2, "before": first.json()["next"]})
    make_event(edge, 9)
    third = reader.get("/api/v1/events", {"limit": 2, "before": second.json()["next"]})
    assert (positions(second), positions(third), third.json()["next"]) == ([2, 1], [0], None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "ten"),
        ("limit", "٣"),
        ("before", "-1"),
        ("before", "9" * 30),
        ("flagged", "maybe"),
        ("since", "yesterday"),
        ("since", "nan"),
        ("since", "1e300"),
        ("contains", "a\0b"),
        ("contains", "x" * 1001),
        ("flaged", "true"),
    ],
)
def test_a_bad_parameter_is_named(reader, name, value):
    response = reader.get("/api/v1/events", {name: value})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "bad_parameter"
    assert error["message"].startswith(f"{name}: ")


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/stats"])
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", "nonsense"])
def test_the_api_needs_a_token_or_a_session(path, authorization, alice):
    headers = {"authorization": authorization} if authorization else {}
    response = Client(headers=headers).get(path)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "unauthorized"
    assert response["WWW-Authenticate"] == "Bearer"


def test_an_intake_token_is_no_api_token(source_token):
    assert Client(headers={"authorization": f"Bearer {source_token}"}).get("/api/v1/stats").status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/stats"])
def test_a_session_may_read(path, bob):
    client = Client()
    client.force_login(bob)
    assert client.get(path).status_code == 200


def test_only_get(reader):
    response = reader.post("/api/v1/events")
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")


def test_a_database_that_is_gone_is_said_in_json(reader, monkeypatch):
    def broken():
        raise OperationalError("gone")

    monkeypatch.setattr("triage.views.counts.stage_counts", broken)
    response = reader.get("/api/v1/stats")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "busy")


def make_batch(source, **changes):
    values = {"receiver": "lines", "received_at": NOON, "body": b"", "body_bytes": 100, "record_count": 10}
    return RawBatch.objects.create(source=source, **(values | changes))


def test_stats_count_every_stage(reader, edge):
    make_batch(edge, status="done", event_count=10, flagged_count=2)
    make_batch(edge)
    make_batch(edge, status="quarantined", record_count=4)
    assert reader.get("/api/v1/stats").json() == {
        "accepted": 24,
        "events": 10,
        "flagged": 2,
        "quarantined": 4,
        "alerts": 0,
        "explained": 0,
        "pending": 10,
    }


def test_metrics_are_prometheus_text(edge):
    make_batch(Source.objects.create(name='a"b\\c', token_hash="h2"), status="done", event_count=10, flagged_count=2)
    make_batch(edge)
    response = Client().get("/metrics")
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = response.content.decode().splitlines()
    assert 'winnow_records{stage="accepted"} 20' in lines
    assert 'winnow_records{stage="pending"} 10' in lines
    assert r'winnow_source_records{source="a\"b\\c"} 10' in lines
    assert 'winnow_source_bytes{source="edge"} 100' in lines
    assert 'winnow_batches{status="received"} 1' in lines
    assert all(line.startswith(("# HELP winnow_", "# TYPE winnow_", "winnow_")) for line in lines)


def test_alive_needs_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        response = Client().get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def beat(role, seconds_ago):
    seen_at = timezone.now() - dt.timedelta(seconds=seconds_ago)
    WorkerHeartbeat.objects.create(name=f"{role}-1", role=role, seen_at=seen_at)


def test_ready_with_a_live_pipeline_worker_while_learning():
    beat("pipeline", 1)
    beat("explain", 1)
    response = Client().get("/readyz")
    assert (response.status_code, response.json()) == (
        200,
        {
            "ready": True,
            "checks": {
                "database": {"ok": True},
                "broker": {"ok": True},
                "workers": {"ok": True, "alive": ["explain", "pipeline"]},
                "champion": {"ok": True, "state": "learning", "version": None},
                "disk": {"ok": True},
            },
        },
    )


def stored_version(folder, version="v7", body=b"a closed artefact"):
    (folder / version).mkdir()
    (folder / version / "pipeline.skops").write_bytes(body)
    (folder / version / "manifest.json").write_text(f'{{"format": 1, "version": "{version}"}}')
    return hashlib.sha256(body).hexdigest()


def test_ready_names_the_champion(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    beat("pipeline", 1)
    sha256 = stored_version(tmp_path)
    ModelVersion.objects.create(version="v7", detector="d", status="champion", artefact_sha256=sha256, trained_at=NOON)
    champion = Client().get("/readyz").json()["checks"]["champion"]
    assert champion == {"ok": True, "state": "serving", "version": "v7"}


def test_ready_says_that_the_champion_is_refused_and_what_scores_meanwhile(edge, monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    beat("pipeline", 1)
    sha256 = stored_version(tmp_path)
    ModelVersion.objects.create(version="v7", detector="d", status="champion", artefact_sha256=sha256, trained_at=NOON)
    earlier = ModelVersion.objects.create(version="v6", detector="d", status="retired", trained_at=NOON)
    make_batch(edge, status="done", model_version=earlier)
    assert Client().get("/readyz").json()["checks"]["champion"]["ok"] is True
    (tmp_path / "v7" / "pipeline.skops").write_bytes(b"something else altogether")
    response = Client().get("/readyz")
    assert (response.status_code, response.json()["ready"]) == (200, True)
    champion = response.json()["checks"]["champion"]
    assert champion.pop("problem").startswith("champion v7 is refused: version v7 has been changed")
    assert champion == {"ok": False, "state": "refused", "version": "v7", "newest_events_scored_by": "v6"}


@pytest.mark.parametrize("beats", [[], [("pipeline", 60)], [("explain", 1)]])
def test_not_ready_without_a_live_pipeline_worker(beats):
    for role, seconds_ago in beats:
        beat(role, seconds_ago)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["ready"] is False
    assert response.json()["checks"]["workers"]["problem"] == "no pipeline worker is alive"


def test_not_ready_without_a_broker(monkeypatch):
    beat("pipeline", 1)
    monkeypatch.setattr("triage.state.broker_problem", lambda: "the broker is away")
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["broker"] == {"ok": False, "problem": "the broker is away"}


def test_openapi_describes_the_paths_there_are():
    document = Client().get("/api/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    for path in set(document["paths"]) - {"/api/v1/ingest", "/api/v1/ingest/syslog"}:
        assert get_resolver().resolve(path.replace("{alert_id}", "7"))


def test_openapi_refers_to_schemas_it_has():
    text = orjson.dumps(openapi.DOCUMENT).decode()
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used == set(openapi.DOCUMENT["components"]["schemas"])


def test_there_is_no_second_door(dana):
    client = Client()
    client.force_login(dana)
    assert client.get("/admin/").status_code == 404
    assert client.get("/").status_code == 200

"""The models page: alarms, how near each source is to one, and who may close them."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from alerts.models import AuditEntry
from tests.alerts.rows import HOSTILE
from tests.factories import make_source
from triage.models import Alarm, DriftBlock, ModelStatus, ModelVersion, Source, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> ModelVersion:
    return ModelVersion.objects.create(
        version="v1", detector="x", status=ModelStatus.CHAMPION, artefact_sha256="0", trained_at=timezone.now()
    )


def alarm(model: ModelVersion, source: Source | None = None, text: str = "The mix of events has changed.") -> Alarm:
    return Alarm.objects.create(
        kind="kinds",
        source=source,
        model_version=model,
        recommendation="check_feed",
        text=text,
        raised_at=timezone.now(),
    )


def judged(source: Source, model: ModelVersion, **aspects: object) -> None:
    DriftBlock.objects.create(
        source=source, model_version=model, ended_at=timezone.now() - dt.timedelta(minutes=1), events=250, flagged=1,
        p_counts=[], kinds={}, evidence={}, judged=aspects,
    )  # fmt: skip


def shown(client: Client, user: User) -> str:
    client.force_login(user)
    return " ".join(client.get("/models/").content.decode().split())


def test_an_open_alarm_says_what_to_do_and_hostile_text_stays_text(
    client: Client, charlie: User, model: ModelVersion
) -> None:
    alarm(model, make_source(HOSTILE[:60]), text=HOSTILE)
    page = shown(client, charlie)
    assert "Check the feed" in page
    assert "<script>window" not in page
    assert "<img src=x" not in page


def test_each_aspect_shows_how_near_it_is_and_what_is_not_measured_says_so(
    client: Client, charlie: User, model: ModelVersion
) -> None:
    near, new = make_source("near"), make_source("new")
    judged(
        near, model, reference=200,
        kinds={"p": 0.01, "evidence": 99.0, "level": 9999.0},
        features={"p": 0.01, "evidence": 3.0, "level": None},
        scores={"p": 1.0, "evidence": 0.0, "level": 9999.0},
        alert_rate={"p": 0.5, "evidence": 0.5, "level": 9999.0},
    )  # fmt: skip
    judged(new, model)
    page = shown(client, charlie)
    assert "50 % of the way to an alarm, compared with 200 blocks" in page
    assert "changes too much by itself to be judged" in page
    assert page.count("not measured yet: 30 blocks older than a day are needed") == 1
    assert page.index(">near<") < page.index(">new<")


def test_without_anything_the_page_says_from_when_on_drift_is_judged(
    client: Client, charlie: User, model: ModelVersion
) -> None:
    assert "No alarm is open. Drift is judged from two days of events of a source on." in shown(client, charlie)


def test_a_lead_closes_an_alarm_and_an_analyst_may_not(
    client: Client, alice: User, charlie: User, model: ModelVersion
) -> None:
    row = alarm(model)
    client.force_login(alice)
    assert client.post(f"/alarms/{row.pk}/close/").status_code == 403
    assert "usual now" not in shown(client, alice)
    assert (Alarm.objects.get().closed_at, AuditEntry.objects.count()) == (None, 0)

    assert "Close: this is usual now" in shown(client, charlie)
    assert client.post(f"/alarms/{row.pk}/close/", {"note": "new proxy"}).url == "/models/"
    assert Alarm.objects.get().closed_by == charlie.username
    assert AuditEntry.objects.get().details["note"] == "new proxy"


def test_an_unknown_alarm_is_not_found(client: Client, charlie: User) -> None:
    client.force_login(charlie)
    assert client.post("/alarms/7/close/").status_code == 404
    assert client.get("/alarms/7/close/").status_code == 405


def test_open_alarms_are_counted_in_the_metrics(client: Client, model: ModelVersion) -> None:
    assert 'winnow_alarms_open{kind="kinds"} 0' in client.get("/metrics").content.decode()
    alarm(model, make_source())
    alarm(model).delete()
    lines = client.get("/metrics").content.decode().splitlines()
    assert [line for line in lines if line.startswith("winnow_alarms_open{")] == [
        f'winnow_alarms_open{{kind="{kind}"}} {int(kind == "kinds")}'
        for kind in ("features", "kinds", "scores", "alert_rate", "quality")
    ]

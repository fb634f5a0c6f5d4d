"""The alert budget on stored events: forecast, policy, standing wishes."""

import datetime as dt
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from alerts.models import AuditEntry, Verdict
from alerts.services import budget
from tests.alerts.rows import make_alert
from tests.factories import make_batch, make_source
from triage import partitions
from triage.learning.budget import Wishes
from triage.models import AlertPolicy, Event, ModelStatus, ModelVersion, RawBatch, Source, User, event_id

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def model() -> ModelVersion:
    return ModelVersion.objects.create(
        version="v1", detector="x", status=ModelStatus.CHAMPION, artefact_sha256="0", trained_at=NOW, promoted_at=NOW
    )


def day(source: Source, model: ModelVersion, ago: float, scores: dict[str, float], events: int = 1000) -> None:
    """A batch of one day ago: an event per user with its score, and many that nobody would flag."""
    batch = make_batch(source, "x")
    received = NOW - dt.timedelta(days=ago)
    RawBatch.objects.filter(pk=batch.pk).update(
        received_at=received, status="done", event_count=events, model_version=model
    )
    partitions.ensure([f"{received:%Y-%m-%d}"])
    for position, (user, score) in enumerate(scores.items()):
        Event.objects.create(
            id=event_id(batch.pk, position), source=source, received_at=received, timestamp=received,
            timestamp_origin="event", parser="linux_auth", user_name=user, entity=f"user:{user}", message="logged in",
            score=score, p_value=1 / (1 + score), model_version=model,
        )  # fmt: skip


@pytest.fixture
def history(model: ModelVersion) -> ModelVersion:
    source = make_source()
    for number in range(3):
        day(source, model, number + 0.95, {f"u{n}": 20.0 + n + number / 10 for n in range(10)})
    return model


def test_a_forecast_counts_alerts_not_events(history: ModelVersion) -> None:
    source = Source.objects.get()
    day(source, history, 0.5, {f"u{n}": 21.0 for n in range(10)})  # the same users again: no more alerts

    found = budget.forecast(wishes=Wishes(alerts_per_day=4, hours_per_day=10), found=budget.history(NOW))

    assert (found.days, found.events, found.binding, found.model) == (3, 4000, "alerts", "v1")
    assert found.threshold == 25.2
    assert (found.alerts.value, found.alerts.method) == (4.0, "Poisson")
    assert found.more is not None
    assert found.more.value == 6.0
    assert (found.precision, found.recall, found.more_precision) == (None, None, None)


def test_the_scarcest_wish_binds(history: ModelVersion) -> None:
    found = budget.forecast(wishes=Wishes(alerts_per_day=8, hours_per_day=0.25, minutes_per_alert=5))
    assert found.binding == "hours"
    assert found.alerts.value <= 3


def test_precision_and_recall_come_from_verdicts_and_audits(history: ModelVersion, alice: User) -> None:
    source = Source.objects.get()
    for number in range(12):
        alert = make_alert(source, score=30.0, fingerprint=f"f{number}")
        value = "tp_impact" if number < 6 else "fp_logic"
        Verdict.objects.create(alert=alert, value=value, decided_by="person", user=alice)
    audited = make_alert(source, origin="blind_audit", inclusion_probability=0.5, fingerprint="a")
    Verdict.objects.create(alert=audited, value="tp_impact", decided_by="person", user=alice)

    found = budget.forecast(wishes=Wishes(alerts_per_day=4))

    assert found.precision is not None
    assert (found.precision.value, found.precision.n) == (0.5, 12)
    assert found.recall is not None
    assert (found.recall.value, found.recall.n) == (6 / 8, 1)  # half of twelve alerts, and two missed


def test_without_a_whole_day_there_is_no_forecast(model: ModelVersion) -> None:
    day(make_source(), model, 0.5, {"u": 20.0})
    with pytest.raises(budget.NoHistoryError, match="v1 has not served for a whole day yet"):
        budget.history(NOW)


def test_without_a_model_there_is_no_forecast() -> None:
    with pytest.raises(budget.NoHistoryError, match="no model serves yet"):
        budget.history()


def test_without_a_wish_there_is_no_threshold(history: ModelVersion) -> None:
    with pytest.raises(ValueError, match="say what may be spent"):
        budget.forecast(wishes=Wishes())


def test_an_applied_budget_is_a_policy_with_an_audit_entry(history: ModelVersion) -> None:
    found = budget.forecast(wishes=Wishes(alerts_per_day=4))
    row = budget.apply(found=found, by="ann")
    assert (row.model_version, row.threshold, row.created_by) == (history, found.threshold, "ann")
    assert row.wishes["alerts_per_day"] == 4
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.details["threshold"]) == ("set_alert_budget", "ann", found.threshold)


def test_a_forecast_for_a_model_that_no_longer_serves_is_not_applied(history: ModelVersion) -> None:
    found = budget.forecast(wishes=Wishes(alerts_per_day=4))
    ModelVersion.objects.update(status=ModelStatus.RETIRED)
    with pytest.raises(ValueError, match="v1 no longer serves"):
        budget.apply(found=found, by="ann")
    assert (AlertPolicy.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_standing_wishes_are_kept_up_once_a_day(history: ModelVersion) -> None:
    assert budget.keep_up() is None  # nobody wished for anything
    budget.apply(found=budget.forecast(wishes=Wishes(alerts_per_day=2)), by="ann")
    assert budget.keep_up() is None  # it is fresh
    AlertPolicy.objects.update(created_at=NOW - dt.timedelta(hours=21))
    row = budget.keep_up()
    assert row is not None
    assert (row.created_by, row.wishes["alerts_per_day"]) == ("budget", 2)
    assert [entry.actor_kind for entry in AuditEntry.objects.order_by("id")] == ["person", "automation"]


def test_minutes_per_alert_are_measured_from_taking_to_verdict(alice: User) -> None:
    source = make_source()
    for number in range(20):
        alert = make_alert(source, fingerprint=str(number))
        for action, after in (("assign", 0), ("verdict", number + 1)):
            when = NOW - dt.timedelta(hours=5) + dt.timedelta(minutes=after)
            AuditEntry.objects.create(actor="alice", actor_kind="person", action=action, alert=alert, created_at=when)
    found = budget.usual_minutes()
    assert found is not None
    assert (found.value, found.n) == (10.5, 20)
    assert (found.low, found.high) == (7.0, 15.0)


def test_nineteen_are_not_enough_to_be_called_measured(alice: User) -> None:
    source = make_source()
    for number in range(19):
        alert = make_alert(source, fingerprint=str(number))
        for action in ("assign", "verdict"):
            AuditEntry.objects.create(actor="alice", actor_kind="person", action=action, alert=alert)
    assert budget.usual_minutes() is None


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("budget", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_buys_and_changes_nothing_unasked(history: ModelVersion) -> None:
    said = run("--alerts-per-day", "4", "--hours", "3")
    assert "4.0 alerts a day" in said
    assert "What limits it is the number of alerts." in said
    assert "Precision: not measured." in said
    assert "Recall: not measured. Only judged blind audits can measure it." in said
    assert "Minutes per alert: assumed." in said
    assert AlertPolicy.objects.count() == 0
    assert json.loads(run("--alerts-per-day", "4", "--apply", "--json"))["applied"] is True
    assert AlertPolicy.objects.count() == 1


def test_the_command_explains_why_it_cannot(model: ModelVersion) -> None:
    with pytest.raises(CommandError, match="has not served for a whole day yet"):
        run("--alerts-per-day", "4")
    with pytest.raises(CommandError, match="not a number above zero"):
        run("--alerts-per-day", "-4")


def test_the_page_forecasts_without_storing_and_a_lead_applies(
    history: ModelVersion, client: Client, charlie: User
) -> None:
    client.force_login(charlie)
    page = client.get("/models/budget/", {"alerts_per_day": "4"}).content.decode()
    assert "alerts a day" in page
    assert "not measured" in page
    assert AlertPolicy.objects.count() == 0
    assert client.post("/models/budget/apply/", {"alerts_per_day": "4"}).url == "/models/"
    assert AlertPolicy.objects.get().created_by == charlie.username
    assert "are flagged, set by" in client.get("/models/").content.decode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "Say what may be spent"),
        ({"alerts_per_day": "-1"}, "greater than or equal to 0.01"),
        ({"alerts_per_day": "nan"}, "Enter a number."),
        ({"usd_per_day": "5"}, "Say what an explanation costs"),
    ],
)
def test_a_wrong_wish_is_told_and_not_applied(
    history: ModelVersion, client: Client, charlie: User, data: dict[str, str], says: str
) -> None:
    client.force_login(charlie)
    assert says in client.get("/models/budget/", data).content.decode()
    client.post("/models/budget/apply/", data)
    assert (AlertPolicy.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_an_analyst_looks_but_does_not_apply(history: ModelVersion, client: Client, alice: User) -> None:
    client.force_login(alice)
    assert "from now on" not in client.get("/models/budget/", {"alerts_per_day": "4"}).content.decode()
    assert client.post("/models/budget/apply/", {"alerts_per_day": "4"}).status_code == 403
    assert AlertPolicy.objects.count() == 0

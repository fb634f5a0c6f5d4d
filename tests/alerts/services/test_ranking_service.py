"""The ranking in the database: who is learned from, what is written, what never changes, what a refused state does."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from alerts.models import Alert, AlertEvent, AuditEntry, RankingModel, Verdict
from alerts.selectors import queue
from alerts.selectors import ranking as selected
from alerts.selectors.queue import QueueFilter
from alerts.services import grouping, ranking, review
from tests.alerts.flagged_events import flagged
from tests.alerts.rows import make_alert
from tests.factories import make_source
from triage.models import Source, User

pytestmark = pytest.mark.django_db
#: Far from any event a test makes.
EVENT_IDS = iter(range(2**51, 2**52))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No ranking of another test is remembered by this process."""
    ranking.forget()
    yield
    ranking.forget()


@pytest.fixture
def source(db: None) -> Source:
    return make_source()


def told(source: Source, number: int, *, worth: bool, **fields: object) -> Alert:
    """Return an open alert whose category tells whether it is worth an analyst's time; its score tells nothing."""
    score = float(np.sin(number * 12.9898) * 5)
    kind = {"template": f"t{number}", "parser": "syslog", "category": "process" if worth else "network"}
    usual = {
        "kind": kind,
        "score": score,
        "severity": "medium",
        "entity": f"user:u{number}",
        "title": f"alert {number}",
    }
    alert = make_alert(source, **(usual | fields))
    reason = {"feature": "pair" if worth else "size", "contribution": 0.5, "fields": ["user.name"]}
    AlertEvent.objects.create(
        alert=alert, event_id=next(EVENT_IDS), timestamp=alert.first_seen_at, score=score, reasons=[reason]
    )
    return alert


def judge(source: Source, user: User | None, n: int, first: int = 0) -> list[Alert]:
    """Make ``n`` alerts, every third worth it, and close them with a verdict of a person or of automation."""
    found = []
    for number in range(first, first + n):
        worth = number % 3 == 0
        alert = told(source, number, worth=worth)
        moment = timezone.now() - dt.timedelta(days=30) + dt.timedelta(minutes=number)
        Alert.objects.filter(pk=alert.pk).update(created_at=moment, first_seen_at=moment)
        who = {"user": user} if user else {"user": None, "decided_by": "automation", "automation": "mute"}
        value = "tp_impact" if worth else "fp_logic"
        verdict = review.record_verdict(alert_id=alert.pk, value=value, expected_revision=None, **who)
        Verdict.objects.filter(pk=verdict.pk).update(created_at=moment + dt.timedelta(seconds=20))
        found.append(alert)
    return found


def rows() -> list[dict[str, object]]:
    """Return everything of every alert but what a ranking may write."""
    free = ("worth", "ranking_id", "place")
    return [{k: v for k, v in row.items() if k not in free} for row in Alert.objects.order_by("id").values()]


def in_queue() -> list[int]:
    return [alert.pk for alert in queue.page(QueueFilter(), size=500).alerts]


def test_49_verdicts_change_nothing(source, alice):
    judge(source, alice, 49)
    told(source, 100, worth=True)
    before, order = list(Alert.objects.order_by("id").values()), in_queue()
    audited = AuditEntry.objects.count()
    assert not ranking.is_due()
    learned = ranking.learn()
    assert learned.model is None
    assert learned.words == ["not yet: 49 verdicts that say something, 50 are needed"]
    assert ranking.keep_up() == 0
    assert (RankingModel.objects.count(), AuditEntry.objects.count()) == (0, audited)
    assert list(Alert.objects.order_by("id").values()) == before
    assert in_queue() == order


def test_from_50_verdicts_on_the_open_alerts_are_ranked_and_nothing_else_changes(source, alice):
    judge(source, alice, 60)
    waiting = [told(source, 100 + number, worth=number % 2 == 0) for number in range(20)]
    before, members = rows(), set(in_queue())
    assert ranking.is_due()
    assert ranking.keep_up() == 20
    model = RankingModel.objects.get()
    assert (model.status, model.n_labels, model.report["n_positive"]) == ("active", 60, 20)
    assert rows() == before
    assert set(in_queue()) == members == {alert.pk for alert in waiting}
    worth = dict(Alert.objects.filter(status="open").values_list("pk", "worth"))
    assert min(worth[alert.pk] for alert in waiting[::2]) > max(worth[alert.pk] for alert in waiting[1::2])
    assert in_queue() == sorted(in_queue(), key=lambda pk: -worth[pk])
    assert not Alert.objects.filter(status="closed", worth__isnull=False).exists()
    assert not ranking.is_due()
    assert ranking.keep_up() == 0


def test_learning_is_audited(source, alice):
    judge(source, alice, 60)
    model = ranking.learn().model
    entry = AuditEntry.objects.get(action="ranking.learned")
    assert (entry.actor, entry.actor_kind, entry.alert) == ("ranking", "automation", None)
    assert entry.details["sha256"] == model.state_sha256
    assert (entry.details["verdicts"], entry.details["retired"]) == (60, None)


def test_automations_own_closures_are_never_learned_from(source, alice):
    judge(source, None, 200, first=1_000)
    assert selected.decided() == []
    assert ranking.learn().outcome.refusal.startswith("not yet: 0 verdicts")
    judge(source, alice, 60)
    alone = ranking.learn().model
    assert alone.n_labels == 60
    judge(source, None, 100, first=2_000)
    again = ranking.learn().model
    assert (again.pk, again.state_sha256) == (alone.pk, alone.state_sha256)
    assert not ranking.is_due()


def test_blind_audits_and_empty_verdicts_are_neither_learned_from_nor_ranked(source, alice):
    alerts = judge(source, alice, 60)
    Alert.objects.filter(pk=alerts[0].pk).update(origin="blind_audit")
    review.record_verdict(alert_id=alerts[1].pk, value="undetermined", user=alice, expected_revision=None)
    review.record_verdict(alert_id=alerts[2].pk, value="duplicate", user=alice, expected_revision=None)
    blind = told(source, 500, worth=True, origin="blind_audit")
    assert len(selected.decided()) == 57
    ranking.keep_up()
    assert ranking.rank_alerts(alert_ids=[blind.pk]) == 0
    assert Alert.objects.get(pk=blind.pk).worth is None


def test_the_same_verdicts_give_the_same_state(source, alice):
    judge(source, alice, 60)
    first = ranking.learn().model
    RankingModel.objects.all().delete()
    assert ranking.learn().model.state_sha256 == first.state_sha256


def test_an_alert_that_was_not_ranked_stands_above_all_that_were(source, alice):
    judge(source, alice, 60)
    best = told(source, 100, worth=True, severity="critical")
    ranking.keep_up()
    late = told(source, 101, worth=False, severity="info")
    assert in_queue() == [late.pk, best.pk]
    assert ranking.settle() == 1
    assert in_queue() == [best.pk, late.pk]


def test_new_and_grown_alerts_are_ranked_when_they_are_grouped(source, alice, django_capture_on_commit_callbacks):
    judge(source, alice, 60)
    ranking.learn()
    flagged(source)
    with django_capture_on_commit_callbacks(execute=True):
        grouping.group_flagged()
    alert = Alert.objects.get(status="open")
    assert alert.ranking_id == RankingModel.objects.get().pk
    assert 0 < alert.worth < 1
    assert (alert.kind["parser"], alert.kind["category"], alert.kind["action"]) == (
        "syslog",
        "authentication",
        "ssh_login",
    )
    assert (alert.kind["code"], len(alert.kind["template"])) == ("", 64)
    first = alert.worth
    pair = {"feature": "pair", "text": "", "contribution": 0.5, "fields": ["user.name"]}
    flagged(source, "Accepted password for backup from 192.0.2.7 port 1", score=8.0, reasons=json.dumps([pair]))
    with django_capture_on_commit_callbacks(execute=True):
        grouping.group_flagged()
    alert.refresh_from_db()
    assert alert.event_count == 2
    assert alert.worth > first


def test_without_a_ranking_grouping_ranks_nothing(source, django_capture_on_commit_callbacks):
    flagged(source)
    with django_capture_on_commit_callbacks(execute=True):
        grouping.group_flagged()
    alert = Alert.objects.get()
    assert (alert.worth, alert.ranking_id, alert.place) == (None, None, 1.0)


def test_25_new_verdicts_or_a_day_are_worth_learning_anew(source, alice):
    judge(source, alice, 60)
    first = ranking.learn().model
    judge(source, alice, 24, first=200)
    assert not ranking.is_due()
    judge(source, alice, 1, first=300)
    assert ranking.is_due()
    second = ranking.learn().model
    first.refresh_from_db()
    assert (first.status, second.status, second.n_labels) == ("retired", "active", 85)
    RankingModel.objects.update(created_at=timezone.now() - dt.timedelta(days=2))
    assert not ranking.is_due()
    judge(source, alice, 1, first=400)
    assert ranking.is_due()


def test_a_new_ranking_ranks_every_open_alert_again(source, alice):
    judge(source, alice, 60)
    alerts = [told(source, 100 + number, worth=True) for number in range(3)]
    ranking.keep_up()
    judge(source, alice, 25, first=200)
    assert ranking.keep_up() == 3
    active = RankingModel.objects.get(status="active")
    assert set(Alert.objects.filter(pk__in=[one.pk for one in alerts]).values_list("ranking_id", flat=True)) == {
        active.pk
    }


def test_more_alerts_than_one_transaction_holds_are_all_ranked(source, alice, monkeypatch):
    judge(source, alice, 60)
    for number in range(23):
        told(source, 100 + number, worth=True)
    monkeypatch.setattr(ranking, "CHUNK", 5)
    assert ranking.keep_up() == 23
    assert not Alert.objects.filter(status="open", worth__isnull=True).exists()


def at_random(source: Source, user: User, n: int) -> None:
    """Verdicts on alerts that are all alike."""
    judge(source, user, n)
    Alert.objects.update(kind={}, score=None)
    AlertEvent.objects.update(reasons=[])


def test_a_ranking_that_is_no_better_is_kept_on_record_but_not_used(source, alice):
    at_random(source, alice, 60)
    waiting = told(source, 100, worth=True)
    learned = ranking.learn()
    assert (learned.model.status, learned.outcome.ranker) == ("refused", None)
    assert ranking.settle() == 0
    assert (learned.model.state, learned.model.state_sha256) == ("", "")
    assert AuditEntry.objects.get(action="ranking.refused").details["words"] == learned.words
    assert Alert.objects.get(pk=waiting.pk).worth is None
    assert not ranking.is_due()


def test_when_a_ranking_retires_the_queue_is_as_it_was(source, alice):
    judge(source, alice, 60)
    for number in range(6):
        severity = ("low", "high")[number % 2]
        told(source, 100 + number, worth=number < 3, severity=severity)
    before = in_queue()
    ranking.keep_up()
    assert in_queue() != before
    RankingModel.objects.update(status="retired")
    ranking.forget()
    assert ranking.settle() == 6
    assert in_queue() == before
    assert not Alert.objects.filter(status="open").exclude(worth=None, ranking=None).exists()


@pytest.mark.parametrize("state", ["{}", "not json", '{"format":1}'])
def test_a_state_that_is_not_the_stored_one_is_refused_and_alerts_stay_where_they_are(source, alice, state, caplog):
    judge(source, alice, 60)
    alert = told(source, 100, worth=True)
    ranking.keep_up()
    worth = Alert.objects.get(pk=alert.pk).worth
    RankingModel.objects.update(state=state)
    ranking.forget()
    late = told(source, 101, worth=True)
    assert ranking.rank_alerts(alert_ids=[late.pk]) == 0
    assert ranking.settle() == 0
    assert "its state is not the one that was stored" in caplog.text
    assert Alert.objects.get(pk=alert.pk).worth == worth
    assert in_queue() == [late.pk, alert.pk]


def test_a_lost_race_leaves_the_other_ranking(source, alice, monkeypatch):
    """Another process writes its active ranking after this one has looked."""
    judge(source, alice, 60)
    first = ranking.learn().model
    monkeypatch.setattr(RankingModel.objects, "select_for_update", RankingModel.objects.none)
    judge(source, alice, 30, first=200)
    assert ranking.learn().model == first
    assert list(RankingModel.objects.values_list("pk", "status")) == [(first.pk, "active")]
    assert AuditEntry.objects.filter(action="ranking.learned").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_alert_that_is_being_changed_is_not_waited_for(source, alice, backend):
    if backend != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite has one writer at a time")
    judge(source, alice, 60)
    ranking.learn()
    held, other = (told(source, number, worth=True) for number in (100, 101))
    with transaction.atomic():
        Alert.objects.select_for_update().get(pk=held.pk)
        ranked = in_thread(ranking.settle)
    assert ranked == 1
    worth = dict(Alert.objects.filter(status="open").values_list("pk", "worth"))
    assert worth[held.pk] is None
    assert worth[other.pk] is not None
    assert ranking.settle() == 1


def in_thread(work: Callable[[], int]) -> int:
    """Run something on a database connection of its own."""
    found: list[int] = []

    def run() -> None:
        try:
            found.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    return found[0]


def test_only_one_ranking_can_be_active(source):
    RankingModel.objects.create(status="active", n_labels=50)
    RankingModel.objects.create(status="retired", n_labels=50)
    with pytest.raises(IntegrityError), transaction.atomic():
        RankingModel.objects.create(status="active", n_labels=50)


def test_ranking_asks_the_database_a_settled_number_of_times(source, alice, django_assert_num_queries):
    judge(source, alice, 60)
    ranking.learn()
    ids = [told(source, 100 + number, worth=True).pk for number in range(100)]
    ranking.rank_alerts(alert_ids=ids[:1])
    with django_assert_num_queries(4):  # savepoint, alerts with their reasons, one update, release
        ranking.rank_alerts(alert_ids=ids)


def test_reasons_that_lost_their_shape_are_left_out(source):
    alert = told(source, 1, worth=True)
    broken = [
        None,
        7,
        {"feature": "pair"},
        {"contribution": True},
        {"contribution": "x"},
        {"contribution": 0.5, "fields": "user"},
    ]
    AlertEvent.objects.filter(alert=alert).update(reasons=broken)
    facts = selected.facts(selected.with_reasons(Alert.objects.all()).get())
    assert [(one.feature, one.contribution, one.fields) for one in facts.reasons] == [("", 0.5, ())]
    AlertEvent.objects.filter(alert=alert).update(reasons={"a": 1})
    assert selected.facts(selected.with_reasons(Alert.objects.all()).get()).reasons == ()


def test_the_strongest_event_gives_the_reasons(source):
    alert = told(source, 1, worth=True)
    reason = {"feature": "size", "contribution": 0.1, "fields": []}
    for score in (100.0, 50.0, None):
        AlertEvent.objects.create(
            alert=alert, event_id=next(EVENT_IDS), timestamp=alert.first_seen_at, score=score,
            reasons=[reason | {"feature": str(score)}],
        )  # fmt: skip
    facts = selected.facts(selected.with_reasons(Alert.objects.all()).get())
    assert [one.feature for one in facts.reasons] == ["100.0"]


def test_the_command_says_what_was_measured(source, alice, capsys):
    call_command("rank")
    assert capsys.readouterr().out.splitlines() == [
        "not yet: 0 verdicts that say something, 50 are needed", "0 open alerts put into order.",
    ]  # fmt: skip
    judge(source, alice, 60)
    told(source, 100, worth=True)
    call_command("rank")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "60 verdicts of people, 20 of them worth an analyst's time, on 60 incidents."
    assert said[-1] == "1 open alerts put into order."
    call_command("rank", "--json")
    assert '"status": "active"' in capsys.readouterr().out

"""What happened around events: counted as the stream goes by, stored with each, read back for every later score."""

import datetime as dt
from pathlib import Path
from random import Random

import numpy as np
import pytest
from django.conf import settings

from alerts.models import AlertEvent
from alerts.services.grouping import group_flagged
from alerts.services.replaying import replay
from tests.factories import make_batch, make_source
from triage import backfill, champion, pipeline, sliding, training
from triage.features.windows import ABSENT, NUMBERS
from triage.models import Event, RawBatch, Source, event_id

pytestmark = [pytest.mark.django_db, pytest.mark.once]

START = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "LEARN_MIN_EVENTS", 300)
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    champion.forget()
    sliding.forget()


def login(at: dt.datetime, user: str, address: str, word: str = "Accepted") -> str:
    return f"{at:%b %e %H:%M:%S} srv-1 sshd[4]: {word} password for {user} from {address} port 5000 ssh2"


def ordinary(count: int = 1_500, hours: int = 80) -> list[str]:
    """Seven people log in at any time; one in five mistypes first."""
    chance = Random(7)
    lines = []
    for minute in sorted(chance.uniform(0, 60 * hours) for _ in range(count)):
        at, person = START + dt.timedelta(minutes=minute), chance.randrange(7)
        if chance.random() < 0.2:
            lines.append(login(at, f"user{person}", f"10.0.0.{person}", "Failed"))
        lines.append(login(at + dt.timedelta(seconds=20), f"user{person}", f"10.0.0.{person}"))
    return lines


def drain() -> None:
    while pipeline.process_pass("test"):
        pass


def stored(batch: RawBatch) -> np.ndarray:
    return sliding.of_batch(batch.pk, batch.record_count)


def test_every_event_is_stored_with_what_happened_around_it() -> None:
    batch = make_batch(make_source(), *[login(START, "ann", "10.0.0.1", "Failed")] * 3, "no time, no user")
    drain()
    rows = stored(batch)
    assert rows.shape == (4, len(NUMBERS))
    # The user's own events so far: one, two, three.
    assert rows[:3, 0].tolist() == [1, 2, 3]
    assert (rows[3] == ABSENT).all()
    assert list(Event.objects.order_by("id").values_list("windows", flat=True))[3] is None
    assert sliding.of_events([event_id(batch.pk, 2), 7])[:, 0].tolist() == [3, ABSENT]


def test_rows_come_back_as_they_were_stored() -> None:
    rows = np.array([[1, 2, -1, 4, 5, 6, 7, 8, 2**31 - 1], [-1] * 9], dtype=np.int32)
    forms = sliding.stored_forms(rows)
    assert [None if form is None else len(form) for form in forms] == [36, None]
    assert sliding.numbers_of(forms).tolist() == rows.tolist()
    assert sliding.numbers_of([]).shape == (0, 9)


def test_a_process_that_starts_counts_on_where_the_last_one_was() -> None:
    source = make_source()
    lines = [login(START + dt.timedelta(seconds=n), "ann", f"10.0.0.{n % 3}") for n in range(20)]
    make_batch(source, *lines[:10])
    drain()
    without = make_batch(source, *lines[10:])
    drain()
    expected = stored(without)
    assert expected[-1, 0] == 20

    Event.objects.filter(pk__gte=event_id(without.pk, 0)).delete()
    RawBatch.objects.filter(pk=without.pk).delete()
    sliding.forget()
    again = make_batch(source, *lines[10:])
    drain()
    assert stored(again).tolist() == expected.tolist()


@pytest.fixture
def learned() -> Source:
    source = make_source()
    make_batch(source, *ordinary())
    drain()
    model = training.learn("first model")
    assert model.status == "champion", model.decision
    backfill_all()
    return source


def backfill_all() -> None:
    while backfill.score_some():
        pass


def guessing(step: dt.timedelta) -> list[str]:
    """Forty wrong passwords of one known user from a known address, and then the right one."""
    at = START + dt.timedelta(hours=81)
    lines = [login(at + number * step, "user3", "10.0.0.3", "Failed") for number in range(40)]
    return [*lines, login(at + 40 * step, "user3", "10.0.0.3")]


def test_a_burst_of_failures_is_flagged_for_what_happened_around_it_and_replays(learned: Source) -> None:
    batch = make_batch(learned, *guessing(dt.timedelta(seconds=5)))
    drain()
    group_flagged()
    flagged = Event.objects.filter(pk__gte=event_id(batch.pk, 0), flagged=True)
    assert flagged.count() >= 20
    reasons = " ".join(flagged.values_list("reasons", flat=True))
    assert "minutes" in reasons

    alert = AlertEvent.objects.get(event_id=flagged.latest("id").pk).alert
    sliding.forget()
    champion.forget()
    assert replay(alert=alert)["identical"] is True


def test_the_same_failures_over_a_day_are_no_burst(learned: Source) -> None:
    batch = make_batch(learned, *guessing(dt.timedelta(minutes=40)))
    drain()
    assert Event.objects.filter(pk__gte=event_id(batch.pk, 0), flagged=True).count() == 0


def test_a_score_given_late_is_the_score_given_at_once(learned: Source) -> None:
    batch = make_batch(learned, *guessing(dt.timedelta(seconds=5)))
    drain()
    rows = Event.objects.filter(pk__gte=event_id(batch.pk, 0)).order_by("id")
    at_once = list(rows.values_list("score", "flagged"))
    rows.update(score=None, flagged=False, model_version=None)
    RawBatch.objects.filter(pk=batch.pk).update(model_version=None)
    sliding.forget()
    backfill_all()
    assert list(rows.values_list("score", "flagged")) == at_once

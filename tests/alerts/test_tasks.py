"""The tasks: thin, named as routed, free of heavy imports."""

import subprocess
import sys

import pytest

from alerts import tasks
from alerts.models import Alert, Explanation, RankingModel
from alerts.services import explaining, grouping
from tests.alerts.flagged_events import flagged
from tests.alerts.rows import make_alert
from tests.factories import make_source
from triage import state
from triage.celery import app


def test_names_match_the_routes():
    for task in (tasks.group_flagged, tasks.explain_pending, tasks.explain_alert, tasks.rank):
        assert task.name in app.conf.task_routes
        assert task.name in app.tasks


def test_importing_the_tasks_loads_no_heavy_library():
    program = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'triage.settings'; django.setup();"
        "import alerts.tasks; heavy = ('openai', 'sklearn', 'scipy', 'pydantic', 'httpx2', 'stix2');"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.django_db
def test_grouping_goes_on_until_nothing_is_left(monkeypatch):
    source = make_source()
    for position in range(5):
        flagged(source, entity=f"user:{position}")
    original = grouping.group_flagged
    monkeypatch.setattr(grouping, "group_flagged", lambda: original(limit=2))
    assert tasks.group_flagged() == 5
    assert tasks.group_flagged() == 0
    assert Alert.objects.count() == 5


@pytest.mark.django_db
def test_explaining_one_and_all():
    source = make_source()
    flagged(source, entity="user:a")
    flagged(source, entity="user:b")
    tasks.group_flagged()
    first = Alert.objects.earliest("id")
    assert tasks.explain_alert(first.pk) is True
    assert tasks.explain_alert(first.pk) is False
    assert tasks.explain_pending() == 1
    assert Explanation.objects.count() == 2


@pytest.mark.django_db
def test_a_full_turn_asks_for_another_and_a_short_one_does_not(monkeypatch):
    sent = []
    monkeypatch.setattr(grouping.current_app, "send_task", sent.append)
    state.answer(grouping.EXPLAIN_BELL)
    monkeypatch.setattr(explaining, "explain_pending", lambda: explaining.BATCH)
    assert tasks.explain_pending() == explaining.BATCH
    assert sent == ["alerts.tasks.explain_pending"]
    monkeypatch.setattr(explaining, "explain_pending", lambda: explaining.BATCH - 1)
    tasks.explain_pending()
    assert len(sent) == 1


@pytest.mark.django_db
def test_a_task_answers_its_bell():
    for bell, task in ((grouping.GROUP_BELL, tasks.group_flagged), (grouping.EXPLAIN_BELL, tasks.explain_pending)):
        state.answer(bell)
        assert state.ring(bell) is True
        assert state.ring(bell) is False
        task()
        assert state.ring(bell) is True
        state.answer(bell)


@pytest.mark.django_db
def test_ranking_without_verdicts_changes_nothing():
    alert = make_alert(make_source())
    assert tasks.rank() == 0
    alert.refresh_from_db()
    assert (alert.worth, RankingModel.objects.count()) == (None, 0)


def test_ranking_is_looked_after_every_few_minutes():
    due = [entry for entry in app.conf.beat_schedule.values() if entry["task"] == tasks.rank.name]
    assert [entry["schedule"] for entry in due] == [300.0]

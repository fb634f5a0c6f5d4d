"""Endpoints are looked at by the clock, remembered, and shown without going out; doctor says what is wrong."""

import datetime as dt
import json
import socket
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from alerts import tasks
from alerts.models import SpendBlock
from alerts.selectors import endpoints as shown
from alerts.services import breakers, consent, spending
from alerts.services import endpoints as looking
from tests.triage.explainers.test_chat_wire import listing
from triage import state
from triage.celery import app
from triage.explainers.breaker import Breaker
from triage.management import diagnosis

INSIDE = "http://127.0.0.1:9/v1"
OUTSIDE = "https://192.0.2.7/v1"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_model(settings):
    settings.LLM_BASE_URL, settings.LLM_MODEL, settings.LLM_API_KEY = INSIDE, "tiny", "k"
    settings.LLM_LARGE_BASE_URL = settings.LLM_LARGE_MODEL = ""
    settings.LLM_DATA_POLICY = "pseudonymise"
    settings.LLM_PRICE = settings.LLM_LARGE_PRICE = None
    for tier in ("small", "large"):
        state.change_note(shown.note_name(tier), lambda _: "")


@pytest.fixture
def offline(monkeypatch):
    """Let every attempt to look a name up or to connect fail the test."""

    def refuse(*_):
        raise AssertionError("a page goes out on the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def offered(days=None, **row):
    if days is not None:
        row["shutdown_date"] = (timezone.now().date() + dt.timedelta(days=days)).isoformat()
    return json.dumps({"data": [{"id": "tiny"} | row]}).encode()


def look_at(settings, status, body):
    with listing(status, body) as base_url:
        settings.LLM_BASE_URL = base_url
        reached = looking.look()
    (found,) = shown.endpoint_status()
    return reached, found


def test_before_the_first_look_nothing_is_known(offline):
    (found,) = shown.endpoint_status()
    assert (found.tier, found.label, found.endpoint, found.model) == ("small", "First model", "127.0.0.1:9", "tiny")
    assert (found.checked_at, found.reachable, found.listed, found.inside, found.days_left) == (None,) * 5
    assert (found.level, found.detail, found.is_old) == ("unknown", "not looked at yet", False)
    assert (found.waits_s, found.waits_why, found.consented_by, found.consented_at) == (0.0, "", "", None)


def test_without_a_model_there_is_nothing_to_look_at(settings):
    settings.LLM_BASE_URL = ""
    assert looking.look() == 0
    assert shown.endpoint_status() == ()
    assert looking.findings() == []


@pytest.mark.parametrize(
    ("days", "level", "detail"),
    [
        (None, "ok", "tiny is offered; no shutdown is announced"),
        (60, "ok", "tiny will be shut down in 60 days"),
        (59, "warn", "tiny will be shut down in 59 days"),
        (0, "warn", "tiny will be shut down in 0 days"),
        (-1, "fail", "tiny was shut down 1 day ago"),
    ],
)
def test_a_look_is_remembered_for_the_pages(settings, monkeypatch, days, level, detail):
    reached, found = look_at(settings, 200, offered(days))
    assert (reached, found.reachable, found.listed, found.inside) == (1, True, True, True)
    assert (found.level, found.detail, found.days_left) == (level, detail, days)
    assert timezone.now() - found.checked_at < dt.timedelta(minutes=1)
    monkeypatch.setattr(socket, "getaddrinfo", None)  # to call it would raise
    assert shown.endpoint_status()[0].detail == detail
    (later,) = shown.endpoint_status(timezone.now() + dt.timedelta(hours=4))
    assert later.is_old is True


@pytest.mark.parametrize(
    ("status", "body", "level", "detail", "reached"),
    [
        (200, b'{"data": []}', "fail", "tiny: not among the 0 models that the endpoint lists", 1),
        (401, b"{}", "fail", "tiny: the list of models answers with status 401", 0),
        (404, b"", "warn", "tiny: the list of models answers with status 404", 1),
    ],
)
def test_what_is_wrong_is_said(settings, status, body, level, detail, reached):
    got, found = look_at(settings, status, body)
    assert (found.level, found.detail, got) == (level, detail, reached)


def test_an_endpoint_that_is_away_is_not_reachable():
    assert looking.look() == 0
    (found,) = shown.endpoint_status()
    assert (found.reachable, found.level, found.detail) == (False, "fail", "tiny: unreachable: ConnectError")


def test_a_note_about_another_model_or_endpoint_tells_nothing(settings):
    look_at(settings, 200, offered())
    settings.LLM_MODEL = "other"
    assert shown.endpoint_status()[0].level == "unknown"
    state.change_note(shown.note_name("small"), lambda _: "{damaged")
    assert shown.endpoint_status()[0].level == "unknown"


def test_under_policy_off_nothing_is_sent(settings):
    settings.LLM_DATA_POLICY = "off"
    reached, found = look_at(settings, 200, offered())
    assert (reached, found.level) == (0, "unknown")
    assert diagnosis.llm().detail == "not asked: the data policy is off"


def test_both_models_are_shown(settings, dana):
    settings.LLM_LARGE_BASE_URL, settings.LLM_LARGE_MODEL = "http://10.1.2.3/v1", "big"
    consent.consent(settings.LLM_LARGE_BASE_URL, dana)
    small, large = shown.endpoint_status()
    assert (small.model, small.consented_by) == ("tiny", "")
    assert (large.label, large.endpoint, large.model, large.consented_by) == (
        "Larger model", "10.1.2.3:80", "big", "dana",
    )  # fmt: skip


def test_an_open_breaker_is_shown():
    now = timezone.now()
    breakers.SHARED.change((INSIDE, "tiny"), lambda _: Breaker(5, now.timestamp() + 60, 0.0, "timeout"))
    (found,) = shown.endpoint_status(now)
    assert (round(found.waits_s), found.waits_why) == (60, "timeout")
    breakers.close(base_url=INSIDE, model="tiny")


def findings():
    return {found.name: found for found in looking.findings()}


def test_doctor_tells_policy_price_and_budget(settings):
    found = findings()
    assert list(found) == ["llm policy (small)", "llm price (small)", "llm budget"]
    assert all(each.healthy and not each.warning for each in found.values())
    assert found["llm policy (small)"].detail == "pseudonymise"
    assert found["llm price (small)"].detail == "nobody sends a bill per token"
    assert found["llm budget"].detail == "5.00 USD left today, 100.00 USD this month"


def test_doctor_misses_a_consent_and_a_price(settings):
    settings.LLM_DATA_POLICY = "raw"
    assert findings()["llm policy (small)"].healthy is False
    settings.LLM_BASE_URL, settings.LLM_DATA_POLICY = OUTSIDE, "pseudonymise"
    price = findings()["llm price (small)"]
    assert (price.healthy, price.detail) == (False, "none is known for tiny at 192.0.2.7:443")
    assert price.fix.startswith("To name it, set LLM_PRICE_INPUT_USD and LLM_PRICE_OUTPUT_USD ")
    settings.LLM_PRICE = (1.0, 2.0)  # 5,883 tokens and 1,500, three times
    assert findings()["llm price (small)"].detail == "at most 0.026649 USD a question"


def test_doctor_warns_of_an_empty_budget_where_it_matters(settings):
    SpendBlock.objects.create(scope="all", period=timezone.now().date().isoformat(), spent_microusd=5_000_000)
    assert findings()["llm budget"].warning is False  # nobody sends a bill
    settings.LLM_BASE_URL, settings.LLM_PRICE = OUTSIDE, (1.0, 1.0)
    budget = findings()["llm budget"]
    assert (budget.healthy, budget.warning) == (True, True)
    assert budget.detail == "0.00 USD left today, 100.00 USD this month"


@pytest.mark.parametrize(
    ("status", "body", "healthy", "warning", "start"),
    [
        (200, offered(), True, False, "tiny is offered (pseudonymise); no shutdown is announced"),
        (200, offered(59), True, True, "tiny will be shut down on "),
        (200, offered(61), True, False, "tiny will be shut down on "),
        (200, offered(-1), False, False, "tiny was shut down on "),
        (200, b'{"data": [{"id": "x"}]}', False, False, "tiny: not among the 1 models"),
        (403, b"", False, False, "the list of models answers with status 403"),
        (404, b"", True, True, "tiny: the list of models answers with status 404"),
    ],
)
def test_doctor_looks_at_the_models_now(settings, status, body, healthy, warning, start):
    with listing(status, body) as base_url:
        settings.LLM_BASE_URL = base_url
        found = diagnosis.llm()
        settings.LLM_LARGE_BASE_URL, settings.LLM_LARGE_MODEL = base_url, "tiny"
        large = diagnosis.large_llm()
    assert (found.healthy, found.warning, large.healthy, large.warning) == (healthy, warning) * 2
    assert found.detail.startswith(start)
    assert found.fix or (healthy and not warning)
    assert "LLM_LARGE_" in large.fix or (healthy and not warning) or status == 404


def test_the_beat_looks_and_sweeps(settings, monkeypatch):
    assert tasks.look_at_models.name in app.conf.task_routes
    (row,) = [row for row in app.conf.beat_schedule.values() if row["task"] == tasks.look_at_models.name]
    assert row["schedule"] <= 60.0
    call = spending.reserve(
        alert=None, purpose="explain", tier="small", endpoint=INSIDE, model="tiny", characters=1, max_answer_tokens=1,
        lease_seconds=-1,
    )  # fmt: skip
    with listing(200, offered()) as base_url:
        settings.LLM_BASE_URL = base_url
        assert tasks.look_at_models() == 1
        assert tasks.look_at_models() == 0
    call.refresh_from_db()
    assert call.state == "lost"


def test_a_look_is_due_after_an_hour_and_sooner_in_trouble(settings):
    now = timezone.now()
    with listing(200, offered()) as base_url:
        settings.LLM_BASE_URL = base_url
        assert looking.look_if_due(now) == 1
        first = shown.endpoint_status()[0].checked_at
        assert looking.look_if_due(now + dt.timedelta(minutes=59)) == 0
        assert shown.endpoint_status()[0].checked_at == first
        assert looking.look_if_due(now + dt.timedelta(minutes=61)) == 1
    assert looking.look_if_due(now + dt.timedelta(minutes=62)) == 0
    settings.LLM_MODEL = "other"  # never looked at
    assert looking.look_if_due(now) == 0  # and it is away
    trouble = shown.endpoint_status()[0].checked_at
    assert trouble is not None
    looking.look_if_due(trouble + dt.timedelta(minutes=4))
    assert shown.endpoint_status()[0].checked_at == trouble
    looking.look_if_due(trouble + dt.timedelta(minutes=6))
    assert shown.endpoint_status()[0].checked_at > trouble


def test_a_warning_is_printed_with_its_fix_and_is_no_failure(settings):
    out = StringIO()
    with listing(200, offered(59)) as base_url:
        settings.LLM_BASE_URL = base_url
        with pytest.raises(SystemExit):  # no worker is alive here
            call_command("doctor", stdout=out)
    lines = out.getvalue().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("warn llm: tiny will be shut down on "))
    assert lines[place + 1] == "     fix: Set LLM_MODEL to its successor, after manage.py evaluate_llm."
    assert "ok   llm policy (small): pseudonymise" in lines
    (failed,) = [line for line in lines if line.startswith("FAIL")]
    assert failed == "FAIL workers: none alive for: explain, learn, pipeline"

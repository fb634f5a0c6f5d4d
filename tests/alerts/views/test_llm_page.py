"""The models page on the language model, and the strip that says when the money is gone."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.models import Explanation, LlmCall, SharedAnswer, SpendBlock
from alerts.selectors import llm
from tests.alerts.explained import by_evidence, by_model, failed
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 12, 24, 15, 30, tzinfo=dt.UTC)


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def configured(settings):
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:9/v1", "small-1"
    settings.LLM_DATA_POLICY = "pseudonymise"
    settings.LLM_DAILY_BUDGET_USD, settings.LLM_MONTHLY_BUDGET_USD = 5.0, 100.0
    return settings


def shown(client, address="/models/?whole=1"):
    return " ".join(re.sub(r"<[^>]+>", " ", client.get(address).text).split())


def asked(reserved: int | None) -> LlmCall:
    now = timezone.now()
    return LlmCall.objects.create(
        day=now.date(), purpose="explain", tier="small", lease_until=now, reserved_microusd=reserved, endpoint="e",
        model="m",
    )  # fmt: skip


def spent(period: str, microusd: int, reserved: int = 0) -> None:
    SpendBlock.objects.create(scope="all", period=period, spent_microusd=microusd, reserved_microusd=reserved)


def test_without_a_model_the_page_says_how_to_set_one(page, settings):
    settings.LLM_BASE_URL = ""
    text = shown(page)
    assert "None is configured. Alerts are explained from their evidence alone" in text
    for name in ("LLM_BASE_URL=", "LLM_MODEL=", "LLM_API_KEY=", "manage.py serve_llm"):
        assert name in text
    assert "Spending" not in text


def test_what_is_not_measured_is_never_zero(page, configured):
    text = shown(page)
    assert "First model small-1 Endpoint 127.0.0.1:9" in text
    assert "State not looked at yet" in text
    assert "Shutdown not known" in text
    assert "Explained not measured Grounded not measured Failed not measured Latency not measured" in text
    assert "Cost per explained alert not measured (n = 0 this month, 0 of them inherited)" in text
    assert "Changed when asked again not measured" in text
    assert "Today 0.00 USD 0.00 USD 5.00 USD 0 % 0" in text
    assert "This month: no call." in text


def test_rates_come_with_interval_and_n(page, configured):
    alert = make_alert(make_source())
    by_evidence(alert)
    for latency in (1000, 2000, 9000):
        by_model(alert, latency_ms=latency)
    by_model(alert, inherited=True, latency_ms=None)
    failed(alert, "timeout")
    failed(alert, "timeout")
    failed(alert, "budget")
    SharedAnswer.objects.create(key="k", used=3, rechecked=20, changed=1)
    SharedAnswer.objects.create(key="l", used=1)
    text = shown(page)
    assert "Explained 50.0 % (18.8 – 81.2, n = 6) of the tries of 7 days" in text
    assert "Grounded 33.3 % (13.8 – 60.9, n = 12) of all claims of 7 days" in text
    assert "Failed timeout 2 , budget 1 of 6 tries" in text
    assert "half within 2.0 s, 90 % within 9.0 s (n = 3)" in text
    assert "Shared 4 calls saved" in text
    assert "Changed when asked again 5.0 % (0.9 – 23.6, n = 20)" in text


def test_only_the_last_days_count(configured):
    row = by_model(make_alert(make_source()))
    Explanation.objects.filter(pk=row.pk).update(created_at=timezone.now() - dt.timedelta(days=7, minutes=1))
    found = llm.quality(timezone.now())
    assert (found.tries, found.answered, found.grounded, found.p50_ms) == (0, None, None, None)


def test_the_number_of_queries_does_not_grow(configured, django_assert_num_queries):
    alert = make_alert(make_source())
    by_model(alert)
    asked(1000)
    with CaptureQueriesContext(connection) as captured:
        llm.language_model()
    for _ in range(10):
        by_model(alert)
        failed(alert)
        asked(1000)
    with django_assert_num_queries(len(captured)):
        llm.language_model()


@pytest.mark.parametrize(
    ("blocks", "reserved", "expected"),
    [
        ({}, 1000, None),
        ({"2026-12-24": 4_999_000}, 1000, None),
        ({"2026-12-24": 4_999_001}, 1000, ("daily", 5.0, dt.datetime(2026, 12, 25, tzinfo=dt.UTC))),
        ({"2026-12-23": 9_000_000}, 1000, None),
        ({"2026-12": 99_999_500}, 1000, ("monthly", 100.0, dt.datetime(2027, 1, 1, tzinfo=dt.UTC))),
        (
            {"2026-12": 99_999_500, "2026-12-24": 5_000_000},
            1000,
            ("monthly", 100.0, dt.datetime(2027, 1, 1, tzinfo=dt.UTC)),
        ),
        ({"2026-12-24": 5_000_000}, 0, None),
        ({"2026-12-24": 5_000_000}, None, None),
    ],
)
def test_when_the_next_question_does_not_fit_under_a_cap(configured, blocks, reserved, expected):
    for period, microusd in blocks.items():
        spent(period, microusd)
    asked(reserved)
    found = llm.pause(NOW)
    assert (None if found is None else (found.name, found.cap_usd, found.until)) == expected


def test_what_is_under_way_counts_against_the_cap(configured):
    spent("2026-12-24", 2_000_000, reserved=3_000_000)
    asked(1)
    assert llm.pause(NOW).name == "daily"


@pytest.mark.parametrize("change", [{"LLM_BASE_URL": ""}, {"LLM_DATA_POLICY": "off"}])
def test_without_a_model_to_ask_nothing_is_looked_up(configured, change, django_assert_num_queries):
    for name, value in change.items():
        setattr(configured, name, value)
    with django_assert_num_queries(0):
        assert llm.pause() is None


def test_the_queue_says_that_the_budget_is_reached(page, configured):
    asked(1000)
    assert "Budget reached" not in shown(page, "/") + shown(page)
    spent(timezone.now().date().isoformat(), 5_000_000)
    midnight = timezone.now().date() + dt.timedelta(days=1)
    sentence = f"Budget reached: evidence only until {midnight} 00:00:00 UTC. The daily cap of 5.00 USD is spent"
    assert sentence in shown(page, "/")
    assert sentence in shown(page, "/models/?whole=1")
    pulse = page.get("/queue/pulse/").text
    assert '<div id="pause" hx-swap-oob="true">' in pulse
    assert "Budget reached" in pulse

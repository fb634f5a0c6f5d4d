"""What the spend page shows: sums by scope, by call and by alert; what nobody knows is None and counted."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Explanation, LlmCall, SourceBudget, SpendBlock
from alerts.selectors import spending
from alerts.selectors.spending import Cap, CostSum, PerAlert
from tests.alerts.rows import make_alert
from tests.factories import make_source

NOW = dt.datetime(2026, 3, 15, 12, 0, tzinfo=dt.UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def caps(settings):
    settings.LLM_DAILY_BUDGET_USD, settings.LLM_MONTHLY_BUDGET_USD = 5.0, 100.0


@pytest.fixture
def alert():
    return make_alert(make_source())


def call(alert, cost=None, basis="", **fields):
    defaults = {
        "alert": alert, "source": alert.source, "day": NOW.date(), "purpose": "explain", "tier": "small",
        "state": "settled", "lease_until": NOW, "reserved_microusd": 900, "cost_microusd": cost, "cost_basis": basis,
        "endpoint": "llm.example", "model": "tiny", "validation": "valid", "input_tokens": 10, "output_tokens": 2,
    }  # fmt: skip
    return LlmCall.objects.create(**(defaults | fields))


def explain(alert, created_at=NOW, **fields):
    row = Explanation.objects.create(alert=alert, explainer="openai_chat", **({"purpose": "explain"} | fields))
    Explanation.objects.filter(pk=row.pk).update(created_at=created_at)


def test_nothing_spent_is_nothing_measured():
    found = spending.spend(NOW)
    assert found.day == Cap("all", "Today", "2026-03-15", 0.0, 0.0, 5.0, 0, 0)
    assert found.month == Cap("all", "This month", "2026-03", 0.0, 0.0, 100.0, 0, 0)
    assert found.total == CostSum(0, None, None, None, 0, 0, 0, 0)
    assert (found.total.basis, found.total.words) == ("", "no call")
    assert (found.sources, found.lines) == ((), ())
    assert found.per_alert == PerAlert(None, 0, 0, True)


def test_sums_by_scope_come_from_the_blocks(alert):
    other = make_source("quiet")
    SourceBudget.objects.create(source=other, daily_microusd=250_000)
    own = f"source:{alert.source_id}"
    for scope, period, reserved, spent in (
        ("all", "2026-03-15", 1_000_000, 2_500_000), ("all", "2026-03", 1_000_000, 40_000_000),
        (own, "2026-03-15", 0, 2_000_000), (own, "2026-03", 0, 9), ("all", "2026-03-14", 7, 7),
    ):  # fmt: skip
        SpendBlock.objects.create(
            scope=scope, period=period, reserved_microusd=reserved, spent_microusd=spent, calls=3, unknown_calls=1
        )
    found = spending.spend(NOW)
    assert found.day == Cap("all", "Today", "2026-03-15", 2.5, 1.0, 5.0, 3, 1)
    assert (found.day.left_usd, found.day.share) == (1.5, 0.7)
    assert (found.month.spent_usd, found.month.cap_usd) == (40.0, 100.0)
    assert found.sources == (
        Cap(own, "edge", "2026-03-15", 2.0, 0.0, None, 3, 1),
        Cap(f"source:{other.pk}", "quiet", "2026-03-15", 0.0, 0.0, 0.25, 0, 0),
    )
    assert (found.sources[0].left_usd, found.sources[0].share) == (None, None)


def test_an_overshoot_leaves_nothing_and_a_cap_of_nothing_has_no_share(settings):
    settings.LLM_DAILY_BUDGET_USD = 0.0
    SpendBlock.objects.create(scope="all", period="2026-03-15", spent_microusd=5)
    SpendBlock.objects.create(scope="all", period="2026-03", spent_microusd=120_000_000)
    found = spending.spend(NOW)
    assert (found.day.left_usd, found.day.share) == (0.0, None)
    assert (found.month.left_usd, found.month.share) == (0.0, 1.2)


def test_the_split_counts_every_call_once(alert):
    call(alert, 100, "measured")
    call(alert, 300, "measured", tier="large", purpose="stronger", model="big", day=dt.date(2026, 3, 1))
    call(alert, 50, "estimated", validation="timeout", input_tokens=None, output_tokens=None)
    call(alert, None, "unknown", validation="invalid")
    call(alert, 900, "estimated", state="lost", validation="", input_tokens=None, output_tokens=None)
    call(alert, None, "", state="reserved", validation="", input_tokens=None, output_tokens=None)
    call(alert, None, "", state="released", validation="")
    call(alert, 7, "measured", day=dt.date(2026, 2, 28))
    found = spending.spend(NOW)
    assert found.total == CostSum(6, 0.00135, 0.0004, 0.00095, 2, 2, 1, 1)
    assert found.total.words == "at least 0.00135 USD (estimated)"
    large, small = found.lines
    assert (large.purpose_label, large.tier_label, large.model) == (
        "Explanation by the larger model",
        "Larger model",
        "big",
    )
    assert (large.cost.words, large.failed, large.input_tokens) == ("0.0003 USD (measured)", 0, 10)
    assert (small.cost.calls, small.failed, small.input_tokens, small.output_tokens) == (5, 3, 20, 4)
    assert small.endpoint == "llm.example"


def test_the_cost_of_one_alert(alert):
    other = make_alert(alert.source)
    call(alert, 100, "measured")
    call(alert, 20, "measured", purpose="masked", day=dt.date(2026, 1, 1))
    call(other, None, "unknown")
    assert spending.alert_cost(alert.pk) == CostSum(2, 0.00012, 0.00012, None, 2, 0, 0, 0)
    assert spending.alert_cost(alert.pk).words == "0.00012 USD (measured)"
    assert (spending.alert_cost(other.pk).usd, spending.alert_cost(other.pk).words) == (None, "not measured")
    assert spending.alert_cost(make_alert(alert.source).pk).words == "no call"
    waiting = make_alert(alert.source)
    call(waiting, None, "", state="reserved")
    assert spending.alert_cost(waiting.pk).words == "under way"
    free = make_alert(alert.source)
    call(free, 0, "measured")
    assert spending.alert_cost(free.pk).words == "0.00 USD (measured)"


def test_the_cost_per_explained_alert_has_its_n(alert):
    shared, failed, old = (make_alert(alert.source) for _ in range(3))
    call(alert, 300, "measured")
    call(failed, 100, "estimated", validation="timeout")
    explain(alert)
    explain(alert, purpose="masked")
    explain(shared, inherited=True)
    explain(failed, failure="timeout")
    explain(failed, purpose="")  # the evidence explainer
    explain(old, created_at=dt.datetime(2026, 2, 28, 23, 59, tzinfo=dt.UTC))
    assert spending.spend(NOW).per_alert == PerAlert(0.0002, 2, 1, True)
    call(alert, None, "unknown")
    assert spending.spend(NOW).per_alert == PerAlert(0.0002, 2, 1, False)


def test_a_night_elsewhere_is_still_the_day_of_utc():
    there = dt.datetime(2026, 4, 1, 1, 0, tzinfo=dt.timezone(dt.timedelta(hours=3)))
    found = spending.spend(there)
    assert (found.day.period, found.month.period) == ("2026-03-31", "2026-03")


def test_pages_make_the_same_number_of_queries_however_much_was_asked(alert, django_assert_num_queries):
    for number in range(5):
        call(alert, 1, "measured", model=f"m{number}")
        SpendBlock.objects.create(scope=f"source:{make_source(str(number)).pk}", period=f"{timezone.now():%Y-%m-%d}")
    with django_assert_num_queries(6):
        spending.spend()

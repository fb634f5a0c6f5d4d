"""Money for language models: reserved, settled, released, swept; never above a cap, whoever races or dies."""

import datetime as dt
import os
import signal
import threading

import pytest
from django.db import connection
from django.utils import timezone

from alerts.models import AuditEntry, CallState, LlmCall, SourceBudget, SpendBlock
from alerts.services import spending
from alerts.services.spending import OverBudgetError, UnknownPriceError
from tests.alerts.rows import make_alert
from tests.factories import make_source
from triage.explainers.base import CallRecord
from triage.hooks import Decider

OUTSIDE = "https://192.0.2.7/v1"
INSIDE = "http://127.0.0.1:8080/v1"
OPENAI = "https://api.openai.com/v1"
#: At one dollar per million tokens: 17 characters are 10 tokens, so a question of 17 and an answer of 90 is 100
#: millionths of a dollar, three times over.
QUESTION = {"characters": 17, "max_answer_tokens": 90}
HELD = 300

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def caps(settings):
    settings.LLM_PRICE = (1.0, 1.0)
    settings.LLM_LARGE_PRICE = None
    settings.LLM_DAILY_BUDGET_USD, settings.LLM_MONTHLY_BUDGET_USD = 0.001, 0.002


@pytest.fixture
def alert():
    return make_alert(make_source())


def reserve(alert, **changes):
    settings = {
        "alert": alert, "purpose": "explain", "tier": "small", "endpoint": OUTSIDE, "model": "tiny", **QUESTION,
    } | changes  # fmt: skip
    return spending.reserve(**settings)


def record(cost_usd, **changes):
    told = {
        "endpoint": "192.0.2.7", "model_asked": "tiny", "prompt_version": "v2", "prompt_sha256": "p",
        "input_sha256": "i", "attempt": 1, "calls": 1, "latency_ms": 12, "validation": "valid",
        "cost_basis": "measured", "cost_usd": cost_usd, "input_tokens": 8, "output_tokens": 9,
    } | changes  # fmt: skip
    return CallRecord(**told)


def sums():
    """Return ``{(scope, period): (reserved, spent, calls, unknown)}``."""
    return {
        (row.scope, row.period): (row.reserved_microusd, row.spent_microusd, row.calls, row.unknown_calls)
        for row in SpendBlock.objects.all()
    }


def keys(alert, day=None):
    day = day or timezone.now().date()
    own = f"source:{alert.source_id}"
    return [("all", day.isoformat()), ("all", f"{day:%Y-%m}"), (own, day.isoformat()), (own, f"{day:%Y-%m}")]


def all_four(alert, *figures):
    return dict.fromkeys(keys(alert), figures)


def test_a_reservation_counts_against_four_sums(alert):
    call = reserve(alert)
    assert sums() == all_four(alert, HELD, 0, 1, 0)
    call.refresh_from_db()
    assert (call.state, call.reserved_microusd, call.endpoint, call.model) == ("reserved", HELD, "192.0.2.7", "tiny")
    assert (call.alert_id, call.source_id, call.day) == (alert.pk, alert.source_id, timezone.now().date())
    assert (call.cost_microusd, call.cost_basis) == (None, "")


def test_settling_books_the_cost_and_gives_the_rest_back(alert):
    call = reserve(alert)
    assert spending.settle(call, record(0.0000421)) is True
    assert sums() == all_four(alert, 0, 43, 1, 0)  # rounded up
    call.refresh_from_db()
    assert (call.state, call.cost_microusd, call.cost_basis, call.validation) == ("settled", 43, "measured", "valid")
    assert (call.latency_ms, call.input_tokens, call.output_tokens) == (12, 8, 9)
    assert call.record == record(0.0000421).as_dict()


def test_a_record_may_be_plain_values_and_a_failed_call_costs_too(alert):
    call = reserve(alert)
    spending.settle(call, record(0.0001, validation="timeout", cost_basis="estimated").as_dict())
    call.refresh_from_db()
    assert (call.validation, call.cost_basis, call.cost_microusd) == ("timeout", "estimated", 100)
    assert sums() == all_four(alert, 0, 100, 1, 0)


def test_released_money_comes_back_whole(alert):
    call = reserve(alert)
    assert spending.release(call) is True
    assert sums() == all_four(alert, 0, 0, 0, 0)
    call.refresh_from_db()
    assert (call.state, call.cost_microusd) == ("released", None)


@pytest.mark.parametrize("first", ["settle", "release"])
def test_an_end_counts_once(alert, first):
    call = reserve(alert)
    assert (spending.settle(call, record(0.00005)) if first == "settle" else spending.release(call)) is True
    before = sums()
    state = LlmCall.objects.values().get()
    assert spending.settle(call, record(0.0002)) is False
    assert spending.release(call) is False
    assert spending.sweep(timezone.now() + dt.timedelta(days=1)) == 0
    assert (sums(), LlmCall.objects.values().get()) == (before, state)


def test_without_a_record_the_reservation_is_spent(alert):
    spending.settle(reserve(alert), None)
    assert sums() == all_four(alert, 0, HELD, 1, 0)
    assert LlmCall.objects.values_list("cost_microusd", "cost_basis").get() == (HELD, "estimated")


def test_an_unknown_cost_stays_unknown_and_its_reservation_counts(alert):
    spending.settle(reserve(alert), record(None, cost_basis="unknown"))
    assert sums() == all_four(alert, 0, HELD, 1, 1)
    assert LlmCall.objects.values_list("cost_microusd", "cost_basis", "state").get() == (None, "unknown", "settled")


def test_the_daily_cap_holds_to_the_last_millionth(alert, settings):
    settings.LLM_DAILY_BUDGET_USD = 2 * HELD / 1e6
    reserve(alert)
    spending.settle(reserve(alert), record(0.0003))
    before = sums()
    with pytest.raises(OverBudgetError) as caught:
        reserve(alert, characters=0, max_answer_tokens=1)
    day = timezone.now().date().isoformat()
    found = caught.value
    assert (found.scope, found.period, found.cap_usd, found.spent_usd) == ("all", day, 0.0006, 0.0006)
    assert str(found) == (
        f"the budget for {day} is 0.0006 USD; 0.0006 USD of it are spent or reserved, "
        "and this question may cost 0.000003 USD"
    )
    assert sums() == before
    assert LlmCall.objects.count() == 2


def test_the_monthly_cap_holds_on_a_fresh_day(alert, settings):
    settings.LLM_MONTHLY_BUDGET_USD = HELD / 1e6
    today = timezone.now().date()
    SpendBlock.objects.create(scope="all", period=f"{today:%Y-%m}", spent_microusd=1)
    with pytest.raises(OverBudgetError) as caught:
        reserve(alert)
    assert caught.value.period == f"{today:%Y-%m}"
    assert sums() == {("all", f"{today:%Y-%m}"): (0, 1, 0, 0)}  # the day's sum took nothing either
    assert not LlmCall.objects.exists()


def test_a_source_over_its_own_cap_stops_nobody_else(alert):
    quiet = make_alert(make_source("quiet"))
    SourceBudget.objects.create(source=alert.source, daily_microusd=HELD)
    reserve(alert)
    with pytest.raises(OverBudgetError) as caught:
        reserve(alert)
    assert (caught.value.scope, caught.value.cap_usd) == ("edge", HELD / 1e6)
    assert "the budget of source edge for " in str(caught.value)
    reserve(quiet)
    day = timezone.now().date().isoformat()
    assert sums()["all", day][0] == 2 * HELD
    assert sums()[f"source:{quiet.source_id}", day][0] == HELD


def test_a_cap_of_nothing_lets_nothing_out_that_costs_money(alert, settings):
    settings.LLM_DAILY_BUDGET_USD = 0.0
    with pytest.raises(OverBudgetError):
        reserve(alert)
    assert not LlmCall.objects.exists()


def test_an_endpoint_inside_is_counted_and_not_limited(alert, settings):
    settings.LLM_PRICE = None
    settings.LLM_DAILY_BUDGET_USD = settings.LLM_MONTHLY_BUDGET_USD = 0.0
    day = timezone.now().date()
    SpendBlock.objects.create(scope="all", period=day.isoformat(), spent_microusd=5)
    spending.settle(reserve(alert, endpoint=INSIDE), record(0.0))
    assert sums()["all", f"{day:%Y-%m}"] == (0, 0, 1, 0)
    assert LlmCall.objects.values_list("reserved_microusd", "cost_microusd", "cost_basis").get() == (0, 0, "measured")


def test_a_price_the_operator_names_counts_inside_too(alert, settings):
    settings.LLM_DAILY_BUDGET_USD = 0.0
    with pytest.raises(OverBudgetError):
        reserve(alert, endpoint=INSIDE)


def test_without_a_known_price_nothing_is_asked(alert, settings):
    settings.LLM_PRICE = None
    with pytest.raises(UnknownPriceError) as caught:
        reserve(alert)
    assert str(caught.value) == (
        "no price is known for tiny at 192.0.2.7: set LLM_PRICE_INPUT_USD and LLM_PRICE_OUTPUT_USD "
        "(US dollars per million tokens; 0 where it is free)"
    )
    assert isinstance(caught.value, OverBudgetError)
    with pytest.raises(UnknownPriceError, match="LLM_LARGE_PRICE_INPUT_USD"):
        reserve(alert, tier="large")
    assert not LlmCall.objects.exists()
    assert not SpendBlock.objects.exists()
    settings.LLM_PRICE = (0.0, 0.0)
    assert reserve(alert).reserved_microusd == 0


def test_the_price_table_is_asked_and_repeats_are_reserved_for(alert, settings, monkeypatch):
    settings.LLM_PRICE = None
    settings.LLM_DAILY_BUDGET_USD = 5.0
    settings.LLM_MONTHLY_BUDGET_USD = 100.0
    monkeypatch.setattr(spending.endpoints, "is_internal", lambda _: False)
    held = reserve(alert, endpoint=OPENAI, model="gpt-4o-mini", characters=1700, max_answer_tokens=1000)
    assert held.reserved_microusd == 3 * (150 + 600)  # 1000 tokens each at 0.15 and 0.60 USD per million


def test_a_call_without_an_alert_counts_against_the_common_sums_only(alert):
    reserve(None)
    assert {scope for scope, _ in sums()} == {"all"}


def test_a_call_settled_after_midnight_counts_on_its_own_day(alert, monkeypatch):
    late = dt.datetime(2026, 3, 31, 23, 59, 59, tzinfo=dt.UTC)
    monkeypatch.setattr(spending.timezone, "now", lambda: late)
    call = reserve(alert)
    monkeypatch.setattr(spending.timezone, "now", lambda: late + dt.timedelta(seconds=2))
    second = reserve(alert)
    spending.settle(call, record(0.0002))
    march, april = keys(alert, dt.date(2026, 3, 31)), keys(alert, dt.date(2026, 4, 1))
    assert sums() == dict.fromkeys(march, (0, 200, 1, 0)) | dict.fromkeys(april, (HELD, 0, 1, 0))
    assert (call.day, second.day) == (dt.date(2026, 3, 31), dt.date(2026, 4, 1))


def test_the_sweep_books_what_a_dead_worker_held(alert):
    lost, alive = reserve(alert, lease_seconds=1), reserve(alert)
    assert spending.sweep() == 0
    assert spending.sweep(timezone.now() + dt.timedelta(seconds=5)) == 1
    lost.refresh_from_db()
    alive.refresh_from_db()
    assert (lost.state, lost.cost_microusd, lost.cost_basis, lost.record) == ("lost", HELD, "estimated", {})
    assert alive.state == "reserved"
    assert sums() == all_four(alert, HELD, HELD, 2, 0)
    assert spending.sweep(timezone.now() + dt.timedelta(seconds=5)) == 0
    assert sums() == all_four(alert, HELD, HELD, 2, 0)


@pytest.mark.parametrize(("ending", "left"), [("settle", (0, 50, 1, 0)), ("release", (0, 0, 0, 0))])
def test_a_call_taken_for_lost_is_put_right_when_its_worker_comes_back(alert, ending, left):
    call = reserve(alert, lease_seconds=-1)
    assert spending.sweep() == 1
    ended = spending.settle(call, record(0.00005)) if ending == "settle" else spending.release(call)
    assert ended is True
    assert sums() == all_four(alert, *left)


class Killed(BaseException):
    """What no handler of failures catches."""


def test_a_worker_that_falls_over_while_asking_leaves_its_reservation_for_the_sweep(alert, settings):
    settings.LLM_DAILY_BUDGET_USD = HELD / 1e6
    with pytest.raises(Killed):
        ask_and_fall_over(alert)
    with pytest.raises(OverBudgetError):  # nobody else gets the money meanwhile
        reserve(alert)
    assert spending.sweep(timezone.now() + dt.timedelta(hours=1)) == 1
    assert sums()["all", timezone.now().date().isoformat()] == (0, HELD, 1, 0)


def ask_and_fall_over(alert):
    call = reserve(alert)
    raise Killed(f"while call {call.pk} is under way")


def in_children(count, work):
    """Run ``work(number)`` in so many processes, each killed at its end; return when all are gone."""
    connection.close()  # a child must not share it
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            try:
                work(number)
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        children.append(child)
    return [os.waitpid(child, 0)[1] for child in children]


@pytest.mark.django_db(transaction=True)
def test_killed_processes_leave_the_cap_whole(settings):
    alert = make_alert(make_source())
    settings.LLM_DAILY_BUDGET_USD = 3 * HELD / 1e6
    ends = in_children(5, lambda _: reserve(alert, lease_seconds=0))
    assert ends == [signal.SIGKILL] * 5
    assert LlmCall.objects.filter(state=CallState.RESERVED).count() == 3
    with pytest.raises(OverBudgetError):
        reserve(alert)
    assert spending.sweep(timezone.now() + dt.timedelta(seconds=1)) == 3
    assert sums() == all_four(alert, 0, 3 * HELD, 3, 0)
    with pytest.raises(OverBudgetError):
        reserve(alert)


@pytest.mark.django_db(transaction=True)
def test_racing_threads_never_pass_the_cap_together(settings):
    alert = make_alert(make_source())
    settings.LLM_DAILY_BUDGET_USD = 7 * HELD / 1e6
    settings.LLM_MONTHLY_BUDGET_USD = 1.0
    start, refused, held, failures = threading.Barrier(6), [], [], []

    def work():
        start.wait(10)
        try:
            for _ in range(4):
                try:
                    held.append(reserve(alert))
                except OverBudgetError:
                    refused.append(1)
        except Exception as error:  # reported by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (len(held), len(refused)) == (7, 17)
    assert sums() == all_four(alert, 7 * HELD, 0, 7, 0)


@pytest.mark.django_db(transaction=True)
def test_a_call_that_two_settle_at_once_is_booked_once(settings):
    alert = make_alert(make_source())
    call = reserve(alert)
    start, ended = threading.Barrier(4), []  # two workers report, two sweep

    def work(number):
        start.wait(10)
        try:
            if number % 2:
                ended.append(spending.settle(call, record(0.0001)))
            else:
                spending.sweep(call.lease_until + dt.timedelta(seconds=1))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [False, True]
    assert LlmCall.objects.values_list("state", "cost_microusd").get() == ("settled", 100)
    assert sums() == all_four(alert, 0, 100, 1, 0)


def test_a_source_gets_and_loses_a_cap_of_its_own_with_an_entry_each(alert):
    by = Decider("root (manage.py)")
    assert spending.cap_source(source=alert.source, daily_usd=0.5, by=by).daily_microusd == 500_000
    assert spending.cap_source(source=alert.source, daily_usd=0.5, by=by).daily_microusd == 500_000
    assert spending.cap_source(source=alert.source, daily_usd=None, by=by) is None
    assert spending.cap_source(source=alert.source, daily_usd=None, by=by) is None
    entries = AuditEntry.objects.order_by("id").values_list("actor", "actor_kind", "action", "details")
    assert list(entries) == [
        ("root (manage.py)", "person", "set_source_llm_budget", {"source_id": alert.source_id, "daily_usd": change})
        for change in ([None, 0.5], [0.5, None])
    ]
    assert not SourceBudget.objects.exists()
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="is not an amount"):
            spending.cap_source(source=alert.source, daily_usd=wrong, by=by)
    assert AuditEntry.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_bills_above_their_estimates_overshoot_by_at_most_one_call_per_worker(settings):
    alert = make_alert(make_source())
    workers, cap, bill = 4, 10 * HELD, 5 * HELD
    settings.LLM_DAILY_BUDGET_USD, settings.LLM_MONTHLY_BUDGET_USD = cap / 1e6, 1.0
    start, failures = threading.Barrier(workers), []

    def work():
        try:
            for round_number in range(20):
                call = reserve(alert)
                if round_number == 0:
                    start.wait(10)  # all of them are under way at once
                spending.settle(call, record(bill / 1e6))
        except OverBudgetError:
            return
        except Exception as error:  # reported by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reserved, spent, calls, _ = sums()["all", timezone.now().date().isoformat()]
    assert failures == []
    assert (reserved, spent) == (0, calls * bill)
    assert cap < spent <= cap + workers * (bill - HELD)

"""The budget as a machine: reserved, settled, released, lost, swept, across midnight, in any order.

What it checks after every step, against a model that keeps nothing but a list of calls:

- the stored sums are the sums of the calls;
- a call is only let through when everything reserved and spent, itself included, is within every cap;
- no sum is above its cap by more than what calls that were under way at the last call let through, or taken for lost
  then, came to beyond their own reservations.
"""

import datetime as dt
from dataclasses import dataclass

import pytest
from django.db import transaction
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run

from alerts.models import CallState, LlmCall, SourceBudget, SpendBlock
from alerts.services import spending
from alerts.services.spending import OverBudgetError
from tests.alerts.rows import make_alert
from tests.factories import make_source

DAILY, MONTHLY, OWN = 2_000, 2_600, 1_200
START = dt.datetime(2026, 3, 29, 16, 0, tzinfo=dt.UTC)
LEASE_SECONDS = 300.0

pytestmark = pytest.mark.django_db


class Clock:
    """What the service takes for the time."""

    def __init__(self):
        self.time = START

    def now(self):
        return self.time


@dataclass
class Known:
    """The model's memory of a call."""

    row: LlmCall
    blocks: list
    held: int
    state: str = CallState.RESERVED
    spent: int = 0
    unknown: bool = False


class Budget(RuleBasedStateMachine):
    calls = Bundle("calls")

    def __init__(self):
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.known = []
        self.under_way = {}
        self.clock = spending.timezone = Clock()

    def teardown(self):
        spending.timezone = REAL_TIMEZONE
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    @initialize()
    def two_sources_one_with_a_cap(self):
        self.alerts = [make_alert(make_source(name)) for name in ("capped", "free")]
        SourceBudget.objects.create(source=self.alerts[0].source, daily_microusd=OWN)

    def blocks(self, alert):
        day, own = self.clock.time.date(), f"source:{alert.source_id}"
        return [("all", day.isoformat()), ("all", f"{day:%Y-%m}"), (own, day.isoformat()), (own, f"{day:%Y-%m}")]

    def cap(self, block):
        scope, period = block
        if scope == "all":
            return DAILY if len(period) == 10 else MONTHLY
        capped = scope == f"source:{self.alerts[0].source_id}" and len(period) == 10
        return OWN if capped else None

    def sums(self, block):
        inside = [call for call in self.known if block in call.blocks]
        return (
            sum(call.held for call in inside if call.state == CallState.RESERVED),
            sum(call.spent for call in inside),
            sum(call.state != CallState.RELEASED for call in inside),
            sum(call.unknown for call in inside),
        )

    @rule(target=calls, which=st.integers(0, 1), tokens=st.integers(1, 250))
    def reserve(self, which, tokens):
        alert, held = self.alerts[which], 3 * tokens
        blocks = self.blocks(alert)
        fits = all(self.cap(block) is None or sum(self.sums(block)[:2]) + held <= self.cap(block) for block in blocks)
        try:
            row = spending.reserve(
                alert=alert, purpose="explain", tier="small", endpoint="https://192.0.2.7/v1", model="m", characters=0,
                max_answer_tokens=tokens, lease_seconds=LEASE_SECONDS,
            )  # fmt: skip
        except OverBudgetError:
            assert not fits
            return None
        assert fits
        self.known.append(Known(row, blocks, held))
        for block in blocks:
            under_way = {CallState.RESERVED, CallState.LOST}
            self.under_way[block] = [call for call in self.known if block in call.blocks and call.state in under_way]
        return self.known[-1]

    def end(self, call, state, spent, *, unknown=False):
        if call is not None and call.state in {CallState.RESERVED, CallState.LOST}:
            call.state, call.spent, call.unknown = state, spent, unknown
            return True
        return False

    @rule(call=calls, tenths=st.integers(0, 30))
    def settle(self, call, tenths):
        if call is not None:
            cost = call.held * tenths // 10
            ended = spending.settle(call.row, {"cost_usd": cost / 1e6, "cost_basis": "measured", "validation": "valid"})
            assert ended is self.end(call, CallState.SETTLED, cost)

    @rule(call=calls)
    def settle_without_knowing_the_cost(self, call):
        if call is not None:
            ended = spending.settle(call.row, {"cost_usd": None, "cost_basis": "unknown"})
            assert ended is self.end(call, CallState.SETTLED, call.held, unknown=True)

    @rule(call=calls)
    def release(self, call):
        if call is not None:
            assert spending.release(call.row) is self.end(call, CallState.RELEASED, 0)

    @rule(call=consumes(calls))
    def the_worker_dies(self, call):
        """Nobody will ever report on this call."""

    @rule()
    def sweep(self):
        late = [
            call for call in self.known
            if call.state == CallState.RESERVED and call.row.lease_until < self.clock.time
        ]  # fmt: skip
        assert spending.sweep() == len(late)
        for call in late:
            call.state, call.spent = CallState.LOST, call.held

    @rule(minutes=st.integers(1, 20 * 60))
    def time_passes(self, minutes):
        self.clock.time += dt.timedelta(minutes=minutes)

    @invariant()
    def sums_are_those_of_the_calls(self):
        stored = {
            (row.scope, row.period): (row.reserved_microusd, row.spent_microusd, row.calls, row.unknown_calls)
            for row in SpendBlock.objects.all()
        }
        assert stored == {block: self.sums(block) for call in self.known for block in call.blocks}
        for call in self.known:
            row = LlmCall.objects.get(pk=call.row.pk)
            assert (row.state, row.reserved_microusd) == (call.state, call.held)
            assert row.cost_microusd == (
                None if call.unknown or call.state in {CallState.RESERVED, CallState.RELEASED} else call.spent
            )

    @invariant()
    def no_sum_is_above_its_cap_by_more_than_the_bound(self):
        for block, under_way in self.under_way.items():
            cap = self.cap(block)
            if cap is not None:
                beyond = sum(max(call.spent - call.held, 0) for call in under_way)
                assert sum(self.sums(block)[:2]) <= cap + beyond


REAL_TIMEZONE = spending.timezone


def test_the_sums_are_right_and_the_caps_hold_whatever_happens(settings):
    settings.LLM_PRICE = (1.0, 1.0)
    settings.LLM_DAILY_BUDGET_USD, settings.LLM_MONTHLY_BUDGET_USD = DAILY / 1e6, MONTHLY / 1e6
    try:
        run(Budget, settings=hypothesis_settings(max_examples=30, stateful_step_count=25, deadline=None))
    finally:
        spending.timezone = REAL_TIMEZONE

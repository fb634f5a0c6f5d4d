"""What explanations cost: by period and cap, by purpose, tier and model, and by alert.

Handed: the rows that :mod:`alerts.services.spending` keeps. Hands on: frozen figures for pages and commands, in US
dollars. A figure that nobody knows is None, never 0, and every sum says how many of its calls are missing from it.
Nothing is forecast. Days and months are those of UTC; a call belongs to the day on which it was asked.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from alerts.models import CallPurpose, CallState, CallTier, Explanation, LlmCall, SourceBudget, SpendBlock
from triage.models import Source

MICRO = 1_000_000
ALL = "all"
MEASURED, ESTIMATED, UNKNOWN = "measured", "estimated", "unknown"
#: Rows of the table by purpose, tier and model; more models in a month than this are not shown.
MAX_LINES = 100


@dataclass(frozen=True, slots=True)
class Cap:
    """Money of one scope and period. ``cap_usd`` is None where nothing limits it.

    ``spent_usd`` is what counts against the cap: for a call of unknown cost that is what was reserved for it.
    """

    scope: str
    label: str
    period: str
    spent_usd: float
    reserved_usd: float
    cap_usd: float | None
    calls: int
    unknown_calls: int

    @property
    def left_usd(self) -> float | None:
        """What may still be reserved, None without a cap."""
        return None if self.cap_usd is None else max(self.cap_usd - self.spent_usd - self.reserved_usd, 0.0)

    @property
    def share(self) -> float | None:
        """Spent and reserved money as a share of the cap, above 1 after an overshoot; None without a cap or at 0."""
        return (self.spent_usd + self.reserved_usd) / self.cap_usd if self.cap_usd else None


@dataclass(frozen=True, slots=True)
class CostSum:
    """What a number of calls cost. ``usd`` is the sum of the known ones, None when none is known.

    ``measured``, ``estimated`` and ``unknown`` count calls by how their cost is known, ``under_way`` those without
    any cost yet.
    """

    calls: int
    usd: float | None
    measured_usd: float | None
    estimated_usd: float | None
    measured: int
    estimated: int
    unknown: int
    under_way: int

    @property
    def basis(self) -> str:
        """``measured``, ``estimated`` (some or all of it) or ``unknown`` (all of it); empty without a settled call."""
        if self.estimated:
            return ESTIMATED
        if self.measured:
            return MEASURED
        return UNKNOWN if self.unknown else ""

    @property
    def words(self) -> str:
        """The sum as pages and commands write it."""
        return words(self)


@dataclass(frozen=True, slots=True)
class Line:
    """Calls of one month by purpose, tier and model."""

    purpose: str
    purpose_label: str
    tier: str
    tier_label: str
    endpoint: str
    model: str
    cost: CostSum
    failed: int
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class PerAlert:
    """Cost of this month's calls over the ``n`` alerts that a model explained, ``inherited`` of them by sharing.

    ``usd`` is None when no alert was explained or no cost is known; ``complete`` is False when calls of unknown cost
    are missing from it.
    """

    usd: float | None
    n: int
    inherited: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Spend:
    """The page of what explanations cost."""

    at: dt.datetime
    day: Cap
    month: Cap
    sources: tuple[Cap, ...]
    total: CostSum
    lines: tuple[Line, ...]
    per_alert: PerAlert


def usd(microusd: int) -> float:
    """Return millionths of a dollar as dollars."""
    return microusd / MICRO


def microusd(amount: float) -> int:
    """Return a cap in dollars as whole millionths, rounded to the nearest."""
    return round(amount * MICRO)


def dollars(amount: float) -> str:
    """Return an amount with as many digits as it needs, at most six.

    >>> dollars(0.00075), dollars(12.5), dollars(0.0)
    ('0.00075 USD', '12.50 USD', '0.00 USD')
    """
    if amount == 0 or amount >= 1:
        return f"{amount:,.2f} USD"
    return f"{amount:.6f}".rstrip("0").ljust(4, "0") + " USD"


def words(cost: CostSum) -> str:
    """Return a sum of calls in words; what is missing from it is said, and never shown as 0."""
    if not cost.calls:
        return "no call"
    if cost.usd is None:
        return "under way" if cost.under_way and not cost.unknown else "not measured"
    least = "at least " if cost.unknown or cost.under_way else ""
    return f"{least}{dollars(cost.usd)} ({cost.basis})"


def spend(now: dt.datetime | None = None) -> Spend:
    """Return today's and this month's money: caps, sources, and where it went."""
    now = now or timezone.now()
    today = now.astimezone(dt.UTC).date()
    day, month = periods(today)
    blocks = {(row.scope, row.period): row for row in SpendBlock.objects.filter(period__in=(day, month))}
    of_day, of_month = _common(blocks, day, month)
    calls = LlmCall.objects.filter(day__gte=today.replace(day=1), day__lte=today)
    total = cost_of(calls)
    return Spend(
        at=now,
        day=of_day,
        month=of_month,
        sources=_sources(blocks, day),
        total=total,
        lines=_lines(calls),
        per_alert=_per_alert(now, total),
    )


def caps(now: dt.datetime | None = None) -> tuple[Cap, Cap]:
    """Return today's and this month's money over all sources: one query."""
    day, month = periods((now or timezone.now()).astimezone(dt.UTC).date())
    rows = SpendBlock.objects.filter(scope=ALL, period__in=(day, month))
    return _common({(row.scope, row.period): row for row in rows}, day, month)


def _common(blocks: dict[tuple[str, str], SpendBlock], day: str, month: str) -> tuple[Cap, Cap]:
    return (
        _cap(blocks, ALL, "Today", day, microusd(settings.LLM_DAILY_BUDGET_USD)),
        _cap(blocks, ALL, "This month", month, microusd(settings.LLM_MONTHLY_BUDGET_USD)),
    )


def periods(day: dt.date) -> tuple[str, str]:
    """Return the names of a day and its month in ``SpendBlock.period``."""
    return day.isoformat(), f"{day:%Y-%m}"


def source_scope(source_id: int) -> str:
    """Return the name of a source in ``SpendBlock.scope``."""
    return f"source:{source_id}"


def alert_cost(alert_id: int) -> CostSum:
    """Return what the calls about one alert cost; ``calls`` is 0 when none was made, as with a shared answer."""
    return cost_of(LlmCall.objects.filter(alert_id=alert_id))


def cost_of(calls: QuerySet[LlmCall]) -> CostSum:
    """Return the sum over calls; those that were never asked do not count."""
    found = calls.exclude(state=CallState.RELEASED).order_by().aggregate(**_SUMS)
    return _sum(found)


_MEASURED, _ESTIMATED = Q(cost_basis=MEASURED), Q(cost_basis=ESTIMATED)
_UNDER_WAY = Q(state=CallState.RESERVED)
_SUMS = {
    "calls": Count("pk"),
    "measured_money": Sum("cost_microusd", filter=_MEASURED),
    "estimated_money": Sum("cost_microusd", filter=_ESTIMATED),
    "measured_calls": Count("pk", filter=_MEASURED),
    "estimated_calls": Count("pk", filter=_ESTIMATED),
    "unknown_calls": Count("pk", filter=~_UNDER_WAY & Q(cost_microusd__isnull=True)),
    "under_way_calls": Count("pk", filter=_UNDER_WAY),
}


def _sum(found: Mapping[str, Any]) -> CostSum:
    measured, estimated = found["measured_money"], found["estimated_money"]
    known = [part for part in (measured, estimated) if part is not None]
    return CostSum(
        calls=found["calls"] or 0,
        usd=usd(sum(known)) if known else None,
        measured_usd=None if measured is None else usd(measured),
        estimated_usd=None if estimated is None else usd(estimated),
        measured=found["measured_calls"] or 0,
        estimated=found["estimated_calls"] or 0,
        unknown=found["unknown_calls"] or 0,
        under_way=found["under_way_calls"] or 0,
    )


def _cap(blocks: dict[tuple[str, str], SpendBlock], scope: str, label: str, period: str, cap: int | None) -> Cap:
    row = blocks.get((scope, period)) or SpendBlock(scope=scope, period=period)
    return Cap(
        scope=scope,
        label=label,
        period=period,
        spent_usd=usd(row.spent_microusd),
        reserved_usd=usd(row.reserved_microusd),
        cap_usd=None if cap is None else usd(cap),
        calls=row.calls,
        unknown_calls=row.unknown_calls,
    )


def _sources(blocks: dict[tuple[str, str], SpendBlock], day: str) -> tuple[Cap, ...]:
    """Return today's money of every source that has a cap of its own or was asked about."""
    caps = dict(SourceBudget.objects.values_list("source_id", "daily_microusd"))
    asked = {int(scope.partition(":")[2]) for scope, period in blocks if period == day and scope != ALL}
    named = Source.objects.filter(pk__in=asked | caps.keys()).order_by("name").values_list("pk", "name")
    return tuple(_cap(blocks, source_scope(pk), name, day, caps.get(pk)) for pk, name in named)


def _lines(calls: QuerySet[LlmCall]) -> tuple[Line, ...]:
    counted = {
        "failed": Count("pk", filter=Q(state=CallState.LOST) | ~Q(validation__in=("", "valid"))),
        "asked_tokens": Sum("input_tokens"),
        "told_tokens": Sum("output_tokens"),
    }
    rows: Iterable[Any] = (
        calls.exclude(state=CallState.RELEASED)
        .order_by("tier", "purpose", "endpoint", "model")
        .values("purpose", "tier", "endpoint", "model")
        .annotate(**_SUMS, **counted)[:MAX_LINES]
    )
    purposes, tiers = dict(CallPurpose.choices), dict(CallTier.choices)
    return tuple(
        Line(
            purpose=row["purpose"],
            purpose_label=purposes.get(row["purpose"], row["purpose"]),
            tier=row["tier"],
            tier_label=tiers.get(row["tier"], row["tier"]),
            endpoint=row["endpoint"],
            model=row["model"],
            cost=_sum(row),
            failed=row["failed"],
            input_tokens=row["asked_tokens"],
            output_tokens=row["told_tokens"],
        )
        for row in rows
    )


def _per_alert(now: dt.datetime, total: CostSum) -> PerAlert:
    """Return the month's cost per alert that a model's answer explains."""
    first = now.astimezone(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    explained = Explanation.objects.filter(created_at__gte=first, failure="").exclude(purpose="").order_by()
    found = explained.aggregate(
        all=Count("alert_id", distinct=True), asked=Count("alert_id", distinct=True, filter=Q(inherited=False))
    )
    n = found["all"]
    complete = not total.unknown and not total.under_way
    return PerAlert(total.usd / n if n and total.usd is not None else None, n, n - found["asked"], complete)

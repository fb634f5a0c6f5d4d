"""Money for language models: reserved before a call, settled after it, never above a cap.

Handed: what is about to be asked. Hands on: an :class:`~alerts.models.LlmCall` that holds the money for it, or
:class:`OverBudgetError`. Four sums count each call: everything and its source, each by day and by month (UTC). All of
them take the reservation, or none does, by conditional updates in one transaction and in one order, so that workers
that race on any number of hosts cannot pass a cap together. Money is whole millionths of a dollar, rounded up.

``reserved + spent + new <= cap`` holds whenever a call is let through. After that only calls under way can add to it,
and each only what its bill exceeds its reservation by: at most one call per worker. A worker that dies leaves its
reservation standing; :func:`sweep` books it as spent once its lease is over.
"""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from alerts.models import Alert, CallState, CallTier, DecidedBy, LlmCall, SourceBudget, SpendBlock
from alerts.selectors import spending as figures
from alerts.selectors.spending import ALL, ESTIMATED, UNKNOWN, dollars, source_scope
from alerts.services import audit
from triage.explainers import endpoints, prices
from triage.explainers.base import SDK_RETRIES, CallRecord
from triage.explainers.prices import Price
from triage.hooks import Decider
from triage.models import Source

#: A request that ends without a reply is repeated, and may be on the bill each time.
EXCHANGES = 1 + SDK_RETRIES
#: One question takes at most six timeouts; what lasts longer than this died.
LEASE_TIMEOUTS = 7
LEASE_MARGIN_SECONDS = 60.0
#: Calls that one sweep books.
SWEEP_AT_ONCE = 1000
MAX_USD = 1e9


class OverBudgetError(RuntimeError):
    """There is no money for a call; nothing was reserved.

    ``scope`` is ``all`` or the source's name, ``period`` the UTC day or month; ``spent_usd`` counts what is reserved.
    ``until`` is when the period ends, None when waiting changes nothing.
    """

    def __init__(self, *, scope: str, period: str, cap_usd: float, spent_usd: float, wanted_usd: float = 0.0) -> None:
        self.scope, self.period, self.cap_usd, self.spent_usd = scope, period, cap_usd, spent_usd
        self.until = period_end(period)
        whose = "" if scope == ALL else f" of source {scope}"
        super().__init__(
            f"the budget{whose} for {period} is {dollars(cap_usd)}; {dollars(spent_usd)} of it are spent or reserved, "
            f"and this question may cost {dollars(wanted_usd)}"
        )


class UnknownPriceError(OverBudgetError):
    """Nobody knows what the call would cost, so no cap could hold; nothing was reserved."""

    def __init__(self, *, endpoint: str, model: str, tier: str) -> None:
        super().__init__(scope=ALL, period="", cap_usd=0.0, spent_usd=0.0)
        self.args = (f"no price is known for {model} at {endpoint}: {price_fix(tier)}",)


@dataclass(frozen=True, slots=True)
class _Cap:
    """One of the sums that a call counts against; ``cap`` is None where nothing limits it."""

    scope: str
    period: str
    cap: int | None = None
    label: str = ALL


def period_end(period: str) -> dt.datetime | None:
    """Return when a UTC day or month is over, None for no period.

    >>> period_end("2026-12").isoformat(), period_end("2026-03-31").isoformat()
    ('2027-01-01T00:00:00+00:00', '2026-04-01T00:00:00+00:00')
    """
    if not period:
        return None
    if len(period) == len("2026-03"):
        later = dt.date.fromisoformat(f"{period}-28") + dt.timedelta(days=4)
        return dt.datetime(later.year, later.month, 1, tzinfo=dt.UTC)
    following = dt.date.fromisoformat(period) + dt.timedelta(days=1)
    return dt.datetime(following.year, following.month, following.day, tzinfo=dt.UTC)


def price(tier: str) -> Price | None:
    """Return the price that the operator names for a tier, None where the price table counts."""
    named = settings.LLM_LARGE_PRICE if tier == CallTier.LARGE else settings.LLM_PRICE
    return Price(*named) if named else None


def price_fix(tier: str) -> str:
    """Return what to do when a model's price is not known."""
    prefix = "LLM_LARGE_PRICE" if tier == CallTier.LARGE else "LLM_PRICE"
    return f"set {prefix}_INPUT_USD and {prefix}_OUTPUT_USD (US dollars per million tokens; 0 where it is free)"


def most(*, tier: str, base_url: str, model: str, characters: int, max_answer_tokens: int) -> int | None:
    """Return what one question may cost at most, in millionths of a dollar; None when no price is known."""
    inside = endpoints.is_internal(base_url)
    cost = prices.estimate(
        base_url=base_url,
        model=model,
        inside=inside,
        characters=characters,
        output_tokens=max_answer_tokens,
        price=price(tier),
    )
    return None if cost.usd is None else EXCHANGES * _microusd_up(cost.usd)


def reserve(
    *,
    alert: Alert | None,
    purpose: str,
    tier: str,
    endpoint: str,
    model: str,
    characters: int,
    max_answer_tokens: int,
    lease_seconds: float | None = None,
) -> LlmCall:
    """Take the money for one question to the model at base URL ``endpoint`` and return the call that holds it.

    ``characters`` is the length of all that is sent. The caller settles or releases the call before its lease is
    over. Raises :class:`OverBudgetError`.
    """
    now = timezone.now()
    today = now.astimezone(dt.UTC).date()
    wanted = most(tier=tier, base_url=endpoint, model=model, characters=characters, max_answer_tokens=max_answer_tokens)
    host = endpoints.host(endpoint)[:255]
    if wanted is None:
        raise UnknownPriceError(endpoint=host, model=model, tier=tier)
    lasts = LEASE_MARGIN_SECONDS + LEASE_TIMEOUTS * settings.LLM_TIMEOUT_SECONDS
    source = alert.source_id if alert else None
    with transaction.atomic():
        for cap in _caps(today, source, with_limits=True):
            _take(cap, wanted)
        return LlmCall.objects.create(
            day=today,
            alert=alert,
            source_id=source,
            purpose=purpose,
            tier=tier,
            lease_until=now + dt.timedelta(seconds=lasts if lease_seconds is None else lease_seconds),
            reserved_microusd=wanted,
            endpoint=host,
            model=model[:120],
        )


def _caps(day: dt.date, source_id: int | None, *, with_limits: bool = False) -> list[_Cap]:
    """Return the sums that a call counts against, always in the order in which they are locked."""
    today, month = figures.periods(day)
    caps = [
        _Cap(ALL, today, figures.microusd(settings.LLM_DAILY_BUDGET_USD)),
        _Cap(ALL, month, figures.microusd(settings.LLM_MONTHLY_BUDGET_USD)),
    ]
    if source_id is not None:
        own = None
        if with_limits:
            own = SourceBudget.objects.filter(source_id=source_id).select_related("source").first()
        limit, label = (own.daily_microusd, own.source.name) if own else (None, str(source_id))
        scope = source_scope(source_id)
        caps += [_Cap(scope, today, limit, label), _Cap(scope, month)]
    return caps


def _take(cap: _Cap, wanted: int) -> None:
    """Add a reservation to a sum; raise :class:`OverBudgetError` when it does not fit under its cap.

    A call that costs nothing is not limited, only counted.
    """
    rows = SpendBlock.objects.filter(scope=cap.scope, period=cap.period)
    if not rows.exists():
        SpendBlock.objects.bulk_create([SpendBlock(scope=cap.scope, period=cap.period)], ignore_conflicts=True)
    # The condition is part of the update: on PostgreSQL it is judged again after waiting for another worker's lock.
    fitting = rows
    if cap.cap is not None and wanted:
        fitting = rows.filter(spent_microusd__lte=cap.cap - wanted - F("reserved_microusd"))
    if fitting.update(reserved_microusd=F("reserved_microusd") + wanted, calls=F("calls") + 1):
        return
    row = rows.get()
    raise OverBudgetError(
        scope=cap.label,
        period=cap.period,
        cap_usd=figures.usd(cap.cap or 0),
        spent_usd=figures.usd(row.spent_microusd + row.reserved_microusd),
        wanted_usd=figures.usd(wanted),
    )


def settle(call: LlmCall, record: CallRecord | Mapping[str, Any] | None) -> bool:
    """Book what a call cost and give back the rest of its reservation; return whether this call of the function did.

    Without a record, or with one that knows no cost, the reservation counts as spent. A call that was swept as lost
    is put right; one that is settled or released already stays as it is.
    """
    told: Mapping[str, Any] = record.as_dict() if isinstance(record, CallRecord) else dict(record or {})
    cost_usd = told.get("cost_usd")
    held = call.reserved_microusd or 0
    if not told:
        cost, basis = held, ESTIMATED
    elif cost_usd is None:
        cost, basis = None, UNKNOWN
    else:
        cost, basis = _microusd_up(cost_usd), str(told.get("cost_basis", ESTIMATED))[:16]
    written = {
        "cost_microusd": cost,
        "cost_basis": basis,
        "validation": str(told.get("validation", ""))[:32],
        "latency_ms": told.get("latency_ms"),
        "input_tokens": told.get("input_tokens"),
        "output_tokens": told.get("output_tokens"),
        "record": dict(told),
    }
    return _end(call, CallState.SETTLED, written, spent=held if cost is None else cost, unknown=cost is None)


def release(call: LlmCall) -> bool:
    """Give all of a reservation back because nothing was asked; return whether this call of the function did."""
    return _end(call, CallState.RELEASED, {"cost_microusd": None, "cost_basis": ""}, spent=0)


def sweep(now: dt.datetime | None = None) -> int:
    """Book reservations of workers that died as spent; return how many. May run twice at once.

    Whether such a call was answered, and billed, nobody knows: the most that it can have cost counts.
    """
    now = now or timezone.now()
    late = LlmCall.objects.filter(state=CallState.RESERVED, lease_until__lt=now).order_by("pk")
    swept = 0
    for call in late[:SWEEP_AT_ONCE]:
        held = call.reserved_microusd or 0
        written = {"cost_microusd": held, "cost_basis": ESTIMATED}
        swept += _end(call, CallState.LOST, written, spent=held)
    return swept


def _end(call: LlmCall, state: str, written: Mapping[str, Any], *, spent: int, unknown: bool = False) -> bool:
    """Move a call to its end and its money with it, once; the sums of the day on which it was asked count."""
    held = call.reserved_microusd or 0
    with transaction.atomic():
        rows = LlmCall.objects.filter(pk=call.pk)
        ended = {"state": state, "settled_at": timezone.now(), **written}
        if rows.filter(state=CallState.RESERVED).update(**ended):
            reserved, booked = held, 0
        elif state != CallState.LOST and rows.filter(state=CallState.LOST).update(**ended):
            reserved, booked = 0, held
        else:
            return False
        for cap in _caps(call.day, call.source_id):
            SpendBlock.objects.filter(scope=cap.scope, period=cap.period).update(
                reserved_microusd=F("reserved_microusd") - reserved,
                spent_microusd=F("spent_microusd") + spent - booked,
                calls=F("calls") - int(state == CallState.RELEASED),
                unknown_calls=F("unknown_calls") + int(unknown),
            )
    return True


def _microusd_up(amount: float) -> int:
    """Return dollars as whole millionths, rounded up: what is not known exactly is never counted too low.

    >>> _microusd_up(0.00075), _microusd_up(1e-9), _microusd_up(0.0)
    (750, 1, 0)
    """
    return math.ceil(Decimal(str(amount)) * figures.MICRO)


def cap_source(*, source: Source, daily_usd: float | None, by: Decider) -> SourceBudget | None:
    """Set or, with None, lift a source's own daily cap; audited. Return it; nothing is written when it is so already.

    Raises ``ValueError`` for an amount that is no amount.
    """
    if daily_usd is not None and not 0 <= daily_usd <= MAX_USD:
        raise ValueError(f"{daily_usd} is not an amount between 0 and {MAX_USD:,.0f}")
    cap = None if daily_usd is None else figures.microusd(daily_usd)
    with transaction.atomic():
        row = SourceBudget.objects.select_for_update().filter(source=source).first()
        before = row.daily_microusd if row else None
        if before == cap:
            return row
        if cap is None:
            SourceBudget.objects.filter(source=source).delete()
            row = None
        else:
            row, _ = SourceBudget.objects.update_or_create(source=source, defaults={"daily_microusd": cap})
        change = [None if each is None else figures.usd(each) for each in (before, cap)]
        audit.record(
            action="set_source_llm_budget",
            actor=by.name,
            kind=DecidedBy.PERSON if by.is_person else DecidedBy.AUTOMATION,
            details={"source_id": source.pk, "daily_usd": change},
        )
    return row

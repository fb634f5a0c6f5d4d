"""What the models page says about the language model: where it is, what it costs, how far its answers carry.

Handed: the settings, the bill and the stored explanations. Hands on: one :class:`LanguageModel`. Nothing here goes out
on the network. What is unknown is None, never 0, and every share has its n and its interval.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from alerts.models import Explanation, LlmCall, SharedAnswer, SpendBlock
from alerts.selectors import endpoints, spending
from alerts.selectors.endpoints import EndpointStatus
from alerts.selectors.spending import Cap, Spend
from alerts.selectors.tries import FAILURES
from triage.contracts import Rate
from triage.explainers import prompting
from triage.learning.statistics import wilson

#: Failures, grounding and latency are those of so many days.
DAYS = 7
#: The newest answers whose latency is looked at.
MAX_LATENCIES = 5_000


@dataclass(frozen=True, slots=True)
class Failed:
    """How many tries failed for one reason; ``why`` says in a sentence what the word means."""

    reason: str
    why: str
    n: int


@dataclass(frozen=True, slots=True)
class Quality:
    """What became of the language model's tries of the last days.

    ``tries`` counts what was asked for, inherited explanations apart; ``answered`` is the share of them that gave an
    explanation, ``grounded`` the share of all claims that hold against the lines they cite (inherited ones included:
    they are held against their own alert's lines). Latencies are those of ``timed`` answers, in milliseconds.
    """

    days: int
    tries: int
    answered: Rate | None
    failures: tuple[Failed, ...]
    grounded: Rate | None
    p50_ms: int | None
    p90_ms: int | None
    timed: int


@dataclass(frozen=True, slots=True)
class Sharing:
    """Answers taken over by other alerts: ``used`` calls saved, ``error`` the share that differed when asked again."""

    used: int
    error: Rate | None


@dataclass(frozen=True, slots=True)
class Pause:
    """No language model is asked before ``until``: the ``name`` (daily or monthly) cap is reached."""

    name: str
    cap_usd: float
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """The section on the language model. ``tiers`` is empty while none is configured.

    ``caps`` are today, this month and each source that has a cap or was asked about; ``evaluation`` names the one that
    has seen the prompt, empty when none has.
    """

    tiers: tuple[EndpointStatus, ...]
    policy: str
    prompt_version: str
    prompt_sha256: str
    evaluation: str
    spend: Spend
    caps: tuple[Cap, ...]
    quality: Quality
    sharing: Sharing
    pause: Pause | None


def language_model(now: dt.datetime | None = None) -> LanguageModel:
    """Return everything the page shows; the same number of queries however much was asked."""
    now = now or timezone.now()
    spend = spending.spend(now)
    return LanguageModel(
        tiers=endpoints.endpoint_status(now),
        policy=settings.LLM_DATA_POLICY,
        prompt_version=prompting.VERSION,
        prompt_sha256=prompting.prompt_hash(),
        evaluation=_evaluation(),
        spend=spend,
        caps=(spend.day, spend.month, *spend.sources),
        quality=quality(now),
        sharing=sharing(),
        pause=pause(now),
    )


def _evaluation() -> str:
    """Return the name of the evaluation that has seen the prompt in use, empty when none has."""
    found = prompting.registry().get(prompting.VERSION, {}).get("evaluation")
    return str(found.get("id") or "") if isinstance(found, dict) else ""


def quality(now: dt.datetime) -> Quality:
    """Return what became of the last days' tries: two queries, one when nothing was answered."""
    rows = Explanation.objects.filter(created_at__gte=now - dt.timedelta(days=DAYS)).exclude(model="").order_by()
    checked = {"said": Sum("claims"), "held": Sum("grounded", filter=Q(claims__isnull=False))}
    groups: Iterable[Any] = rows.values("failure").annotate(n=Count("pk", filter=Q(inherited=False)), **checked)
    counts: Counter[str] = Counter()
    claims = grounded = 0
    for group in groups:
        counts[group["failure"]] += group["n"]
        claims += group["said"] or 0
        grounded += group["held"] or 0
    tries = counts.total()
    took = _latencies(rows) if counts[""] else []
    failed = sorted(((name, n) for name, n in counts.items() if name and n), key=lambda pair: (-pair[1], pair[0]))
    return Quality(
        days=DAYS,
        tries=tries,
        answered=wilson(counts.get("", 0), tries) if tries else None,
        failures=tuple(Failed(name, FAILURES.get(name, ""), n) for name, n in failed),
        grounded=wilson(grounded, claims) if claims else None,
        p50_ms=_quantile(took, 0.5),
        p90_ms=_quantile(took, 0.9),
        timed=len(took),
    )


def _latencies(rows: QuerySet[Explanation]) -> list[int]:
    """Return the latencies of the newest answers, shortest first; what was taken over took no time of its own."""
    asked = rows.filter(failure="", inherited=False, latency_ms__isnull=False)
    found = asked.order_by("-id").values_list("latency_ms", flat=True)[:MAX_LATENCIES]
    return sorted(value for value in found if value is not None)


def _quantile(ordered: list[int], share: float) -> int | None:
    """Return the smallest value that at least this share does not exceed, None of nothing.

    >>> _quantile([10, 20, 30, 40], 0.5), _quantile([], 0.5)
    (20, None)
    """
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None


def sharing() -> Sharing:
    """Return what sharing saved and how often it was wrong, over all shared answers: one query."""
    found = SharedAnswer.objects.aggregate(used=Sum("used"), rechecked=Sum("rechecked"), changed=Sum("changed"))
    checked = found["rechecked"] or 0
    return Sharing(used=found["used"] or 0, error=wilson(found["changed"] or 0, checked) if checked else None)


def pause(now: dt.datetime | None = None) -> Pause | None:
    """Return the cap that the next question would not fit under: two queries, none without a language model.

    What the next question needs is taken from the newest one that was asked; an endpoint that costs nothing never
    reaches a cap.
    """
    if not settings.LLM_BASE_URL or settings.LLM_DATA_POLICY == "off":
        return None
    now = (now or timezone.now()).astimezone(dt.UTC)
    needed = LlmCall.objects.order_by("-id").values_list("reserved_microusd", flat=True).first()
    if not needed:
        return None
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    next_month = (midnight.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    day, month = spending.periods(now.date())
    caps = (
        ("monthly", month, settings.LLM_MONTHLY_BUDGET_USD, next_month),
        ("daily", day, settings.LLM_DAILY_BUDGET_USD, midnight + dt.timedelta(days=1)),
    )
    rows = SpendBlock.objects.filter(scope=spending.ALL, period__in=(day, month))
    taken = {row.period: row.spent_microusd + row.reserved_microusd for row in rows}
    for name, period, cap, until in caps:
        if taken.get(period, 0) + needed > spending.microusd(cap):
            return Pause(name, cap, until)
    return None

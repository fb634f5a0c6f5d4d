"""What the overview says about the installation: techniques that fired, sources, money, mute rules, alarms.

Handed: a span, or nothing. Hands on: small values for templates. Unknown is None, never 0.
"""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, DateTimeField, OuterRef, Q, Subquery
from django.utils import timezone

from alerts.models import AlertOrigin, AlertTechnique, MuteRule
from alerts.selectors import health, spending
from alerts.selectors.estate import SourceRow, SourceStats
from alerts.selectors.overview import Span, queue_address, shade
from alerts.selectors.spending import Cap
from triage import attack
from triage.models import Alarm, RawBatch, Source

#: In the order of an intrusion, as ATT&CK lists them.
TACTICS = (
    "Reconnaissance", "Resource Development", "Initial Access", "Execution", "Persistence", "Privilege Escalation",
    "Defense Evasion", "Credential Access", "Discovery", "Lateral Movement", "Collection", "Command and Control",
    "Exfiltration", "Impact",
)  # fmt: skip
UNKNOWN = "Not in ATT&CK"
#: Sources and rules shown: those that need a look, or hide most, first.
MAX_SOURCES, MAX_RULES = 12, 6


@dataclass(frozen=True, slots=True)
class Fired:
    """One technique: alerts of the span that name it, how many of them are open, and how dark its cell is (1 to 4)."""

    technique_id: str
    name: str
    count: int
    open: int
    shade: int
    address: str


@dataclass(frozen=True, slots=True)
class Tactic:
    """One tactic with the techniques that fired, most frequent first."""

    name: str
    fired: list[Fired]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What fired, by tactic. ``quiet`` are tactics of which nothing fired. A technique may serve several tactics."""

    tactics: list[Tactic]
    quiet: list[str]
    techniques: int
    version: str


def heat_map(span: Span) -> HeatMap:
    """Return how often each technique fired: one query. Blind audits did not fire."""
    rows = AlertTechnique.objects.filter(
        alert__origin=AlertOrigin.FLAGGED, alert__created_at__gte=span.start, alert__created_at__lt=span.end
    )
    counted = rows.order_by().values_list("technique_id").annotate(n=Count("pk"), open=Count("pk", filter=_OPEN))
    counts = sorted(counted, key=lambda row: (-row[1], row[0]))
    most = counts[0][1] if counts else 0
    found: dict[str, list[Fired]] = defaultdict(list)
    for technique, n, still_open in counts:
        address = queue_address(status="all", technique=technique)
        fired = Fired(technique, attack.name(technique), n, still_open, shade(n, most), address)
        for tactic in attack.tactics(technique) or (UNKNOWN,):
            found[tactic].append(fired)
    names = [name for name in (*TACTICS, UNKNOWN) if name in found]
    return HeatMap(
        tactics=[Tactic(name, found[name]) for name in names],
        quiet=[name for name in TACTICS if name not in found],
        techniques=len(counts),
        version=attack.version(),
    )


_OPEN = Q(alert__status="open")


@dataclass(frozen=True, slots=True)
class Sources:
    """Sources as judged lately, those that need a look first."""

    rows: list[SourceRow]
    total: int
    troubled: int
    judged: int


def sources() -> Sources:
    """Return every source with its last judgement: one query, over small rows whatever the traffic."""
    last = RawBatch.objects.filter(source=OuterRef("pk")).order_by("-id").values("received_at")[:1]
    named = Source.objects.select_related("health").annotate(last_seen_at=Subquery(last, output_field=DateTimeField()))
    rows = [
        SourceRow(source=row, last_seen_at=row.last_seen_at, stats=SourceStats(), stale=False, health=health.of(row))
        for row in named
    ]
    rows.sort(key=lambda row: (not row.needs_a_look, -(row.health.events if row.health else 0), row.source.name))
    return Sources(
        rows=rows[:MAX_SOURCES],
        total=len(rows),
        troubled=sum(row.needs_a_look for row in rows),
        judged=sum(row.health is not None and not row.health.is_old for row in rows),
    )


@dataclass(frozen=True, slots=True)
class Money:
    """Today's and this month's money for explanations; None where no language model is configured."""

    caps: tuple[Cap, ...]
    policy: str


def money(now: dt.datetime | None = None) -> Money | None:
    """Return what is spent of the caps: one query, none without a language model."""
    if not settings.LLM_BASE_URL:
        return None
    return Money(spending.caps(now), settings.LLM_DATA_POLICY)


@dataclass(frozen=True, slots=True)
class Mutes:
    """Mute rules in force, those that hide most first. ``hidden`` and ``shown`` are sums over all of them."""

    rules: list[MuteRule]
    total: int
    hidden: int
    shown: int


def mutes(now: dt.datetime | None = None) -> Mutes:
    """Return the rules that hide alerts now: one query."""
    in_force = MuteRule.objects.filter(ended_at__isnull=True, expires_at__gt=now or timezone.now())
    rules = list(in_force.select_related("owner", "source").order_by("-hidden_count", "-id"))
    return Mutes(
        rules=rules[:MAX_RULES],
        total=len(rules),
        hidden=sum(rule.hidden_count for rule in rules),
        shown=sum(rule.shown_count for rule in rules),
    )


def alarms() -> int:
    """Return how many drift alarms wait for a decision: one query."""
    return Alarm.objects.filter(closed_at__isnull=True).count()

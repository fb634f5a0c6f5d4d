"""Mute rules as the pages show them, and what a rule would have hidden before it is made.

Handed: a scope, or nothing. Hands on: counts over the whole result with what people decided about those alerts, and the
rules in force, soon to expire and over, each with what its audit sample said.
"""

import datetime as dt
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.utils import timezone

from alerts.models import LABELS, Alert, AlertStatus, DecidedBy, MuteRule, Severity, Verdict, VerdictValue
from triage.contracts import Rate
from triage.learning.statistics import wilson

PREVIEW_DAYS = 30
SAMPLE = 8
SOON = dt.timedelta(days=2)
MAX_OVER = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What people decided about some alerts: ``(words, alerts)`` by verdict, and how many were true positives."""

    verdicts: list[tuple[str, int]]
    true_positives: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would have hidden in the last days, and what it would hide now."""

    days: int
    total: int
    severities: list[tuple[str, int]]
    outcome: Outcome
    sample: list[Alert]
    open_now: int


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule. ``decided`` counts the alerts of its audit sample that people said something about.

    ``rate`` is the share of true positives among these, ``None`` when there is none. ``hidden_true_positives`` were
    hidden and found all the same; they are no part of the rate, because people look where they suspect something.
    """

    rule: MuteRule
    active: bool
    expires_soon: bool
    hidden_now: int
    decided: int
    true_positives: int
    rate: Rate | None
    hidden_true_positives: int

    @property
    def hidden_query(self) -> str:
        """The queue's filter for what it hides."""
        rule = self.rule
        wanted = {"status": "muted", "template": rule.template, "entity": rule.entity, "source": rule.source_id}
        return urlencode({name: value for name, value in wanted.items() if value})

    @property
    def benign(self) -> int:
        """Those of the sample that turned out to be nothing."""
        return self.decided - self.true_positives


def sampled(rule: MuteRule, alert: Alert) -> bool:
    """Whether a rule shows an alert for audit: by a hash of rule, kind and first day, so that it can be told again.

    Without the day a rule about one kind and one entity would show all of its alerts or none.
    """
    return _drawn(rule, alert.fingerprint, alert.first_seen_at)


def _drawn(rule: MuteRule, fingerprint: str, first_seen_at: dt.datetime) -> bool:
    key = f"{rule.pk}:{fingerprint}:{first_seen_at:%Y-%m-%d}"
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
    return number / 2**32 < rule.audit_share


def preview(fits: Q, open_and_fits: Q, now: dt.datetime | None = None) -> Preview:
    """Return what a rule about the alerts of ``fits`` would have hidden: five queries."""
    since = (now or timezone.now()) - dt.timedelta(days=PREVIEW_DAYS)
    rows = Alert.objects.filter(fits, created_at__gte=since)
    by_severity = dict(rows.order_by().values_list("severity").annotate(n=Count("id")))
    total = sum(by_severity.values())
    return Preview(
        days=PREVIEW_DAYS,
        total=total,
        severities=[(value, by_severity[value]) for value in reversed(Severity.values) if value in by_severity],
        outcome=_outcome(Q(alert__in=rows.order_by().values("pk")), total),
        sample=list(rows.select_related("source").order_by("-severity_rank", "-last_seen_at")[:SAMPLE]),
        open_now=Alert.objects.filter(open_and_fits).count(),
    )


def _outcome(about: Q, total: int) -> Outcome:
    """Return what people decided last about the alerts; the newest standing verdict of each counts."""
    rows = Verdict.standing.filter(about, decided_by=DecidedBy.PERSON).order_by("id")
    counts = Counter(dict(rows.values_list("alert_id", "value")).values())
    words = dict(VerdictValue.choices)
    return Outcome(
        verdicts=[(str(words[value]), count) for value, count in counts.most_common()],
        true_positives=sum(count for value, count in counts.items() if LABELS.get(value) == 1),
        undecided=total - counts.total(),
    )


def rules(now: dt.datetime | None = None) -> list[RuleRow]:
    """Return all rules in force, the next to expire first, then the newest of those that are over: four queries."""
    now = now or timezone.now()
    rows = MuteRule.objects.select_related("owner", "ended_by", "source")
    in_force = Q(ended_at=None, expires_at__gt=now)
    found = [*rows.filter(in_force).order_by("expires_at"), *rows.exclude(in_force).order_by("-id")[:MAX_OVER]]
    said = _said({rule.pk: rule for rule in found})
    muted = Alert.objects.filter(status=AlertStatus.MUTED).order_by().values_list("mute_rule")
    hidden = dict(muted.annotate(n=Count("id")))
    return [_row(rule, said.get(rule.pk, Said()), hidden.get(rule.pk, 0), now) for rule in found]


@dataclass(slots=True)
class Said:
    """What people said of a rule's alerts: labels of its audit sample, and of what it hid. 1: a true positive."""

    sample: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)


def _said(rules: dict[int, MuteRule]) -> dict[int, Said]:
    """Return what people said by rule; the newest standing verdict of an alert counts."""
    rows = Verdict.standing.filter(decided_by=DecidedBy.PERSON, alert__mute_rule__in=list(rules)).order_by("id")
    told = rows.values_list("alert_id", "alert__mute_rule", "alert__fingerprint", "alert__first_seen_at", "value")
    newest: dict[int, tuple[int, str, dt.datetime, str]] = {row[0]: row[1:] for row in told}
    found: dict[int, Said] = {}
    for rule_id, fingerprint, first_seen_at, value in newest.values():
        if value in LABELS:
            said = found.setdefault(rule_id, Said())
            drawn = _drawn(rules[rule_id], fingerprint, first_seen_at)
            (said.sample if drawn else said.hidden).append(LABELS[value])
    return found


def _row(rule: MuteRule, said: Said, hidden: int, now: dt.datetime) -> RuleRow:
    active = rule.ended_at is None and rule.expires_at > now
    labels = said.sample
    return RuleRow(
        rule=rule,
        active=active,
        expires_soon=active and rule.expires_at < now + SOON,
        hidden_now=hidden,
        decided=len(labels),
        true_positives=sum(labels),
        rate=wilson(sum(labels), len(labels)) if labels else None,
        hidden_true_positives=sum(said.hidden),
    )

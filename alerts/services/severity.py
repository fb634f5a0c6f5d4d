"""What an alert's severity is made of, and that it only rises.

Handed: an alert in memory and what is new about it: its events, or a model's answer. Hands on: the same alert with
``severity_parts``, ``severity``, techniques and suspicions up to date; the caller saves. Severity is the highest
that the pre-filter, the rules, a suspicion of injection or a language model says. Nothing here lowers it.
"""

from collections.abc import Iterable, Mapping

from alerts import grouping, hints
from alerts.models import Alert
from triage.explainers import injection
from triage.explainers.severity import raise_only, raised

#: Who may say a severity; the columns of ``Alert.severity_parts``.
PREFILTER, RULES, INJECTION, MODEL = "prefilter", "rules", "injection", "model"
#: What was written to influence its reader is at least worth a look.
LEAST_SUSPECTED = "medium"
MAX_FINDINGS = 10


def absorb(alert: Alert, events: Mapping[int, grouping.FlaggedEvent]) -> None:
    """Take in new events by their ids; ``alert.event_count`` counts them already."""
    techniques = list(alert.techniques)
    for event_id, event in events.items():
        found = hints.hints(event, count=alert.event_count)
        _say(alert, PREFILTER, grouping.band(event.p_value))
        for hint in found:
            _say(alert, RULES, hint.severity)
        techniques += hints.technique_ids(found)
        suspect(
            alert,
            [
                {"event_id": event_id, "field": one.field, "why": one.why, "excerpt": one.excerpt}
                for one in injection.suspected(event.fields, event.message)
            ],
        )
    alert.techniques = list(dict.fromkeys(techniques))[: hints.MAX_TECHNIQUES]
    _lift(alert)


def suspect(alert: Alert, findings: Iterable[Mapping[str, object]]) -> None:
    """Note texts that speak to their reader: that moves the alert up, and nothing takes it down again."""
    rows = [dict(row) for row in findings]
    if not rows:
        return
    alert.injection_suspected = True
    alert.injection_findings = (alert.injection_findings + rows)[:MAX_FINDINGS]
    _lift(alert)


def raise_by_model(alert: Alert, severity: str) -> bool:
    """Let a language model raise the severity; return whether that changed it. A lower or odd word changes nothing."""
    before = alert.severity
    if raise_only(alert.severity, "", severity) != before:
        _say(alert, MODEL, severity)
    return alert.severity != before


def _lift(alert: Alert) -> None:
    """Keep a suspected alert one step above what the pre-filter and the rules say of it."""
    if alert.injection_suspected:
        parts = alert.severity_parts
        grounds = raise_only(parts.get(PREFILTER, "low"), parts.get(RULES, ""))
        _say(alert, INJECTION, raise_only(raised(grounds), LEAST_SUSPECTED))


def _say(alert: Alert, who: str, severity: str) -> None:
    parts = dict(alert.severity_parts)
    parts[who] = raise_only(severity, parts.get(who, ""))
    alert.severity_parts = parts
    alert.severity = grouping.highest([alert.severity, *parts.values()])
    alert.severity_rank = grouping.rank(alert.severity)

"""Alerts as grouping makes them, for tests of pages, services and selectors."""

from itertools import count
from typing import Any

from django.utils import timezone

from alerts.models import Alert, AlertEvent, Explanation
from tests.alerts.flagged_events import REASON, START, flagged
from triage.models import Source

_NUMBERS = count(1)
#: Far from any batch a test makes: these events have no raw record.
_EVENT_IDS = count(2**50)
RANKS = {"info": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}
#: What attackers write into every field that is shown.
HOSTILE = '<script>window.hit=1</script><img src=x onerror="window.hit=2"> {{ 7*7 }} \'"> \u202etxt.exe'


def make_alert(source: Source, **fields: Any) -> Alert:
    """Return an open alert without events."""
    severity = fields.get("severity", "high")
    defaults = {
        "fingerprint": f"{next(_NUMBERS):064d}",
        "severity": severity,
        "severity_rank": RANKS[severity],
        "title": "Accepted password for backup",
        "entity": "user:backup",
        "source": source,
        "host_name": "db-1",
        "score": 7.5,
        "p_value": 0.0005,
        "event_count": 1,
        "first_seen_at": timezone.now(),
        "last_seen_at": timezone.now(),
    }
    return Alert.objects.create(**(defaults | fields))


def make_full_alert(source: Source, *, text: str = "backup logged in", events: int = 1, **fields: Any) -> Alert:
    """Return an alert with events, an explanation and evidence, every one of them saying ``text``."""
    alert = make_alert(source, explanation_state="done", event_count=events, **fields)
    document = {"user.name": text, "message": text}
    for _ in range(events):
        event = flagged(source, id=next(_EVENT_IDS), message=text, entity=alert.entity, document=document)
        reason = REASON | {"text": text, "observed": text, "baseline": text, "fields": [text]}
        AlertEvent.objects.create(
            alert=alert, event_id=event.pk, timestamp=START, score=7.5, p_value=0.0005, reasons=[reason]
        )
    Explanation.objects.create(
        alert=alert,
        explainer="evidence",
        answer={"what_happened": [{"text": text, "evidence": [1, 9]}], "next_checks": [text], "techniques": [text]},
        evidence=[{"number": 1, "origin": text[:20], "text": text}],
    )
    return alert

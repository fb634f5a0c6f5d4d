"""An alert as it is handed to other programs.

Handed: an alert's number. Hands on: a :class:`~alerts.cases.Case`, read like its page, with the documents of its
strongest events.
"""

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from alerts.cases import Case, CaseEvent, Decision
from alerts.indicators import indicators
from alerts.models import LABELS, Verdict
from alerts.selectors.alert import AlertPage, EventView, alert_page, reasons
from alerts.selectors.explanation import STRUCK, ExplanationView
from alerts.selectors.tries import texts
from triage import attack, documents


class BlindAuditError(RuntimeError):
    """The alert is a blind audit that nobody has decided; handing it out would tell what its reviewer must not know."""


def case(alert_id: int) -> Case:
    """Return an alert as a case: about ten queries. Raises ``Alert.DoesNotExist`` and :class:`BlindAuditError`."""
    shown = alert_page(alert_id)
    if shown.blind:
        raise BlindAuditError("a blind audit can be exported once it is decided")
    alert, view = shown.alert, shown.explanation
    events = [_event(one) for one in shown.events]
    return Case(
        id=alert.pk,
        url=f"{settings.PUBLIC_URL.rstrip('/')}{reverse('alert', args=[alert.pk])}" if settings.PUBLIC_URL else "",
        status=alert.status,
        title=alert.title,
        severity=alert.severity,
        source=alert.source.name,
        entity=alert.entity,
        host=alert.host_name,
        user=alert.user_name,
        source_ip=alert.source_ip,
        process=alert.process_name,
        score=alert.score,
        p_value=alert.p_value,
        model_version=_version(shown),
        event_count=alert.event_count,
        first_seen_at=alert.first_seen_at,
        last_seen_at=alert.last_seen_at,
        created_at=alert.created_at,
        exported_at=timezone.now(),
        techniques=tuple((one, attack.name(one)) for one in texts(alert.techniques) if attack.is_known(one)),
        injection_suspected=alert.injection_suspected,
        decision=_decision(shown.verdict),
        explanation=_sections(view),
        explained_by=_author(view),
        evidence=tuple(str(line.get("text", "")) for line in view.evidence) if view else (),
        next_checks=tuple(one.text for one in view.next_checks) if view else (),
        events=tuple(events),
        indicators=tuple(indicators([{"source.ip": alert.source_ip}, *(one.fields for one in events)])),
    )


def _version(shown: AlertPage) -> str:
    top = shown.top
    return top.link.model_version.version if top and top.link.model_version else ""


def _event(view: EventView) -> CaseEvent:
    link, event = view.link, view.event
    return CaseEvent(
        id=link.event_id,
        timestamp=link.timestamp,
        score=link.score,
        p_value=link.p_value,
        message=documents.of(event).message if event else None,
        fields=documents.fields_of(event) if event else {},
        reasons=tuple(one.text for one in reasons(link.reasons)),
    )


def _decision(verdict: Verdict | None) -> Decision | None:
    if verdict is None:
        return None
    label = LABELS.get(verdict.value)
    return Decision(
        value=verdict.value,
        label=verdict.get_value_display(),
        note=verdict.note,
        by=verdict.user.get_username() if verdict.user else "automation",
        at=verdict.created_at,
        malicious=None if label is None else label == 1,
    )


def _sections(view: ExplanationView | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what the explanation says, without what the check against the evidence struck."""
    if view is None:
        return ()
    return tuple(
        (section.heading, tuple(claim.text for claim in section.claims if claim.status != STRUCK))
        for section in view.sections
    )


def _author(view: ExplanationView | None) -> str:
    if view is None:
        return ""
    if not view.is_model:
        return "Winnow, from the evidence"
    return f"language model {view.row.model}, {view.grounded} of {view.claims} claims borne out by the evidence"

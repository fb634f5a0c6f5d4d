"""Mute rules: a person hides alerts of a kind for a while; each is counted, and a share is shown all the same.

Handed: an alert, what of it the rule is about, and who asks; later, alerts as grouping opens and extends them. Hands
on: rules, and alerts that are muted or shown for audit. A rule hides nothing above its severity, nothing with a
suspected injection, nothing somebody else has taken, nothing escalated or decided, and no blind audit. What it hides
comes back when it rises above that, when the rule is over and something new happens, or when a person wants it back.

Locks are taken on alerts first and on a rule last, or on one of them alone, so that nobody waits in a circle.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from alerts import grouping
from alerts.models import (
    ActionKind,
    Alert,
    AlertOrigin,
    AlertStatus,
    AuditEntry,
    DecidedBy,
    ExplanationState,
    MuteRule,
    ReviewAction,
    ReviewedAlert,
    Severity,
    Verdict,
)
from alerts.permissions import has_role
from alerts.selectors.mutes import sampled
from alerts.services import actions, audit
from alerts.services.actions import Change
from triage.models import Role, User

AUTOMATION = "mute rules"
MAX_DAYS, MAX_REASON = 90, 2000
#: An analyst's rule hides at most this; a lead's hides what it says.
MOST_FOR_ANALYSTS = "medium"
LEAST_SHARE = 0.01
CHUNK = 500


class MuteError(ValueError):
    """The rule makes no sense or reaches too far; nothing was changed. The message says why."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What of an alert a rule is about; every part that is set must hold. Severity: nothing above it is hidden."""

    template: str = ""
    entity: str = ""
    source_id: int | None = None
    max_severity: str = "low"

    @classmethod
    def of(cls, alert: Alert, *, template: bool, entity: bool, source: bool, max_severity: str) -> "Scope":
        """Return the scope that takes the named parts from an alert."""
        return cls(
            template=alert.template if template else "",
            entity=alert.entity if entity else "",
            source_id=alert.source_id if source else None,
            max_severity=max_severity,
        )

    @classmethod
    def of_rule(cls, rule: MuteRule) -> "Scope":
        """Return a rule's scope."""
        return cls(rule.template, rule.entity, rule.source_id, rule.max_severity)

    def condition(self) -> Q:
        """Return the alerts that it is about and may be hidden, whatever their status."""
        found = Q(origin=AlertOrigin.FLAGGED, injection_suspected=False)
        found &= Q(severity_rank__lte=grouping.rank(self.max_severity))
        if self.template:
            found &= Q(template=self.template)
        if self.entity:
            found &= Q(entity=self.entity)
        if self.source_id:
            found &= Q(source_id=self.source_id)
        return found

    def fits(self, alert: Alert) -> bool:
        """Whether it is about an alert in memory and may hide it."""
        return (
            alert.origin == AlertOrigin.FLAGGED
            and not alert.injection_suspected
            and alert.severity_rank <= grouping.rank(self.max_severity)
            and self.template in ("", alert.template)
            and self.entity in ("", alert.entity)
            and self.source_id in (None, alert.source_id)
        )


def hideable(user: User, example_id: int | None = None, now: dt.datetime | None = None) -> Q:
    """Return the open alerts that a rule of a person may hide at once, whatever it is about.

    Nobody has done anything about them, or only this person; one that is being explained may rise meanwhile and stays.
    """
    nobody = Q(first_action_at=None, assignee=None)
    mine = Q(assignee=user) | Q(pk=example_id, assignee=None)
    over = Q(mute_rule__ended_at__isnull=False) | Q(mute_rule__expires_at__lte=now or timezone.now())
    found = Q(status=AlertStatus.OPEN, escalated_at=None) & (nobody | mine) & (Q(mute_rule=None) | over)
    decided = Exists(Verdict.standing.filter(alert=OuterRef("pk")))
    return found & ~Q(explanation_state=ExplanationState.RUNNING) & ~Q(decided)


def why_it_stays(alert: Alert, scope: Scope, user: User) -> str:
    """Return why an alert stays in view under a person's rule, in words; empty when the rule may hide it."""
    reasons = {
        "it is not open": alert.status != AlertStatus.OPEN,
        "text in its events speaks to its reader": alert.injection_suspected,
        f"it is {alert.get_severity_display().lower()}": alert.severity_rank > grouping.rank(scope.max_severity),
        "it is escalated": alert.escalated_at is not None,
        "somebody else works on it": alert.assignee_id not in (None, user.pk),
        "it is being explained at this moment": alert.explanation_state == ExplanationState.RUNNING,
        "it has a verdict": alert.pk is not None and Verdict.standing.filter(alert=alert).exists(),
    }
    return next((words for words, holds in reasons.items() if holds), "")


def mute(
    *,
    alert_id: int,
    user: User,
    scope: Scope,
    reason: str,
    days: int,
    audit_share: float = 0.05,
    now: dt.datetime | None = None,
) -> MuteRule:
    """Make a rule and hide what is open and untouched; one transaction, one action to undo.

    Raises :class:`MuteError` and ``Alert.DoesNotExist``.
    """
    now, reason = now or timezone.now(), _checked(user, scope, reason, days, audit_share)
    with transaction.atomic():
        example = Alert.objects.get(pk=alert_id)
        rule = MuteRule.objects.create(
            owner=user, reason=reason, expires_at=now + dt.timedelta(days=days), example=example,
            template=scope.template, template_title=example.title if scope.template else "", entity=scope.entity,
            source_id=scope.source_id, max_severity=scope.max_severity, audit_share=audit_share,
        )  # fmt: skip
        hidden, shown = _apply(rule, user, now)
        details = {"rule": rule.pk, "reason": reason, "hidden": hidden, "shown": shown, **_told(rule)}
        audit.record_person(action="mute.made", user=user, details=details)
    return rule


def _checked(user: User, scope: Scope, reason: str, days: int, audit_share: float) -> str:
    reason = reason.replace("\0", "").strip()
    if not scope.template and not scope.entity:
        raise MuteError("say what to mute: this kind of alert, this entity, or both")
    if not reason or len(reason) > MAX_REASON:
        raise MuteError(f"a reason of 1 to {MAX_REASON} characters")
    if not 1 <= days <= MAX_DAYS:
        raise MuteError(f"for 1 to {MAX_DAYS} days")
    if not LEAST_SHARE <= audit_share <= 1:
        raise MuteError("between 1 and 100 % must be shown for audit")
    if scope.max_severity not in may_mute(user):
        raise MuteError(f"only a lead may mute above {MOST_FOR_ANALYSTS}")
    return reason


def may_mute(user: User) -> list[str]:
    """Return the severities a person's rule may hide."""
    if has_role(user, Role.LEAD):
        return list(Severity.values)
    return [value for value in Severity.values if grouping.rank(value) <= grouping.rank(MOST_FOR_ANALYSTS)]


def _told(rule: MuteRule) -> dict[str, object]:
    return {
        "template": rule.template, "entity": rule.entity, "source": rule.source_id, "max_severity": rule.max_severity,
        "expires_at": rule.expires_at.isoformat(), "audit_share": rule.audit_share,
    }  # fmt: skip


def _apply(rule: MuteRule, user: User, now: dt.datetime) -> tuple[int, int]:
    """Hide what is open and may be hidden; return how many were hidden and how many are shown for audit."""
    wanted = Scope.of_rule(rule).condition() & hideable(user, rule.example_id, now)
    rows = Alert.objects.select_for_update(of=("self",)).filter(wanted)
    found = list(rows.defer("injection_findings", "severity_parts", "kind").order_by("fingerprint", "pk"))
    drawn = {alert.pk for alert in found if sampled(rule, alert)}
    shown = [alert for alert in found if alert.pk in drawn]
    hidden = [alert for alert in found if alert.pk not in drawn]
    for part in _parts(shown):
        part.update(mute_rule=rule, revision=F("revision") + 1, updated_at=now)
    for part in _parts(hidden):
        part.update(status=AlertStatus.MUTED, mute_rule=rule, revision=F("revision") + 1, updated_at=now)
    MuteRule.objects.filter(pk=rule.pk).update(hidden_count=len(hidden), shown_count=len(shown))
    after = {"status": AlertStatus.MUTED.value, "mute_rule_id": rule.pk}
    changes = [Change(one.pk, actions.state_of(one), after, one.revision + 1) for one in hidden]
    changes += [Change(one.pk, actions.state_of(one), {"mute_rule_id": rule.pk}, one.revision + 1) for one in shown]
    actions.keep(user=user, kind=ActionKind.MUTE, value=str(rule.pk), changes=changes)
    _note(found, user, "mute", {"rule": rule.pk, "reason": rule.reason[:200]}, drawn)
    return len(hidden), len(shown)


def _note(alerts: list[Alert], user: User, action: str, details: dict[str, object], drawn: Iterable[int] = ()) -> None:
    """Write one audit entry for each alert; of those in ``drawn`` that they are shown for audit."""
    entries = (
        AuditEntry(
            alert_id=one.pk,
            actor=user.get_username(),
            actor_kind=DecidedBy.PERSON,
            action=action,
            details=details | ({"shown": True} if one.pk in drawn else {}),
        )
        for one in alerts
    )
    AuditEntry.objects.bulk_create(entries, batch_size=CHUNK)


def _parts(alerts: list[Alert]) -> Iterator[QuerySet[Alert]]:
    for start in range(0, len(alerts), CHUNK):
        yield Alert.objects.filter(pk__in=[alert.pk for alert in alerts[start : start + CHUNK]])


def end(*, rule_id: int, user: User, bring_back: bool, now: dt.datetime | None = None) -> int:
    """End a rule; with ``bring_back`` what it hides is open again. Return how many came back.

    Of a rule that is over already, what it still hides can be brought back. The rule ends first and by itself: from
    then on grouping hides nothing by it, and what it hid until then is found.

    Raises ``MuteRule.DoesNotExist`` and :class:`MuteError`.
    """
    now = now or timezone.now()
    with transaction.atomic():
        rule = MuteRule.objects.select_for_update().get(pk=rule_id)
        if rule.owner_id != user.pk and not has_role(user, Role.LEAD):
            raise MuteError("only its owner or a lead may end a rule")
        if rule.ended_at is not None and not bring_back:
            raise MuteError("the rule was ended already")
        if rule.ended_at is None:
            rule.ended_at, rule.ended_by = now, user
            rule.save(update_fields=["ended_at", "ended_by"])
            details = {"rule": rule.pk, "bring_back": bring_back}
            audit.record_person(action="mute.ended", user=user, details=details)
    return _bring_back(Q(mute_rule=rule), rule, user, now) if bring_back else 0


def bring_back_rest(*, action: ReviewAction, user: User) -> int:
    """Open what an undone rule has hidden since it was made; return how many. Undoing saw to the others."""
    rule = MuteRule.objects.get(pk=int(action.value))
    since = ~Exists(ReviewedAlert.objects.filter(action=action, alert=OuterRef("pk")))
    return _bring_back(Q(since, mute_rule=rule), rule, user, timezone.now())


def _bring_back(which: Q, rule: MuteRule, user: User, now: dt.datetime) -> int:
    with transaction.atomic():
        rows = Alert.objects.select_for_update(of=("self",)).filter(which, status=AlertStatus.MUTED)
        found = list(rows.only("pk", "fingerprint").order_by("fingerprint", "pk"))
        for part in _parts(found):
            part.update(status=AlertStatus.OPEN, mute_rule=None, revision=F("revision") + 1, updated_at=now)
        _note(found, user, "unmute", {"rule": rule.pk})
    return len(found)


@dataclass(slots=True)
class Judge:
    """The rules in force during one pass of grouping, and what they did in it."""

    rules: dict[int, MuteRule]
    hidden: dict[int, list[Alert]] = field(default_factory=lambda: defaultdict(list))
    shown: dict[int, list[Alert]] = field(default_factory=lambda: defaultdict(list))
    came_back: list[Alert] = field(default_factory=list)

    @classmethod
    def now(cls) -> "Judge":
        """Read the rules that are in force: one query."""
        rows = MuteRule.objects.filter(ended_at=None, expires_at__gt=timezone.now()).order_by("id")
        return cls({rule.pk: rule for rule in rows})

    def judge(self, alert: Alert) -> None:
        """Mute an alert that was just opened or extended, or let it come back; the caller saves it."""
        if alert.status == AlertStatus.MUTED:
            rule = self.rules.get(alert.mute_rule_id or 0)
            if rule is not None and Scope.of_rule(rule).fits(alert):
                return
            alert.status, alert.mute_rule = AlertStatus.OPEN, None
            self.came_back.append(alert)
        if _is_untouched(alert):
            self._hide(alert)

    def _hide(self, alert: Alert) -> None:
        for rule in self.rules.values():
            if not Scope.of_rule(rule).fits(alert):
                continue
            if alert.pk is not None and Verdict.standing.filter(alert=alert).exists():
                return
            alert.mute_rule = rule
            if sampled(rule, alert):
                self.shown[rule.pk].append(alert)
            else:
                alert.status = AlertStatus.MUTED
                self.hidden[rule.pk].append(alert)
            return

    def write(self) -> None:
        """Count what was hidden and shown, and note what came back; inside the pass's transaction.

        A rule that was ended since the pass began hides nothing: what it hid in this pass is open again.
        """
        now = timezone.now()
        for pk in sorted({*self.hidden, *self.shown}):
            hidden, shown = self.hidden.get(pk, []), self.shown.get(pk, [])
            in_force = MuteRule.objects.filter(pk=pk, ended_at=None).update(
                hidden_count=F("hidden_count") + len(hidden),
                shown_count=F("shown_count") + len(shown),
                last_hit_at=now,
            )
            if not in_force:
                _forget([*hidden, *shown])
        for alert in self.came_back:
            if alert.status == AlertStatus.OPEN:
                audit.record_automation(action="unmute", automation=AUTOMATION, alert=alert, details={})


def _forget(alerts: list[Alert]) -> None:
    """Open what a rule hid or marked in a pass, as if it had not been there."""
    for part in _parts(alerts):
        part.update(status=AlertStatus.OPEN, mute_rule=None)
    for alert in alerts:
        alert.status, alert.mute_rule = AlertStatus.OPEN, None


def _is_untouched(alert: Alert) -> bool:
    return (
        alert.status == AlertStatus.OPEN
        and alert.mute_rule_id is None
        and alert.first_action_at is None
        and alert.assignee_id is None
        and alert.escalated_at is None
    )

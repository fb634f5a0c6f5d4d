"""What of the queue is asked for: a filter that reads itself from a query string and writes itself into one.

Handed: the parameters of a request and who asks. Hands on: a :class:`QueueFilter`, and the alerts that match it. The
query string is canonical: defaults are left out and the order is fixed, so that equal filters have equal addresses.
"""

from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict

from alerts.models import Alert, AlertOrigin, AlertStatus, AlertTechnique, ExplanationState, Severity
from triage.models import User

MAX_SEARCH_CHARACTERS = 200
STATUSES = (AlertStatus.OPEN.value, AlertStatus.MUTED.value, AlertStatus.CLOSED.value, "all")
#: Who has the alert: the reader, nobody, or a person by number.
ME, NOBODY = "me", "nobody"
#: What an alert can be marked as.
MARKS = {
    "escalated": "Escalated",
    "suspected": "Suspected injection",
    "sample": "Shown for audit of a mute",
    "blind": "Blind audit",
}
BY_TEMPLATE, BY_NOTHING = "template", "none"
SEARCHED = ("title", "entity", "host_name", "user_name", "source_ip", "process_name")
#: Parameter of the address -> field of the filter, in the order of the canonical query string.
PARAMETERS = {
    "status": "status",
    "severity": "severity",
    "source": "source",
    "entity": "entity",
    "technique": "technique",
    "assignee": "assignee",
    "version": "version",
    "explanation": "explanation",
    "mark": "mark",
    "template": "template",
    "q": "search",
    "group": "group",
}
#: An open blind audit answers to none of these: each says what its reviewer must not know.
HIDDEN_FROM_AUDITS = ("severity", "technique", "version", "explanation")


class FilterError(ValueError):
    """A filter parameter has a value that means nothing; the message names the parameter."""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What of the queue to show. Empty texts and 0 ask for nothing in particular; ``viewer`` is whom ``me`` means."""

    status: str = AlertStatus.OPEN.value
    severity: str = ""
    source: int = 0
    entity: str = ""
    technique: str = ""
    assignee: str = ""
    version: int = 0
    explanation: str = ""
    mark: str = ""
    template: str = ""
    search: str = ""
    group: str = BY_TEMPLATE
    viewer: int = field(default=0, compare=False)

    @classmethod
    def read(cls, parameters: QueryDict, viewer: object = None) -> "QueueFilter":
        """Read a query string; raise :class:`FilterError` for a value that means nothing."""
        text = {name: _text(parameters.get(name, "")) for name in PARAMETERS}
        return cls(
            status=_one_of("status", text["status"] or AlertStatus.OPEN.value, STATUSES),
            severity=_one_of("severity", text["severity"], ("", *Severity.values)),
            source=_number("source", text["source"]),
            entity=text["entity"],
            technique=text["technique"],
            assignee=_assignee(text["assignee"]),
            version=_number("version", text["version"]),
            explanation=_one_of("explanation", text["explanation"], ("", *ExplanationState.values)),
            mark=_one_of("mark", text["mark"], ("", *MARKS)),
            template=text["template"],
            search=text["q"],
            group=_one_of("group", text["group"] or BY_TEMPLATE, (BY_TEMPLATE, BY_NOTHING)),
            viewer=viewer.pk if isinstance(viewer, User) else 0,
        )

    def query(self, **changes: str | int) -> str:
        """Return the query string of this filter with some fields changed; defaults are left out."""
        return urlencode(self.changed(**changes).pairs())

    def changed(self, **changes: str | int) -> "QueueFilter":
        """Return this filter with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]  # names are checked by replace()

    def pairs(self) -> list[tuple[str, str]]:
        """Return parameter and value of all that is not as usual, in the canonical order."""
        usual = QueueFilter()
        return [
            (parameter, str(getattr(self, name)))
            for parameter, name in PARAMETERS.items()
            if getattr(self, name) != getattr(usual, name)
        ]

    @property
    def narrowed(self) -> bool:
        """Whether anything beyond the default is asked for; how it is laid out does not count."""
        return self.changed(group=BY_TEMPLATE) != QueueFilter()

    @property
    def grouped(self) -> bool:
        """Whether alerts of a kind are shown as one group."""
        return self.group == BY_TEMPLATE


def _text(value: str) -> str:
    return value.replace("\0", "").strip()[:MAX_SEARCH_CHARACTERS]


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise FilterError(f"{name}: one of {', '.join(one for one in allowed if one)}")
    return value


def _number(name: str, value: str) -> int:
    if not value:
        return 0
    if not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise FilterError(f"{name}: a number")
    return int(value)


def _assignee(value: str) -> str:
    return value if value in (ME, NOBODY) else str(_number("assignee", value) or "")


def matching(wanted: QueueFilter) -> QuerySet[Alert]:
    """Return the alerts a filter asks for, unordered."""
    return Alert.objects.filter(condition(wanted))


def condition(wanted: QueueFilter) -> Q:
    """Return a filter as a condition on alerts."""
    found = names_condition(wanted)
    if wanted.status != "all":
        found &= Q(status=wanted.status)
    if wanted.severity:
        found &= Q(severity=wanted.severity)
    if wanted.source:
        found &= Q(source_id=wanted.source)
    if wanted.version:
        found &= Q(model_version_id=wanted.version)
    if wanted.explanation:
        found &= Q(explanation_state=wanted.explanation)
    if wanted.assignee:
        person = whose(wanted)
        found &= Q(assignee__isnull=True) if person is None else Q(assignee_id=person)
    if wanted.mark:
        found &= marked(wanted.mark)
    if any(getattr(wanted, name) for name in HIDDEN_FROM_AUDITS):
        found &= ~Q(origin=AlertOrigin.BLIND_AUDIT, status=AlertStatus.OPEN)
    return found


def names_condition(wanted: QueueFilter) -> Q:
    """Return what a filter asks of columns with many values: texts, entity, template, technique."""
    found = Q()
    if wanted.search:
        for column in SEARCHED:
            found |= Q(**{f"{column}__icontains": wanted.search})
    if wanted.entity:
        found &= Q(entity=wanted.entity)
    if wanted.template:
        found &= Q(template=wanted.template) | Q(template="", fingerprint=wanted.template)
    if wanted.technique:
        fired = AlertTechnique.objects.filter(technique_id=wanted.technique)
        found &= Q(pk__in=fired.values("alert_id"))
    return found


def marked(mark: str) -> Q:
    """Return the condition of a mark."""
    if mark == "escalated":
        return Q(escalated_at__isnull=False)
    if mark == "suspected":
        return Q(injection_suspected=True)
    if mark == "sample":
        return Q(mute_rule__isnull=False, status=AlertStatus.OPEN)
    return Q(origin=AlertOrigin.BLIND_AUDIT)


def whose(wanted: QueueFilter) -> int | None:
    """Return whose alerts are asked for: a person's number, None for nobody's; ``me`` without a reader has none."""
    if wanted.assignee == NOBODY:
        return None
    return wanted.viewer if wanted.assignee == ME else int(wanted.assignee)

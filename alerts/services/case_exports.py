"""An alert taken out of Winnow as a file for another program, with its audit entry.

Handed: an alert's number, a form and who asks. Hands on: the file. Nothing is handed out that is not in the trail.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from alerts import cases, stix
from alerts.cases import Case
from alerts.models import Alert
from alerts.selectors.case import case as read_case
from alerts.services import audit
from triage.explainers.endpoints import safety_identifier
from triage.models import User

JSON = "application/json"
#: Forms by their name in an address: what people call them, media type, ending of the file.
FORMS: dict[str, tuple[str, str, str]] = {
    "json": ("JSON", JSON, "json"),
    "thehive": ("TheHive", JSON, "thehive.json"),
    "iris": ("DFIR-IRIS", JSON, "iris.json"),
    "stix": ("STIX 2.1", "application/stix+json;version=2.1", "stix.json"),
}
_WRITERS: dict[str, Callable[[Case], dict[str, Any]]] = {
    "json": cases.plain, "thehive": cases.thehive, "iris": cases.iris,
}  # fmt: skip


class ExportError(RuntimeError):
    """The alert cannot be handed out so; nothing was. The message says why."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A file to hand out."""

    name: str
    media_type: str
    content: bytes


def export(*, alert_id: int, form: str, user: User) -> CaseFile:
    """Return an alert's file and write down who took it. Raises ``Alert.DoesNotExist`` and :class:`ExportError`.

    STIX holds indicators, so it is there for alerts whose verdict is malicious only, and where there are any.
    """
    if form not in FORMS:
        raise ExportError(f"format: one of {', '.join(FORMS)}")
    case = read_case(alert_id)
    _, media_type, ending = FORMS[form]
    content = _stix(case) if form == "stix" else json.dumps(_WRITERS[form](case), indent=2)
    details = {"format": form, "events": len(case.events), "indicators": len(case.indicators)}
    audit.record_person(action="alert.exported", user=user, alert=Alert(pk=alert_id), details=details)
    return CaseFile(f"winnow-alert-{alert_id}.{ending}", media_type, content.encode())


def _stix(case: Case) -> str:
    if case.decision is None or not case.decision.malicious:
        raise ExportError("STIX holds indicators of alerts found malicious; this one was not")
    if not stix.told(case):
        raise ExportError("no address, name, link or hash of its events means the same outside")
    own = safety_identifier(secret=settings.SECRET_KEY, subject="stix")
    return stix.bundle(case, installation=own)

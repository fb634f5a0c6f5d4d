"""The audit trail as its page and its export read it.

Handed: a filter. Hands on: entries, newest first, page by page; the cursor is the id of the last one.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_date

from alerts.models import AuditEntry

PAGE = 100
#: How many entries are looked at for the actions to choose from.
LOOKED_AT = 20_000
MAX_EXPORT = 100_000
MAX_TEXT = 150


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """What of the trail to show; empty asks for nothing in particular, days are UTC and both count."""

    actor: str = ""
    action: str = ""
    alert: int = 0
    since: dt.date | None = None
    until: dt.date | None = None

    @classmethod
    def read(cls, parameters: QueryDict) -> "TrailFilter":
        """Read a query string; what means nothing is left out."""
        alert = parameters.get("alert", "")
        return cls(
            actor=_text(parameters.get("actor", "")),
            action=_text(parameters.get("action", "")),
            alert=int(alert) if alert.isascii() and alert.isdigit() and len(alert) <= 15 else 0,
            since=_day(parameters.get("since", "")),
            until=_day(parameters.get("until", "")),
        )

    def query(self) -> str:
        """Return the query string; what is not asked for is left out."""
        pairs = {
            "actor": self.actor, "action": self.action, "alert": self.alert or "",
            "since": self.since or "", "until": self.until or "",
        }  # fmt: skip
        return urlencode({name: value for name, value in pairs.items() if value})


def _text(value: str) -> str:
    return value.replace("\0", "").strip()[:MAX_TEXT]


def _day(value: str) -> dt.date | None:
    try:
        return parse_date(value)
    except ValueError:  # such as the 31st of June
        return None


def matching(wanted: TrailFilter) -> QuerySet[AuditEntry]:
    """Return the entries a filter asks for, newest first."""
    rows = AuditEntry.objects.order_by("-id")
    if wanted.actor:
        rows = rows.filter(actor=wanted.actor)
    if wanted.action:
        rows = rows.filter(action=wanted.action)
    if wanted.alert:
        rows = rows.filter(alert=wanted.alert)
    if wanted.since:
        rows = rows.filter(created_at__gte=dt.datetime.combine(wanted.since, dt.time(), dt.UTC))
    if wanted.until and wanted.until < dt.date.max:
        rows = rows.filter(created_at__lt=dt.datetime.combine(wanted.until + dt.timedelta(days=1), dt.time(), dt.UTC))
    return rows


def page(wanted: TrailFilter, *, before: int = 0) -> tuple[list[AuditEntry], int]:
    """Return a page of entries and where the next one starts (0: there is none): one query."""
    rows = matching(wanted)
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else 0


def actions(chosen: str = "") -> list[str]:
    """Return the actions of the newest entries and the one that is chosen, sorted: one query of bounded cost."""
    newest = AuditEntry.objects.order_by("-id").values("pk")[:LOOKED_AT]
    rows = AuditEntry.objects.filter(pk__in=newest).order_by().values_list("action", flat=True).distinct()
    return sorted({*rows, chosen} - {""})


def lines(wanted: TrailFilter) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield the rows of an export, at most :data:`MAX_EXPORT`: time, actor, kind, action, alert, details."""
    for entry in matching(wanted)[:MAX_EXPORT].iterator(chunk_size=2000):
        alert = "" if entry.alert_id is None else str(entry.alert_id)
        details = json.dumps(entry.details, ensure_ascii=False)
        yield entry.created_at.isoformat(), entry.actor, entry.actor_kind, entry.action, alert, details

"""What is known about the language models that are asked, without asking them.

Handed: the settings and the note that the hourly look leaves (:mod:`alerts.services.endpoints`). Hands on: one
:class:`EndpointStatus` per configured tier. Nothing here goes out on the network, not even to resolve a name, so a page
may show it.
"""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from alerts.models import CallTier, RawConsent
from triage import state
from triage.explainers import breaker, endpoints
from triage.explainers.base import SHUTDOWN_WARN_DAYS

#: A look older than this says that no worker looks any more.
OLD_AFTER = dt.timedelta(hours=3)
OK, WARN, FAIL, UNKNOWN = "ok", "warn", "fail", "unknown"


@dataclass(frozen=True, slots=True)
class Configured:
    """A tier's endpoint as the settings name it."""

    tier: str
    base_url: str
    api_key: str
    model: str

    @property
    def label(self) -> str:
        """The tier in words."""
        return str(CallTier(self.tier).label)

    @property
    def name(self) -> str:
        """Host and port, the name that consent is given for."""
        return endpoints.name(self.base_url)


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """What the last look at an endpoint found. None means not known; ``checked_at`` is None before the first look.

    ``reachable`` when it answered and let us in, ``listed`` whether it offers the model (None: it has no list).
    ``level`` is ok, warn, fail or unknown, ``detail`` the sentence for it. ``waits_s`` is how long the endpoint is
    left alone for, and ``waits_why``. ``consented_by`` is who agreed that names go there as they are.
    """

    tier: str
    label: str
    endpoint: str
    model: str
    policy: str
    checked_at: dt.datetime | None
    is_old: bool
    inside: bool | None
    reachable: bool | None
    listed: bool | None
    shutdown_date: dt.date | None
    days_left: int | None
    level: str
    detail: str
    waits_s: float
    waits_why: str
    consented_by: str
    consented_at: dt.datetime | None


def configured() -> tuple[Configured, ...]:
    """Return the endpoints that may be asked, the first model's first."""
    found = (
        Configured(CallTier.SMALL, settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_MODEL),
        Configured(CallTier.LARGE, settings.LLM_LARGE_BASE_URL, settings.LLM_LARGE_API_KEY, settings.LLM_LARGE_MODEL),
    )
    return tuple(each for each in found if each.base_url)


def note_name(tier: str) -> str:
    """Return the name of the shared note about a tier's endpoint."""
    return f"endpoint-{tier}"


def endpoint_status(now: dt.datetime | None = None) -> tuple[EndpointStatus, ...]:
    """Return what is known about each configured endpoint; empty when no model is configured."""
    return tuple(_status(each, now or timezone.now()) for each in configured())


def _status(each: Configured, now: dt.datetime) -> EndpointStatus:
    look = _look(each)
    checked_at = dt.datetime.fromisoformat(look["checked_at"]) if look else None
    last_day = dt.date.fromisoformat(look["shutdown_date"]) if look.get("shutdown_date") else None
    days_left = None if last_day is None else (last_day - now.date()).days
    left_alone = breaker.loads(state.note(breaker.note_name((each.base_url, each.model))))
    consent = RawConsent.objects.filter(endpoint=each.name, withdrawn_at__isnull=True).select_related("user").first()
    level, detail = judged(each.model, look.get("reachable"), look.get("listed"), days_left, look.get("note", ""))
    return EndpointStatus(
        tier=each.tier,
        label=each.label,
        endpoint=each.name,
        model=each.model,
        policy=settings.LLM_DATA_POLICY,
        checked_at=checked_at,
        is_old=checked_at is not None and now - checked_at > OLD_AFTER,
        inside=look.get("inside"),
        reachable=look.get("reachable"),
        listed=look.get("listed"),
        shutdown_date=last_day,
        days_left=days_left,
        level=level,
        detail=detail,
        waits_s=breaker.wait_seconds(left_alone, now.timestamp()),
        waits_why=left_alone.why,
        consented_by=consent.user.get_username() if consent else "",
        consented_at=consent.created_at if consent else None,
    )


def _look(each: Configured) -> dict[str, Any]:
    """Return the last look at this endpoint and model; empty when there is none, or it was at another one."""
    try:
        found = json.loads(state.note(note_name(each.tier)) or "{}")
    except ValueError:
        return {}
    same = isinstance(found, dict) and (found.get("endpoint"), found.get("model")) == (each.name, each.model)
    return found if same else {}


def judged(
    model: str, reachable: bool | None, listed: bool | None, days_left: int | None, note: str
) -> tuple[str, str]:
    """Return the level of a look and its sentence.

    >>> judged("m", True, True, 30, "")
    ('warn', 'm will be shut down in 30 days')
    """
    if reachable is None:
        return UNKNOWN, "not looked at yet"
    if not reachable or listed is False:
        return FAIL, f"{model}: {note}"
    if listed is None:
        return WARN, f"{model}: {note}"
    if days_left is None:
        return OK, f"{model} is offered; no shutdown is announced"
    if days_left < 0:
        return FAIL, f"{model} was shut down {_days(-days_left)} ago"
    return WARN if days_left < SHUTDOWN_WARN_DAYS else OK, f"{model} will be shut down in {_days(days_left)}"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"

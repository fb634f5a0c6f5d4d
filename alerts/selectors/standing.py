"""What is wrong with Winnow's own workings now, to be told on channels that want it.

Handed: the clock. Hands on: one :class:`Standing` per thing that is wrong, in words; nothing that was not measured. It
reads what other parts found (alarms, the health of sources, caps, endpoints, channels) and judges nothing itself.
"""

import datetime as dt
import re
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from alerts.models import Alert, AlertOrigin, AlertStatus, Delivery, DeliveryState, Severity, Topic
from alerts.selectors import endpoints, llm, standstill
from triage import canary, health, watch
from triage.models import Alarm

#: Topics of which the end is told as well. Alarms are closed by people, and a day's money comes back by itself.
TELLS_END = frozenset({Topic.SOURCE, Topic.CANARY, Topic.LLM, Topic.OPERATION})
MAX_ROWS = 200
#: What may be over in a moment, as while a worker is restarted, is told once it has lasted.
SETTLES: dict[str, dt.timedelta] = {Topic.OPERATION: dt.timedelta(seconds=60)}
#: A channel whose message failed this often is told about on the others.
FAILED_TRIES = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """Something that is wrong. ``subject`` is its name for as long as it lasts, ``path`` the page that shows it."""

    subject: str
    topic: str
    severity: str
    title: str
    text: str
    path: str


def standing(now: dt.datetime) -> list[Standing]:
    """Return everything that is wrong: a constant number of queries."""
    found = (
        _escalations(), _alarms(), _sources(), _canary(now), _budget(now), _language_models(now), _standstill(now),
        _channels(),
    )  # fmt: skip
    return [one for each in found for one in each]


def _escalations() -> list[Standing]:
    """Open alerts that a person put before somebody senior; found by the queue's own index."""
    rows = Alert.objects.filter(status=AlertStatus.OPEN, place__gte=2.0, origin=AlertOrigin.FLAGGED)
    return [
        Standing(
            f"escalation:{row.pk}:{row.escalated_at:%Y%m%d%H%M%S}", Topic.ESCALATION, row.severity,
            f"Escalated by {row.escalated_by or 'somebody'}: {row.title}", row.entity, reverse("alert", args=[row.pk]),
        )
        for row in rows.select_related("escalated_by").order_by("-escalated_at")[:MAX_ROWS]
    ]  # fmt: skip


def _alarms() -> list[Standing]:
    rows = Alarm.objects.filter(closed_at__isnull=True).order_by("id")[:MAX_ROWS]
    return [
        Standing(f"alarm:{row.pk}", Topic.ALARM, Severity.MEDIUM, row.get_kind_display(), row.text, reverse("models"))
        for row in rows
    ]


def _sources() -> list[Standing]:
    """Silent sources and those whose format changed, as they were last judged."""
    found = []
    for row in watch.troubled():
        for name, reason in row.states:
            if name in health.TROUBLE:
                severity = Severity.HIGH if name == health.SILENT else Severity.MEDIUM
                title = f"Source {row.source.name}: {name}"
                path = reverse("source", args=[row.source_id])
                found.append(Standing(f"source:{row.source_id}:{name}", Topic.SOURCE, severity, title, reason, path))
    return found


def _canary(now: dt.datetime) -> list[Standing]:
    judged = canary.judge(now)
    if judged.state != "failed":
        return []
    title = "The canary does not arrive"
    return [Standing("canary", Topic.CANARY, Severity.CRITICAL, title, judged.words, reverse("overview"))]


def _budget(now: dt.datetime) -> list[Standing]:
    pause = llm.pause(now)
    if pause is None:
        return []
    until = pause.until.strftime("%Y-%m-%d %H:%M UTC")
    text = f"New alerts come with their evidence only until {until}, or until the cap is raised."
    title = f"The {pause.name} cap for language models is spent"
    return [Standing(f"budget:{pause.name}:{until}", Topic.BUDGET, Severity.MEDIUM, title, text, _llm_page())]


def _language_models(now: dt.datetime) -> list[Standing]:
    if not settings.LLM_BASE_URL:
        return []
    found = []
    for each in endpoints.endpoint_status(now):
        if each.waits_s > 0:
            text = f"It is left alone for {each.waits_s:.0f} s: {each.waits_why}. Alerts come with their evidence."
            found.append(_endpoint(each, "does not answer", Severity.MEDIUM, text))
        elif each.level == endpoints.FAIL:
            found.append(_endpoint(each, "cannot be used", Severity.MEDIUM, each.detail))
        elif each.level == endpoints.WARN and each.days_left is not None:
            found.append(_endpoint(each, "will be shut down", Severity.LOW, each.detail))
    return found


def _endpoint(each: endpoints.EndpointStatus, what: str, severity: str, text: str) -> Standing:
    title = f"Language model at {each.endpoint} {what}"
    return Standing(f"llm:{each.tier}:{what}", Topic.LLM, severity, title, text, _llm_page())


def _llm_page() -> str:
    return f"{reverse('models')}#llm"


def _standstill(now: dt.datetime) -> list[Standing]:
    """Dead workers, a full disk, a broker or a pipeline that stands still; figures in a sentence are not its name."""
    return [
        Standing(
            f"standstill:{re.split(r'[:0-9]', words, maxsplit=1)[0].strip()}", Topic.OPERATION, Severity.CRITICAL,
            "Winnow stands still", words, reverse("overview"),
        )
        for words in standstill.standstill(now)
    ]  # fmt: skip


def _channels() -> list[Standing]:
    """Channels whose oldest message has failed several times: people who rely on them should hear it elsewhere."""
    stuck = Delivery.objects.filter(
        state__in=(DeliveryState.WAITING, DeliveryState.SENDING),
        attempts__gte=FAILED_TRIES,
        channel__ended_at__isnull=True,
        channel__paused_at__isnull=True,
    )
    names = {row.channel_id: (row.channel.name, row.error) for row in stuck.select_related("channel").order_by("-id")}
    return [
        Standing(
            f"channel:{pk}", Topic.OPERATION, Severity.HIGH, f"Notifications to {name} fail", error,
            reverse("channel", args=[pk]),
        )
        for pk, (name, error) in sorted(names.items())
    ]  # fmt: skip

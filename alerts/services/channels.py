"""Channels: made, changed, paused, ended; each change with its audit entry, which never holds a secret.

Handed: what an administrator wishes. Hands on: the channel; the signing key of a webhook is handed out once. Addresses
of webhooks and keys are sealed (:mod:`triage.secretbox`): shown to nobody, and read only when something is sent.
"""

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from alerts.messages import KEY_BYTES, SECRET_PREFIX
from alerts.models import Channel, ChannelKind, Delivery, DeliveryState, Severity, Topic
from alerts.services import audit, outgoing
from triage import secretbox
from triage.models import User

PURPOSE = "notification channel"
MAX_RECIPIENTS = 20
#: What may be changed, and what the audit trail tells of it.
WISHES = (
    "name", "min_severity", "topics", "tell_details", "quiet_from", "quiet_until", "quiet_zone", "critical_at_once",
    "digest_minutes", "per_hour", "repeat_minutes",
)  # fmt: skip


class ChannelError(ValueError):
    """The channel cannot be so; nothing was changed. The message says why."""


def create_channel(*, by: User, kind: str, place: str, wishes: Mapping[str, Any]) -> tuple[Channel, str]:
    """Return a new channel and, for a webhook, the key its messages are signed with. Raises :class:`ChannelError`.

    ``place`` is where it leads: a URL, or mail addresses separated by commas.
    """
    if kind not in ChannelKind.values:
        raise ChannelError(f"a kind of {', '.join(ChannelKind.values)}")
    channel = Channel(kind=kind, created_by=by.get_username())
    secret = _new_key() if kind == ChannelKind.WEBHOOK else ""
    _lead(channel, place, secret)
    _wish(channel, wishes)
    with _named(channel), transaction.atomic():
        channel.save()
        details = {"channel": channel.pk, "kind": kind, "address": channel.address, **_told(channel)}
        audit.record_person(action="channel.created", user=by, details=details)
    return channel, secret


def change_channel(*, by: User, channel_id: int, place: str, wishes: Mapping[str, Any]) -> Channel:
    """Change a channel; an empty ``place`` leaves it where it leads. A new one of a webhook keeps its key.

    Raises ``Channel.DoesNotExist`` and :class:`ChannelError`.
    """
    with transaction.atomic():
        channel = _standing(channel_id)
        before = {"address": channel.address, **_told(channel)}
        if place.strip():
            _lead(channel, place, secrets_of(channel).get("secret", "") if channel.kind == ChannelKind.WEBHOOK else "")
        _wish(channel, wishes)
        with _named(channel), transaction.atomic():
            channel.save()
        after = {"address": channel.address, **_told(channel)}
        changed = {key: [before[key], after[key]] for key in after if before[key] != after[key]}
        if changed or place.strip():
            details = {"channel": channel.pk, "changed": changed, "place_replaced": bool(place.strip())}
            audit.record_person(action="channel.changed", user=by, details=details)
    return channel


def new_secret(*, by: User, channel_id: int) -> str:
    """Return a new signing key of a webhook; what is sent from now on is signed with it. Raises like changing."""
    with transaction.atomic():
        channel = _standing(channel_id)
        if channel.kind != ChannelKind.WEBHOOK:
            raise ChannelError("only a webhook's messages are signed")
        secret = _new_key()
        _seal(channel, {"url": secrets_of(channel)["url"], "secret": secret})
        channel.save(update_fields=["sealed"])
        audit.record_person(action="channel.secret_replaced", user=by, details=_named_details(channel))
    return secret


def pause(*, by: User, channel_id: int, paused: bool) -> Channel:
    """Pause a channel or let it go on; what there is to say meanwhile is kept. Raises ``Channel.DoesNotExist``."""
    with transaction.atomic():
        channel = _standing(channel_id)
        if (channel.paused_at is not None) != paused:
            channel.paused_at = timezone.now() if paused else None
            channel.paused_by = by.get_username() if paused else ""
            channel.save(update_fields=["paused_at", "paused_by"])
            action = "channel.paused" if paused else "channel.resumed"
            audit.record_person(action=action, user=by, details=_named_details(channel))
    return channel


def end(*, by: User, channel_id: int) -> Channel:
    """End a channel for good: its secrets go, its history stays. Raises ``Channel.DoesNotExist``."""
    with transaction.atomic():
        channel = _standing(channel_id)
        channel.ended_at, channel.sealed = timezone.now(), ""
        channel.save(update_fields=["ended_at", "sealed"])
        Delivery.objects.filter(channel=channel, state=DeliveryState.WAITING).update(
            state=DeliveryState.DEAD, error="the channel was ended"
        )
        audit.record_person(action="channel.ended", user=by, details=_named_details(channel))
    return channel


def secrets_of(channel: Channel) -> dict[str, str]:
    """Return a channel's secrets: ``url``, and ``secret`` of a webhook. Raises :class:`ChannelError`."""
    if not channel.sealed:
        return {}
    try:
        found = json.loads(secretbox.unseal(channel.sealed, key=settings.SECRET_KEY, purpose=PURPOSE))
    except secretbox.SealBrokenError as error:
        raise ChannelError(f"the stored address cannot be read: {error}; enter it again") from error
    return {str(name): str(value) for name, value in found.items()}


def _standing(channel_id: int) -> Channel:
    return Channel.objects.select_for_update(of=("self",)).get(pk=channel_id, ended_at__isnull=True)


def _new_key() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _seal(channel: Channel, values: Mapping[str, str]) -> None:
    channel.sealed = secretbox.seal(json.dumps(dict(values)), key=settings.SECRET_KEY, purpose=PURPOSE)


def _lead(channel: Channel, place: str, secret: str) -> None:
    """Say where a channel leads, after it was looked at."""
    if channel.kind == ChannelKind.EMAIL:
        channel.address = ", ".join(_recipients(place))
        return
    url = place.strip()
    try:
        outgoing.check(url)
    except outgoing.RefusedError as error:
        raise ChannelError(str(error)) from error
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    channel.address = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"[:1000]
    _seal(channel, {"url": url} | ({"secret": secret} if secret else {}))


def _recipients(place: str) -> list[str]:
    found = list(dict.fromkeys(one.strip() for one in place.replace(";", ",").split(",") if one.strip()))
    if not 1 <= len(found) <= MAX_RECIPIENTS:
        raise ChannelError(f"1 to {MAX_RECIPIENTS} mail addresses")
    for one in found:
        try:
            validate_email(one)
        except ValidationError as error:
            raise ChannelError(f"“{one[:80]}” is no mail address") from error
    if not settings.SMTP_HOST:
        raise ChannelError("no mail server is configured: set SMTP_HOST and SMTP_FROM where Winnow is started")
    return found


def _wish(channel: Channel, wishes: Mapping[str, Any]) -> None:
    for name in WISHES:
        if name in wishes:
            setattr(channel, name, wishes[name])
    channel.topics = [topic for topic in Topic.values if topic in channel.topics]
    if channel.min_severity and channel.min_severity not in Severity.values:
        raise ChannelError(f"a severity of {', '.join(Severity.values)}, or none")
    if (channel.quiet_from is None) != (channel.quiet_until is None):
        raise ChannelError("quiet hours have a beginning and an end")


def _told(channel: Channel) -> dict[str, Any]:
    return {name: getattr(channel, name) for name in WISHES}


def _named_details(channel: Channel) -> dict[str, Any]:
    return {"channel": channel.pk, "name": channel.name}


@contextmanager
def _named(channel: Channel) -> Iterator[None]:
    """Turn a name that another channel has into a :class:`ChannelError`."""
    try:
        yield
    except IntegrityError as error:
        raise ChannelError(f"a channel is called “{channel.name}” already") from error

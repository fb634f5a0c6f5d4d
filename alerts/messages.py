"""Notifications as they leave: a signed webhook's body, a chat message, a mail.

Handed: a :class:`Message`, whose titles and texts attackers may have written. Hands on: bytes or text that is the same
for every try. Programs get exact values as JSON; what people read in a chat or a mail mentions nobody, formats nothing
and links to nothing but Winnow (:func:`alerts.exports.webhook_text`).

A webhook is signed as Standard Webhooks 1.0 says: headers ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature``, which is ``v1,`` and the base64 of HMAC-SHA-256 over ``id.timestamp.body``.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from alerts.exports import webhook_text

#: Notifications that are told with their words; the others of a message are counted.
MAX_TOLD = 20
SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins
KEY_BYTES = 32
SEVERITIES = ("critical", "high", "medium", "low", "info")
MAX_SUBJECT = 150
MAX_CHAT = 30_000


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to say. ``path`` is the page of it, ``facts`` the same for programs."""

    id: int
    topic: str
    severity: str
    title: str
    text: str
    at: dt.datetime
    path: str = ""
    repeats: int = 0
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: ``count`` notifications, of which ``notices`` are the most severe.

    ``by_severity`` counts all of them. ``base_url`` is Winnow's own, empty when nobody configured it. Without
    ``tell_details`` nothing that a log says is told.
    """

    uuid: str
    at: dt.datetime
    count: int
    by_severity: Mapping[str, int]
    notices: tuple[Notice, ...]
    base_url: str = ""
    is_test: bool = False
    tell_details: bool = True


def webhook_body(message: Message) -> bytes:
    """Return the JSON that a webhook receives."""
    data = {
        "test": message.is_test,
        "count": message.count,
        "by_severity": {level: message.by_severity.get(level, 0) for level in SEVERITIES},
        "notifications": [_for_programs(message, notice) for notice in message.notices],
    }
    body = {"type": "winnow.notifications", "timestamp": _iso(message.at), "delivery": message.uuid, "data": data}
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()


def _for_programs(message: Message, notice: Notice) -> dict[str, object]:
    told: dict[str, object] = {
        "id": notice.id,
        "topic": notice.topic,
        "severity": notice.severity,
        "title": _title(message, notice),
        "at": _iso(notice.at),
        "repeats": notice.repeats,
        "url": _link(message, notice) or None,
    }
    if message.tell_details:
        told |= {"text": webhook_text(notice.text), "facts": dict(notice.facts)}
    return told


def chat_body(message: Message) -> bytes:
    """Return the JSON of an incoming webhook as Slack made it and Mattermost and Rocket.Chat take it."""
    lines = [f"*{_head(message)}*", *(_line(message, notice) for notice in message.notices)]
    lines += _rest(message)
    text = "\n".join(lines)[:MAX_CHAT].replace("&", "&amp;")  # the other two signs with a meaning are gone already
    return json.dumps({"text": text, "unfurl_links": False, "unfurl_media": False}).encode()


def mail(message: Message) -> tuple[str, str]:
    """Return subject and text of a mail."""
    first = message.notices[0] if message.notices else None
    about = _title(message, first) if first and message.count == 1 else _counts(message)
    subject = f"[Winnow] {first.severity if first else 'info'}: {about}"
    parts = [_head(message), ""]
    for notice in message.notices:
        parts += [_line(message, notice), ""]
    parts += [*_rest(message), f"Message {message.uuid}"]
    return subject[:MAX_SUBJECT], "\n".join(parts) + "\n"


def _head(message: Message) -> str:
    if message.is_test:
        return "Winnow: a test"
    return f"Winnow: {_counts(message)}"


def _counts(message: Message) -> str:
    """Return how many of which severity, in words.

    >>> _counts(Message("", dt.datetime.now(dt.UTC), 3, {"high": 1, "low": 2}, ()))
    '3 notifications (1 high, 2 low)'
    """
    each = [f"{message.by_severity[level]:,} {level}" for level in SEVERITIES if message.by_severity.get(level)]
    if message.count == 1:
        return f"1 notification ({each[0].partition(' ')[2]})" if each else "1 notification"
    return f"{message.count:,} notifications ({', '.join(each)})"


def _line(message: Message, notice: Notice) -> str:
    """Return one notification for people."""
    text = webhook_text(notice.text) if message.tell_details else ""
    again = f" (noticed {notice.repeats + 1} times)" if notice.repeats else ""
    parts = [f"{notice.severity.upper()} {_title(message, notice)}{again}", text, _link(message, notice)]
    return "\n".join(part for part in parts if part)


def _title(message: Message, notice: Notice) -> str:
    if message.tell_details or message.is_test:
        return webhook_text(notice.title)
    return f"{notice.topic} {notice.facts.get('alert_id', '')}".strip()


def _rest(message: Message) -> list[str]:
    left = message.count - len(message.notices)
    return [f"and {left:,} more in Winnow"] if left > 0 else []


def _link(message: Message, notice: Notice) -> str:
    return f"{message.base_url.rstrip('/')}{notice.path}" if message.base_url and notice.path else ""


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def key_of(secret: str) -> bytes:
    """Return the signing key that ``whsec_…`` stands for. Raises ``ValueError`` for what is none."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("the secret is not base64") from error
    if not secret.startswith(SECRET_PREFIX) or len(key) < KEY_BYTES - 8:
        raise ValueError("a secret is whsec_ and the base64 of at least 24 bytes")
    return key


def signature(*, secret: str, uuid: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``."""
    signed = b".".join((uuid.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()

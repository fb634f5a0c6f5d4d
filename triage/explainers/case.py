"""The evidence of one event in numbered lines, before anything else is known about it.

Handed: an event's document and message, and why it was flagged. Hands on: ``(origin, text)`` pairs in their order, the
names in them, and for an event that is in no database the whole :class:`~triage.contracts.ExplanationRequest`.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from triage.contracts import EvidenceLine, ExplanationRequest, ParsedEvent, Reason
from triage.explainers import lines

MAX_FIELDS = 24
MAX_REASONS = 8
MAX_IDENTIFIERS = 200
#: Told first, in this order; other fields follow by name.
_FIRST = (
    "event.action", "event.category", "event.code", "event.outcome", "user.name", "host.name", "source.ip",
    "destination.ip", "process.name", "process.command_line", "log.level",
)  # fmt: skip
_SKIPPED = frozenset({"message", "@timestamp", "event.original", "ecs.version", "event.ingested", "event.created"})
#: The end of a field's name -> what its value identifies.
_KINDS: tuple[tuple[str, str], ...] = (
    ("user.name", "user"), ("user.email", "mail"), ("user.full_name", "user"), ("user.id", "user"),
    ("target.name", "user"), ("effective.name", "user"), ("changes.name", "user"), ("related.user", "user"),
    ("host.name", "host"), ("host.hostname", "host"), ("host.id", "host"), ("related.hosts", "host"),
    ("observer.name", "host"), ("agent.name", "host"), ("domain", "host"), ("server.address", "host"),
    ("source.address", "host"), ("destination.address", "host"), ("client.address", "host"),
    ("host.ip", "address"), (".ip", "address"), ("related.ip", "address"), ("cloud.account.id", "user"),
)  # fmt: skip


def request_of(
    event: ParsedEvent, *, severity: str, reasons: Sequence[Reason] = (), p_value: float | None = None
) -> ExplanationRequest:
    """Return the evidence of an event that is in no alert: its fields, the reasons, and its p-value."""
    reasons = tuple(sorted(reasons, key=lambda reason: -reason.contribution)[:MAX_REASONS])
    texts = [field("@timestamp", moment(event.timestamp)), *event_texts(event.fields, event.message)]
    texts += [(lines.SCORE, reason_text(reason)) for reason in reasons]
    if p_value is not None:
        texts.append((lines.CONTEXT, rarity_text(p_value)))
    return ExplanationRequest(
        title=lines.plain(event.message, 300),
        severity=severity,
        entity="",
        evidence=numbered(texts),
        reasons=reasons,
        techniques=(),
        identifiers=identifiers((), [event.fields]),
    )


def numbered(texts: Iterable[tuple[str, str]]) -> tuple[EvidenceLine, ...]:
    """Return lines of evidence from ``(origin, text)`` pairs, numbered from 1."""
    return tuple(EvidenceLine(number, origin, text) for number, (origin, text) in enumerate(texts, start=1))


def field(name: str, value: object) -> tuple[str, str]:
    """Return the pair of one field."""
    line = lines.field_line(0, name, value)
    return line.origin, line.text


def event_texts(document: Mapping[str, Any], message: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a document's fields, at most :data:`MAX_FIELDS`, and of its message."""
    rest = sorted(name for name in document if name not in _FIRST and name not in _SKIPPED)
    told = [name for name in (*_FIRST, *rest) if document.get(name) not in (None, "", [])]
    for name in told[:MAX_FIELDS]:
        yield field(name, document[name])
    if message:
        yield field("message", message)


def reason_text(reason: Reason) -> str:
    """Return a reason with the baseline behind it."""
    parts = [
        f"observed: {reason.observed}" if reason.observed not in reason.text else "",
        f"baseline: {reason.baseline}" if reason.baseline not in reason.text else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"{reason.text} ({told})" if told else reason.text


def rarity_text(p_value: float) -> str:
    """Return what a p-value means."""
    return f"In the events the model learned from, a share of {p_value:.2g} scores at least as high."


def moment(when: float | dt.datetime) -> str:
    """Return a time (seconds since 1970, or a datetime) in UTC, to the second."""
    at = when if isinstance(when, dt.datetime) else dt.datetime.fromtimestamp(when, dt.UTC)
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def identifiers(
    known: Iterable[tuple[str, str]], documents: Iterable[Mapping[str, Any]]
) -> tuple[tuple[str, str], ...]:
    """Return ``(kind, value)`` of every name that is known or in the documents, each once, in this order."""
    found = list(known)
    for document in documents:
        for name, value in document.items():
            named = next((kind for ending, kind in _KINDS if name.endswith(ending)), "")
            found += [(named, str(item)) for item in (value if isinstance(value, list) else [value])] if named else []
    plain = ((kind, lines.plain(value, 300)) for kind, value in found)
    return tuple(dict.fromkeys(pair for pair in plain if pair[1]))[:MAX_IDENTIFIERS]

"""What crosses a room's threshold: frozen, slotted dataclasses, never an ORM row.

Every room of the journey hands the next one a value defined here. Times are float seconds since the
Unix epoch, UTC. Probabilities are in [0, 1]. Nothing in here does input or output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def per_event(cls: type[T]) -> type[T]:
    """Make a slotted value of which every event needs one.

    Frozen to the type checker only: what freezes a dataclass at run time makes creating one three times as dear.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)  # hashable, so that a value may be a default


Scalar = str | int | float | bool
#: A flat ECS document: dotted field name -> scalar or list of scalars. Never nested.
Fields = dict[str, Any]


@per_event
class Envelope:
    """What the protocol said about a record, beside the record itself.

    ``fields`` are the sender's own names and values (they become labels), ``ecs`` those that have an ECS name:
    scalars or lists of scalars.
    """

    time: float | None = None
    host: str = ""
    source: str = ""
    sourcetype: str = ""
    index: str = ""
    fields: Mapping[str, Any] | None = None
    ecs: Mapping[str, Any] | None = None


NO_ENVELOPE = Envelope()


@per_event
class Record:
    """One log record as a receiver cut it out of a request body: text, or a decoded JSON object."""

    content: str | dict[str, Any]
    envelope: Envelope = NO_ENVELOPE


@per_event
class ParsedEvent:
    """One event in ECS terms.

    ``timestamp_origin`` is ``event`` (read from the record), ``envelope`` (the protocol said so) or
    ``received`` (neither; the intake's clock). ``fallback_reason`` is empty when a parser understood
    the record; otherwise it says why only the message could be kept.
    """

    timestamp: float
    timestamp_origin: str
    parser: str
    message: str
    fields: Fields
    fallback_reason: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence for a score, in words, with the baseline behind it.

    ``contribution`` is the share of the score that goes away when this piece of evidence is taken out
    (larger = more important). ``fields`` names the ECS fields it rests on. ``observed`` and
    ``baseline`` are short texts ("powershell.exe", "0 of 1,204,331 events").
    """

    feature: str
    text: str
    contribution: float
    fields: tuple[str, ...] = ()
    observed: str = ""
    baseline: str = ""


@per_event
class Score:
    """A detector's opinion of one event: ``score`` is higher for more unusual events.

    Both numbers are ``None`` when no model was serving: not scored is never 0.
    """

    score: float | None
    p_value: float | None
    flagged: bool
    reasons: tuple[Reason, ...] = ()


NO_SCORE = Score(score=None, p_value=None, flagged=False)


@dataclass(frozen=True, slots=True)
class Rate:
    """A measured proportion with its sample size and 95 % Wilson interval."""

    value: float
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One numbered line of evidence. ``origin`` says where it comes from (event, score, context, receipt).

    ``event_id`` is the event that an ``event`` line is a field of, where it is stored.
    """

    number: int
    origin: str
    text: str
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class ExplanationRequest:
    """What an explainer is given about one alert: evidence only, already capped and cleaned.

    ``identifiers`` are ``(kind, value)`` pairs (kind: user, host or address) of names in the evidence that
    may have to be replaced before it leaves the building.
    """

    title: str
    severity: str
    entity: str
    evidence: tuple[EvidenceLine, ...]
    reasons: tuple[Reason, ...]
    techniques: tuple[str, ...] = ()
    identifiers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an explanation and the evidence lines it rests on.

    ``status`` is empty before it was checked against them, then ``grounded``, ``miscited`` (true by lines that it does
    not cite) or ``struck``; ``problems`` says in words what is wrong with it.
    """

    text: str
    evidence: tuple[int, ...]
    status: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExplanationAnswer:
    """An explainer's answer. Plain text only. ``suggested_verdict`` may be ``undetermined`` (abstains).

    ``severity`` is what a model takes it for, empty when it does not say; it can only raise what is shown.
    """

    what_happened: tuple[Claim, ...]
    why_it_matters: tuple[Claim, ...]
    why_it_may_be_benign: tuple[Claim, ...]
    next_checks: tuple[str, ...]
    suggested_verdict: str
    confidence: str
    techniques: tuple[str, ...]
    explainer: str
    model: str = ""
    prompt_version: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    severity: str = ""


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A committed RawBatch as the pipeline works on it: its zstd body is still compressed."""

    batch_id: int
    source_id: int
    receiver: str
    parameters: Mapping[str, str]
    received_at: float
    body: bytes
    record_count: int
    pinned_parser: str = ""
    body_bytes: int = 0
    synthetic: bool = False

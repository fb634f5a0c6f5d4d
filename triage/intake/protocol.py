"""The shape of a protocol at the intake: what its body means, and how it says yes and no.

Handed: a request and its inflated body. Hands on: a :class:`Reading` for the group commit, then a reply. A
protocol is one table row in :mod:`triage.intake.routes`; the line it runs through is the same for all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from triage import receivers
from triage.authentication import token_in
from triage.intake import errors
from triage.intake.commit import Piece, Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Reply, Request
from triage.receivers.base import BodyError
from triage.receivers.envelope import MAX_TEXT, NAMES

#: What the records' receiver calls it -> why the request is refused.
BODY_ERRORS: Mapping[str, str] = {
    "no_data": errors.NO_DATA,
    "invalid_format": errors.INVALID_FORMAT,
    "event_required": errors.EVENT_REQUIRED,
    "event_blank": errors.EVENT_BLANK,
    "nested_fields": errors.NESTED_FIELDS,
    "too_many": errors.TOO_LARGE,
    "too_large": errors.TOO_LARGE,
    "damaged": errors.DAMAGED,
    "encoding": errors.ENCODING,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a body turned out to be. ``notes`` is the protocol's own, for its reply.

    ``body`` is what is stored instead of the inflated body (``None`` = the body as it came). ``pieces`` are its
    parts when the sender gave them identities; ``idempotency_key`` is the identity of the whole, when the protocol
    has one. ``ack_channel`` asks for an acknowledgement number. ``look_up`` is a question to the database, asked
    in a thread before the reply; its answer is handed to ``accepted``.
    """

    receiver: str
    parameters: tuple[tuple[str, str], ...]
    record_count: int
    notes: Any = None
    body: bytes | None = None
    pieces: tuple[Piece, ...] = ()
    idempotency_key: str | None = None
    ack_channel: str = ""
    look_up: Callable[[], Any] | None = None


class IntakeProtocol(Protocol):
    """One endpoint of one protocol."""

    methods: frozenset[str]

    def token(self, request: Request) -> str:
        """Return the token of a request; raise :class:`Refusal` when there is none."""

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        """Return the reply when it needs neither token nor body (health checks)."""

    def greet(self, request: Request) -> Reply | None:
        """Return the reply when it needs no body, for a request whose ``source`` is known (handshakes)."""

    def interpret(self, request: Request, body: bytes) -> Reading:
        """Validate and count; raise :class:`Refusal` or :class:`~triage.receivers.base.BodyError`."""

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        """Return the reply for a body that is committed; ``found`` is what ``look_up`` returned."""

    def refused(self, refusal: Refusal) -> Reply:
        """Return the reply for a request that is not taken."""


def retry_after(refusal: Refusal) -> tuple[bytes, bytes]:
    """Return the header that says when to come back."""
    return (b"retry-after", str(refusal.retry_after).encode())


def usual_token(request: Request) -> str:
    """Return the token from ``Authorization`` or ``X-Api-Key``; a token in the URL is never looked at."""
    authorization = request.header(b"authorization")
    api_key = request.header(b"x-api-key")
    if authorization:
        token = token_in(authorization)
        if token is None:
            raise Refusal(errors.BAD_AUTHORIZATION)
        return token
    if api_key:
        return api_key
    raise Refusal(errors.QUERY_AUTHORIZATION if "token" in request.query else errors.NO_AUTHORIZATION)


def metadata(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the defaults for a request's records from its query string."""
    return tuple((name, request.query[name][:MAX_TEXT]) for name in NAMES if request.query.get(name))


def read_with(receiver: str, request: Request, body: bytes) -> Reading:
    """Validate and count a body with one receiver."""
    parameters = metadata(request)
    return Reading(receiver, parameters, len(receivers.get(receiver).records(body, dict(parameters))))


def refusal_of(error: BodyError) -> Refusal:
    """Turn a receiver's error into the refusal of the request."""
    reason = BODY_ERRORS.get(error.code, errors.INVALID_FORMAT)
    return Refusal(reason, str(error), event_number=error.event_number)

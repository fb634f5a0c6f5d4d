"""GCP Pub/Sub push subscriptions, wrapped and unwrapped.

Handed: requests on ``/api/v1/ingest/pubsub``. Hands on: readings, 204 when the message is committed, and otherwise
the errors of ``/api/v1/ingest``. A message that is pushed again keeps its id and is stored once.
Format: Google, "Push subscriptions" and "Payload unwrapping".
"""

import hashlib
import re
from typing import Any

from triage import receivers
from triage.intake.commit import Piece, Receipt
from triage.intake.http import Reply, Request
from triage.intake.ingest import IngestEndpoint
from triage.intake.protocol import Reading, metadata
from triage.receivers import pubsub
from triage.receivers.base import BodyError

RECEIVER = "pubsub"
HEADER = b"x-goog-pubsub-"
DONE = Reply(204, b"")
#: A message of this size, if it is compressed, takes too long to inflate for others to wait for it.
LONG_BYTES = 2**13
#: Headers of an unwrapped message that are the request's own, not attributes of the message.
_OF_REQUEST = frozenset({
    b"accept", b"accept-encoding", b"connection", b"content-encoding", b"content-length", b"content-type", b"expect",
    b"forwarded", b"from", b"host", b"traceparent", b"transfer-encoding", b"user-agent", b"via",
})  # fmt: skip
_OF_PROXY = (HEADER, b"x-forwarded-", b"x-envoy-", b"x-cloud-trace-", b"x-real-", b"x-request-")
#: A header of such a name may hold a secret and is never stored.
_SECRET = re.compile(rb"auth|token|secret|cookie|key|password|signature")


class PubSubEndpoint(IngestEndpoint):
    """``/api/v1/ingest/pubsub``."""

    def greet(self, request: Request) -> Reply | None:
        request.is_packed = (request.declared_length or LONG_BYTES) >= LONG_BYTES
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        is_bare = _is_bare(request)
        push = _bare(request, body) if is_bare else pubsub.push_of(body)
        inflated = pubsub.inflated(push, request.budget)
        stored = pubsub.wrapped(inflated) if is_bare or inflated is not push else body
        parameters = metadata(request)
        count = len(receivers.get(RECEIVER).records(stored, dict(parameters)))
        pieces = (Piece(_key(push), stored, count),) if push.message_id else ()
        return Reading(RECEIVER, parameters, count, body=stored, pieces=pieces)

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        return DONE


def _is_bare(request: Request) -> bool:
    """Return whether the body is a message without its wrapper, whose metadata came as headers.

    Without them it is like any other log text and belongs on ``/api/v1/ingest``.
    """
    return any(name.startswith(HEADER) for name in request.headers)


def _bare(request: Request, body: bytes) -> pubsub.Push:
    """Return an unwrapped message; its attributes are headers of their own names."""
    if not body:
        raise BodyError("no_data", "No data")
    attributes = {
        name.decode("latin-1"): request.header(name)[:1024]
        for name in request.headers
        if name not in _OF_REQUEST and not name.startswith(_OF_PROXY) and not _SECRET.search(name)
    }
    return pubsub.Push(
        data=body,
        attributes=dict(list(attributes.items())[: pubsub.MAX_ATTRIBUTES]),
        message_id=request.header(HEADER + b"message-id")[:1024],
        published_at=request.header(HEADER + b"publish-time")[:64],
        subscription=request.header(HEADER + b"subscription-name")[:1024],
    )


def _key(push: pubsub.Push) -> str:
    """Return a message's identity: its id within its subscription, and its data.

    Ids are the service's own, so equal ids with other data come from someone who makes them up, and are kept apart.
    """
    identity = hashlib.sha256(f"pubsub:{push.subscription}\0{push.message_id}\0".encode("utf-8", "replace"))
    identity.update(push.data or b"")
    return identity.hexdigest()

"""Rows that many tests need."""

from django.utils import timezone

from triage import reading
from triage.models import RawBatch, Source


def make_source(name: str = "edge") -> Source:
    """Return a source that nobody can send to."""
    return Source.objects.create(name=name, token_hash=name.ljust(64, "0"))


def make_batch(source: Source, *lines: str, **fields: object) -> RawBatch:
    """Return a committed batch of text lines, waiting for the pipeline."""
    body = "\n".join(lines).encode()
    defaults = {
        "source": source,
        "receiver": "lines",
        "received_at": timezone.now(),
        "body": reading.compress(body),
        "body_bytes": len(body),
        "record_count": len(lines),
    }
    return RawBatch.objects.create(**(defaults | fields))

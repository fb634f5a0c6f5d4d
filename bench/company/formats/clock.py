"""Epoch seconds as the formats write them; all clocks of the company run on UTC.

Handed: seconds since the epoch. Hands on: text.
"""

from datetime import UTC, datetime


def iso(at: float) -> str:
    """Return ``2026-03-01T08:15:30.123Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_seconds(at: float) -> str:
    """Return ``2026-03-01T08:15:30Z``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def eve(at: float) -> str:
    """Return ``2026-03-01T08:15:30.123456+0000``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")


def bsd(at: float) -> str:
    """Return ``Mar  1 08:15:30``, the RFC 3164 form with a blank for a leading zero."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}"


def access(at: float) -> str:
    """Return ``01/Mar/2026:08:15:30 +0000``."""
    return datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")

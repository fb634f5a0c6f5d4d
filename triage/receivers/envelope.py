"""What a request or a record says about itself beside the log text.

Handed: query parameters or the keys of a record. Hands on: an :class:`~triage.contracts.Envelope`.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from triage.contracts import NO_ENVELOPE, Envelope

#: Parameters of a request that are defaults for its records.
NAMES = ("host", "source", "sourcetype", "index")
MAX_TEXT = 1024

#: Upper ends of the ranges read as seconds, milliseconds, microseconds and nanoseconds since the epoch.
#: Seconds end at 2400-01-01, which is 1970-06-07 in milliseconds: no unit's plausible range meets another's.
LATEST_SECONDS = 13_569_465_600.0
_UNITS = ((LATEST_SECONDS, 1.0), (253_402_300_800e3, 1e3), (253_402_300_800e6, 1e6), (253_402_300_800e9, 1e9))


def short_text(value: Any) -> str:
    """Return a metadata value as capped text; ``None`` and containers are no metadata."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, bool | int | float):
        return str(value)[:MAX_TEXT]
    return ""


def defaults(parameters: Mapping[str, str]) -> Envelope:
    """Return the envelope that every record of a request shares."""
    if not any(name in parameters for name in NAMES):
        return NO_ENVELOPE
    host, source, sourcetype, index = (short_text(parameters.get(name)) for name in NAMES)
    return Envelope(host=host, source=source, sourcetype=sourcetype, index=index)


def seconds(value: Any) -> float | None:
    """Return a time in any usual shape as float seconds since the epoch, or ``None`` when it is no time.

    Numbers and numeric strings are seconds, milliseconds, microseconds or nanoseconds by their size;
    ISO 8601 text without a zone is UTC.

    >>> seconds("1426279439.500"), seconds(1426279439123), seconds("soon"), seconds(1e300)
    (1426279439.5, 1426279439.123, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) and len(value) > 64:
        return None
    try:
        return _scaled(float(value))
    except OverflowError:
        return None
    except ValueError:
        return _from_iso(str(value))


def _scaled(number: float) -> float | None:
    if not math.isfinite(number) or number < 0:
        return None
    for limit, divisor in _UNITS:
        if number < limit:
            return number / divisor
    return None


def _from_iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None

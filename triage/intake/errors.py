"""Why a request is refused, in words that every protocol can turn into its own reply."""

from collections.abc import Mapping
from types import MappingProxyType


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """A request that is not taken. ``reason`` is one of the constants below.

    ``event_number`` is the 0-based record at fault, ``detail`` a sentence without anything secret or
    of the inside, ``retry_after`` the seconds after which the sender may try again (with BUSY and RATE).
    ``request_headers`` are set by the front, for protocols whose refusal repeats a part of the request.
    """

    request_headers: Mapping[bytes, bytes] = MappingProxyType({})

    def __init__(self, reason: str, detail: str = "", *, event_number: int | None = None, retry_after: int = 5) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.event_number = event_number
        self.retry_after = retry_after


NOT_FOUND = "not_found"
METHOD = "method"
NO_AUTHORIZATION = "no_authorization"
BAD_AUTHORIZATION = "bad_authorization"
QUERY_AUTHORIZATION = "query_authorization"
UNKNOWN_SENDER = "unknown_sender"
DISABLED_SENDER = "disabled_sender"
TOO_LARGE = "too_large"
ENCODING = "encoding"
MEDIA_TYPE = "media_type"
DAMAGED = "damaged"
TIMEOUT = "timeout"
BUSY = "busy"
#: The source is over its own limit; the others are not affected.
RATE = "rate_limited"
ACK_DISABLED = "ack_disabled"
NO_CHANNEL = "no_channel"
BAD_CHANNEL = "bad_channel"
NO_DATA = "no_data"
INVALID_FORMAT = "invalid_format"
EVENT_REQUIRED = "event_required"
EVENT_BLANK = "event_blank"
NESTED_FIELDS = "nested_fields"


class Disconnected(Exception):  # noqa: N818 - the sender went away; nobody is left to answer
    """The sender hung up before its body was complete; nothing is stored."""

"""The way out to webhooks: only to addresses that may be reached, with an end to everything.

Handed: a URL that somebody typed. Hands on: the receiver's status, or why nothing was sent. The address a name resolves
to is looked at and is the one that is connected to, so that a name cannot answer differently the second time. Redirects
and proxies are not followed, an exchange has a time limit as a whole, and of an answer only the status is read.
"""

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.conf import settings

from triage import outbound
from triage.outbound import RefusedError

if TYPE_CHECKING:
    import httpx2  # only who sends something needs the client

__all__ = ["RefusedError", "UnreachableError", "check", "post"]

for _name in ("httpx2", "httpcore2"):  # they log whole URLs, and those of webhooks are secrets
    logging.getLogger(_name).setLevel(logging.WARNING)


class UnreachableError(RuntimeError):
    """There was no answer. The text does not name the URL."""


def check(url: str) -> None:
    """Raise :class:`RefusedError` unless the URL leads somewhere that may be reached."""
    outbound.checked(url, allow=settings.OUTBOUND_ALLOW)


def post(url: str, *, body: bytes, headers: Mapping[str, str], seconds: float) -> tuple[int, float | None]:
    """Send a body and return the status and the seconds the receiver asks to wait, if it does.

    Raises :class:`RefusedError` and :class:`UnreachableError`.
    """
    import httpx2

    from triage.explainers.chat_transport import CONNECT_SECONDS, Limited

    target = outbound.checked(url, allow=settings.OUTBOUND_ALLOW)
    told = {**headers, "Host": target.netloc, "Accept-Encoding": "identity"}
    ends = time.monotonic() + seconds
    # The environment may name certificates (SSL_CERT_FILE); its proxies are not used.
    limited = Limited(httpx2.HTTPTransport(proxy=None), seconds=seconds, deadline=ends, most_unanswered=1)
    timeout = httpx2.Timeout(seconds, connect=CONNECT_SECONDS)
    with httpx2.Client(transport=limited, timeout=timeout, follow_redirects=False, trust_env=False) as client:
        reply = _first(client, target, body, told)
    return reply.status_code, _seconds(reply.headers.get("retry-after", ""))


def _first(
    client: "httpx2.Client", target: outbound.Target, body: bytes, headers: Mapping[str, str]
) -> "httpx2.Response":
    """Return the answer of the first address that takes a connection; what was sent once is not sent to the next."""
    import httpx2

    problem = ""
    for place in target.places:
        try:
            return client.post(place, content=body, headers=headers, extensions={"sni_hostname": target.host})
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            problem = type(error).__name__
        except httpx2.HTTPError as error:
            raise UnreachableError(f"no answer: {type(error).__name__}") from error
    raise UnreachableError(f"no answer: {problem}")


def _seconds(text: str) -> float | None:
    """Return ``Retry-After`` where it is a number of seconds."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else None

"""HTTP to a running Winnow: intake with patience, and the read API.

Handed: an address, tokens, messages. Hands on: accepted batches, decoded JSON answers. One kept-alive
connection per client; a busy answer (429, 503) is waited out as ``Retry-After`` says and sent again.
"""

import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from bench.company.message import HEC, Message

TIMEOUT_SECONDS = 30.0
BATCH = 200
ATTEMPTS = 60
LONGEST_WAIT = 30.0
BUSY = frozenset({429, 503})
HEC_PATH = "/services/collector/event"
NDJSON_PATH = "/api/v1/ingest"


class ClientError(RuntimeError):
    """Winnow could not be reached, or answered with something that waiting does not mend."""


class Connection:
    """One kept-alive connection that opens again by itself."""

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ClientError(f"not an http address: {url}")
        self._parts = parts
        self._sleep = sleep
        self._open: http.client.HTTPConnection | None = None

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """Return status and body of the first answer that is not "busy"; raise :class:`ClientError`."""
        problem = ""
        for attempt in range(ATTEMPTS):
            try:
                status, wait, answer = self._once(method, path, headers, body)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                problem, wait = f"{type(error).__name__}: {error}", min(5.0, 0.25 * 2**attempt)
            else:
                if status not in BUSY:
                    return status, answer
                problem = f"busy ({status})"
            self._sleep(wait)
        raise ClientError(f"{method} {path}: {problem} after {ATTEMPTS} attempts")

    def _once(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, float, bytes]:
        if self._open is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._open = kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_SECONDS)
        self._open.request(method, self._parts.path.rstrip("/") + path, body=body or None, headers=headers)
        response = self._open.getresponse()
        answer = response.read()
        return response.status, retry_after(response.getheader("Retry-After")), answer

    def close(self) -> None:
        """Close; the next request opens a new connection."""
        if self._open is not None:
            self._open.close()
            self._open = None


def retry_after(header: str | None) -> float:
    """Return how many seconds to wait: what the header says up to half a minute, or one second.

    >>> retry_after("3"), retry_after(None), retry_after("86400")
    (3.0, 1.0, 30.0)
    """
    try:
        return min(LONGEST_WAIT, max(0.0, float(header or "")))
    except ValueError:
        return 1.0


class Feeder:
    """Sends messages through the intake, each by its own route."""

    def __init__(self, connection: Connection, token: str) -> None:
        self._connection = connection
        self._token = token
        self.sent = 0

    def send(self, messages: Sequence[Message]) -> None:
        """Send all messages; each route's batches keep their order. Raise :class:`ClientError` on refusal."""
        by_route = sorted(messages, key=lambda message: message.route)
        for route, group in groupby(by_route, key=lambda message: message.route):
            found = list(group)
            for start in range(0, len(found), BATCH):
                self._post(route, found[start : start + BATCH])

    def _post(self, route: str, messages: list[Message]) -> None:
        body = b"\n".join(message.encode() for message in messages)
        if route == HEC:
            path, headers = HEC_PATH, {"Authorization": f"Splunk {self._token}", "Content-Type": "application/json"}
        else:
            path, headers = NDJSON_PATH, {
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/x-ndjson",
                "Idempotency-Key": str(uuid.uuid4()),
            }  # fmt: skip
        status, answer = self._connection.request("POST", path, headers, body)
        if status not in (200, 202):
            raise ClientError(f"POST {path} answered {status}: {answer[:200].decode(errors='replace')}")
        self.sent += len(messages)


class Reader:
    """Asks the product's read API."""

    def __init__(self, connection: Connection, token: str) -> None:
        self._connection = connection
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path; raise :class:`ClientError`."""
        status, answer = self._connection.request("GET", path, self._headers)
        if status != 200:
            raise ClientError(f"GET {path} answered {status}: {answer[:200].decode(errors='replace')}")
        found = json.loads(answer)
        if not isinstance(found, dict):
            raise ClientError(f"GET {path}: not a JSON object")
        return found

    def alerts(self) -> Iterator[dict[str, Any]]:
        """Yield the summary of every open alert."""
        yield from self._pages("/api/v1/alerts", "alerts", "cursor", {"status": "open", "limit": "200"})

    def alert(self, number: int) -> dict[str, Any]:
        """Return one alert with its events."""
        return self.get(f"/api/v1/alerts/{number}")

    def flagged(self, *, since: float) -> Iterator[dict[str, Any]]:
        """Yield every flagged event with a timestamp from ``since`` on (epoch seconds)."""
        yield from self._pages(
            "/api/v1/events", "events", "before", {"flagged": "1", "limit": "500", "since": f"{since:.3f}"}
        )

    def _pages(self, path: str, name: str, cursor: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        while True:
            answer = self.get(f"{path}?{urlencode(query, quote_via=quote)}")
            yield from answer[name]
            if not answer.get("next"):
                return
            query = query | {cursor: str(answer["next"])}

    def pending(self) -> int:
        """Return how many accepted records are not stored and grouped yet."""
        return int(self.get("/api/v1/stats").get("pending", 0))

    def learning(self) -> bool:
        """Tell whether Winnow has no champion model yet; readiness itself may be refused meanwhile."""
        return "learning" in json.dumps(self._readiness().get("champion", "")).lower()

    def _readiness(self) -> dict[str, Any]:
        try:
            checks = self.get("/readyz").get("checks")
        except (ClientError, ValueError):
            return {"champion": "learning"}
        if isinstance(checks, list):
            return {str(check.get("name")): check for check in checks if isinstance(check, dict)}
        return checks if isinstance(checks, dict) else {}

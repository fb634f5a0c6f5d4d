"""Azure Monitor Logs Ingestion API.

Handed: requests on ``/dataCollectionRules/{rule}/streams/{stream}``. Hands on: readings, 204 when the array is
committed, and otherwise ``{"error":{"code":..,"message":..}}``.
Format: Microsoft, "Logs Ingestion API in Azure Monitor".
"""

import datetime as dt
import re
from typing import Any

from triage import receivers
from triage.intake import errors, ingest
from triage.intake.commit import Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Reply, Request, json_reply
from triage.intake.protocol import Reading, metadata, retry_after, usual_token
from triage.receivers.envelope import MAX_TEXT

RECEIVER = "azure"
DONE = Reply(204, b"")
#: The first version of the API; versions are dates, and later ones send the same.
FIRST_VERSION = dt.date(2021, 11, 1)
_PATH = re.compile("/dataCollectionRules/([^/]+)/streams/([^/]+)")
_VERSION = re.compile("([0-9]{4}-[0-9]{2}-[0-9]{2})(?:-preview)?")

#: reason -> code
CODES: dict[str, str] = {
    errors.NOT_FOUND: "ResourceNotFound",
    errors.METHOD: "MethodNotAllowed",
    errors.NO_AUTHORIZATION: "AuthenticationFailed",
    errors.BAD_AUTHORIZATION: "AuthenticationFailed",
    errors.QUERY_AUTHORIZATION: "AuthenticationFailed",
    errors.UNKNOWN_SENDER: "AuthorizationFailed",
    errors.DISABLED_SENDER: "AuthorizationFailed",
    errors.TOO_LARGE: "ContentLengthLimitExceeded",
    errors.ENCODING: "UnsupportedContentEncoding",
    errors.TIMEOUT: "RequestTimeout",
    errors.BUSY: "ServiceUnavailable",
    errors.RATE: "RateLimitExceeded",
}
BAD_REQUEST = "InvalidPayload"


class AzureEndpoint:
    """``/dataCollectionRules/{rule}/streams/{stream}``, and everything else below ``/dataCollectionRules``."""

    methods = frozenset({"POST"})

    def token(self, request: Request) -> str:
        return usual_token(request)

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        if _PATH.fullmatch(request.path) is None:
            raise Refusal(errors.NOT_FOUND)
        return None

    def greet(self, request: Request) -> Reply | None:
        """Check the version once the sender is known, as the service does."""
        version = request.query.get("api-version", "")
        if not version:
            return _error(400, "MissingApiVersionParameter", "The query needs api-version, such as 2023-01-01.")
        if not _is_version(version):
            return _error(400, "InvalidApiVersionParameter", "The api-version is not known; use 2023-01-01.")
        return None

    def interpret(self, request: Request, body: bytes) -> Reading:
        parameters = _parameters(request)
        count = len(receivers.get(RECEIVER).records(body, dict(parameters)))
        return Reading(RECEIVER, parameters, count)

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        return DONE

    def refused(self, refusal: Refusal) -> Reply:
        status, message = ingest.REPLIES.get(refusal.reason, ingest.REPLIES[errors.INVALID_FORMAT])
        headers = []
        if refusal.reason in (errors.BUSY, errors.RATE):
            headers.append(retry_after(refusal))
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if refusal.reason == errors.METHOD:
            headers.append((b"allow", ", ".join(sorted(self.methods)).encode()))
        return _error(status, CODES.get(refusal.reason, BAD_REQUEST), refusal.detail or message, *headers)


def _error(status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> Reply:
    return json_reply(status, {"error": {"code": code, "message": message}}, *headers)


def _is_version(text: str) -> bool:
    match = _VERSION.fullmatch(text)
    if match is None:
        return False
    try:
        return dt.date.fromisoformat(match.group(1)) >= FIRST_VERSION
    except ValueError:
        return False


def _parameters(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the query's metadata; the rule is the source and the stream the source type unless it says otherwise."""
    parameters, match = dict(metadata(request)), _PATH.fullmatch(request.path)
    if match is not None:
        parameters.setdefault("source", _text(match.group(1)))
        parameters.setdefault("sourcetype", _text(match.group(2)))
    return tuple(parameters.items())


def _text(part: str) -> str:
    return part[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "\ufffd")

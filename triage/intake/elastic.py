"""Elasticsearch below ``/elastic``: bulk, single documents and the handshakes of shippers.

Handed: requests whose path starts with ``/elastic``. Hands on: readings for the group commit, and replies in the
forms of Elasticsearch 8, each with ``X-Elastic-Product``. Nothing can be searched here. "Try later" is a 429 for the
whole request, before anything is stored, because shippers pass over a 429 on a single item.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Any

import orjson

from triage.intake import elastic_bulk, elastic_handshakes, errors, filter_path
from triage.intake.commit import Piece, Receipt
from triage.intake.elastic_bulk import Bulk
from triage.intake.errors import Refusal
from triage.intake.filter_path import FilterPath
from triage.intake.http import Reply, Request
from triage.intake.protocol import Reading, retry_after, usual_token
from triage.receivers import decoding
from triage.receivers.base import BodyError
from triage.receivers.envelope import MAX_TEXT
from triage.receivers.es_bulk import Action, read_document

PREFIX = "/elastic"
PRODUCT = (b"x-elastic-product", b"Elasticsearch")
MAX_SEGMENTS = 16
#: Longest name of an index in a path; every item of the reply repeats it.
MAX_INDEX_BYTES = 512
#: A reason of this protocol alone: a single document that is no JSON object.
INVALID_DOCUMENT = "invalid_document"
#: reason -> (HTTP status, type of the error, reason when the refusal brings no detail)
REPLIES: dict[str, tuple[int, str, str]] = {
    errors.NOT_FOUND: (404, "resource_not_found_exception", "there is no such resource"),
    errors.METHOD: (405, "method_not_allowed_exception", "the method is not allowed here"),
    errors.NO_AUTHORIZATION: (401, "security_exception", "missing authentication credentials"),
    errors.QUERY_AUTHORIZATION: (401, "security_exception", "a token in the URL is not accepted"),
    errors.BAD_AUTHORIZATION: (401, "security_exception", "the Authorization header is malformed"),
    errors.UNKNOWN_SENDER: (401, "security_exception", "unable to authenticate with the provided credentials"),
    errors.DISABLED_SENDER: (403, "security_exception", "the credentials are disabled"),
    errors.TOO_LARGE: (413, "content_too_large_exception", "the body is too large; send smaller batches"),
    errors.ENCODING: (415, "unsupported_encoding_exception", "use gzip, deflate or zstd"),
    errors.DAMAGED: (400, "parse_exception", "the body is damaged"),
    errors.TIMEOUT: (408, "timeout_exception", "the body did not arrive in time"),
    errors.BUSY: (429, "es_rejected_execution_exception", "the intake is full; try again later"),
    errors.RATE: (429, "es_rejected_execution_exception", "this source is over its limit; try again later"),
    errors.NO_DATA: (400, "parse_exception", "request body is required"),
    errors.EVENT_REQUIRED: (400, "action_request_validation_exception", "no requests added"),
    INVALID_DOCUMENT: (400, "document_parsing_exception", "failed to parse"),
    errors.INVALID_FORMAT: (400, "illegal_argument_exception", "the request is not valid"),
}
CHALLENGES = tuple(
    (b"www-authenticate", scheme)
    for scheme in (b'Basic realm="winnow", charset="UTF-8"', b'Bearer realm="winnow"', b"ApiKey")
)
NOT_SERVED = "this is an intake for logs: it takes documents in, and serves neither searches nor administration"
_VENDOR = re.compile(r"application/vnd\.elasticsearch\+(?:x-nd)?json\s*;\s*compatible-with=(\d{1,2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """A single document on its way in, for its reply."""

    action: Action
    request: Request


@dataclass(frozen=True, slots=True)
class Sent:
    """A bulk request on its way in, for its reply."""

    bulk: Bulk
    content_type: bytes


class ElasticEndpoint:
    """Everything below ``/elastic``; the rest of the path and the method say what it is."""

    methods = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

    def token(self, request: Request) -> str:
        """Return the token: Basic password, Bearer, ApiKey raw or as the base64 of ``id:token``."""
        return usual_token(request)

    def answer(self, request: Request, *, is_busy: bool) -> Reply | None:
        """Return nothing: Elasticsearch asks for credentials first."""
        return None

    def greet(self, request: Request) -> Reply | None:
        """Return the answer to a handshake; a bulk or a document is read on."""
        path = segments(request.path)
        if path and path[-1] == "_bulk" and len(path) <= 3:
            if request.method not in ("POST", "PUT"):
                raise Refusal(errors.METHOD, "use POST or PUT")
            return None
        if document_action(request.method, path) is not None:
            return None
        return _handshake(request, path)

    def interpret(self, request: Request, body: bytes) -> Reading:
        """Read a bulk or a single document."""
        path = segments(request.path)
        action = document_action(request.method, path)
        if action is not None:
            return _read_document(request, body, action)
        index = _storable(path[0]) if len(path) > 1 else ""
        if len(index.encode()) > MAX_INDEX_BYTES:
            raise Refusal(errors.INVALID_FORMAT, "the name of the index is too long")
        bulk = elastic_bulk.read_bulk(body, index, _filter_of(request))
        return Reading(
            receiver="es_bulk",
            parameters=_parameters(request, index),
            record_count=bulk.record_count,
            notes=Sent(bulk, _content_type(request)),
            body=bulk.stored,
            pieces=bulk.pieces,
        )

    def accepted(self, reading: Reading, receipt: Receipt, found: Any) -> Reply:
        """Return one item per action, or the result of a single document."""
        if isinstance(reading.notes, Document):
            return _document_reply(reading.notes, receipt)
        sent: Sent = reading.notes
        return Reply(200, sent.bulk.reply(receipt), (PRODUCT,), sent.content_type)

    def refused(self, refusal: Refusal) -> Reply:
        """Return the error of a request that is not taken."""
        status, kind, usual = REPLIES.get(refusal.reason, REPLIES[errors.INVALID_FORMAT])
        headers: list[tuple[bytes, bytes]] = [PRODUCT]
        if status == 401:
            headers.extend(CHALLENGES)
        if refusal.reason in (errors.BUSY, errors.RATE):
            headers.append(retry_after(refusal))
        if refusal.reason == errors.METHOD:
            headers.append((b"allow", b"GET, HEAD, POST, PUT"))
        value = _error(status, kind, refusal.detail or usual)
        content_type = _vendor_type(refusal.request_headers.get(b"accept", b"").decode("latin-1"))
        return Reply(status, orjson.dumps(value), tuple(headers), content_type)


def segments(path: str) -> tuple[str, ...]:
    """Return the names of a path below the prefix; a date-math name such as ``<logs-{now/d}>`` is one of them.

    >>> segments("/elastic//<logs-{now/d}>/_bulk")
    ('<logs-{now/d}>', '_bulk')
    """
    found: list[str] = []
    for part in path.removeprefix(PREFIX).split("/", MAX_SEGMENTS):
        if found and found[-1].startswith("<") and not found[-1].endswith(">"):
            found[-1] += "/" + part
        elif part:
            found.append(part)
    return tuple(found)


def document_action(method: str, path: tuple[str, ...]) -> Action | None:
    """Return the action of a request that brings one document, ``None`` for other requests.

    ``_doc`` and ``_create``, and the type names of Elasticsearch 6 in their place, which old shippers still send.
    """
    if method not in ("POST", "PUT") or len(path) < 2 or path[0].startswith("_"):
        return None
    index, kind, identity = _storable(path[0]), path[1], "/".join(path[2:])
    if method == "PUT" and not identity:
        return None
    if kind == "_create":
        return Action("create", index, identity) if identity else None
    is_type = len(path) <= 3 and not kind.startswith("_") and not identity.startswith("_")
    if kind == "_doc" or is_type:
        return Action("index", index, identity)
    return None


def _read_document(request: Request, body: bytes, action: Action) -> Reading:
    if not decoding.strip(body):
        raise Refusal(errors.NO_DATA)
    if request.query.get("op_type") == "create":
        action = Action("create", action.index, action.id)
    try:
        value = read_document(body)
    except BodyError as error:
        raise Refusal(INVALID_DOCUMENT, f"failed to parse: {error}") from error
    line = body if b"\n" not in body else decoding.as_text(value).encode()
    settings = {"_index": action.index} | ({"_id": action.id} if action.id else {})
    stored = orjson.dumps({action.operation: settings}) + b"\n" + line
    pieces = (Piece(elastic_bulk.key_of(action), stored),) if action.id else ()
    return Reading("es_bulk", _parameters(request, ""), 1, Document(action, request), stored, pieces)


def _document_reply(document: Document, receipt: Receipt) -> Reply:
    action = document.action
    outcome, reason = elastic_bulk.repeated(action) if receipt.duplicates else (elastic_bulk.CREATED, "")
    if outcome.error:
        return _reply(document.request, outcome.status, _error(outcome.status, outcome.error, reason))
    value = outcome.says(action.index, action.id or secrets.token_urlsafe(15), reason)
    del value["status"]
    return _reply(document.request, outcome.status, {**value, "_seq_no": 0, "_primary_term": 1})


def _handshake(request: Request, path: tuple[str, ...]) -> Reply:
    if path and path[0] == "_cat" and request.method in ("GET", "HEAD"):
        return _table(request)
    found = elastic_handshakes.answer(request.method, path, request)
    if found is not None:
        return _reply(request, *found)
    if request.method not in ("GET", "HEAD", "DELETE"):
        return _reply(request, 400, _error(400, "illegal_argument_exception", NOT_SERVED))
    if len(path) == 3 and path[1] == "_doc":
        missing = {"found": False} if request.method != "DELETE" else {"result": "not_found"}
        return _reply(request, 404, {"_index": path[0], "_id": path[2], **missing})
    kind = "index_not_found_exception" if path and not path[0].startswith("_") else REPLIES[errors.NOT_FOUND][1]
    return _reply(request, 404, _error(404, kind, NOT_SERVED))


def _table(request: Request) -> Reply:
    """Return an empty table: there are no indices, shards or nodes to list."""
    if request.query.get("format") == "json" or "json" in request.header(b"accept").partition(",")[0]:
        return _reply(request, 200, [])
    return Reply(200, b"", (PRODUCT,), b"text/plain; charset=UTF-8")


def _reply(request: Request, status: int, value: Any) -> Reply:
    """Return a JSON reply in the type that was asked for, filtered and indented at will."""
    wanted = _filter_of(request)
    if wanted and isinstance(value, dict):
        value = wanted.apply(value)
    pretty = request.query.get("pretty", "false") != "false"
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if pretty else None)
    return Reply(status, text, (PRODUCT,), _content_type(request))


def _error(status: int, kind: str, reason: str) -> dict[str, Any]:
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": status}


def _filter_of(request: Request) -> FilterPath:
    return filter_path.parse(request.query.get("filter_path", ""))


def _content_type(request: Request) -> bytes:
    return _vendor_type(request.header(b"accept"))


def _vendor_type(accept: str) -> bytes:
    """Return the type of a reply: Elasticsearch's own, at the version the client speaks, when it asks for it."""
    found = _VENDOR.search(accept)
    if found is None:
        return b"application/json"
    return b"application/vnd.elasticsearch+json;compatible-with=%b" % found.group(1).encode()


def _parameters(request: Request, index: str) -> tuple[tuple[str, str], ...]:
    """Return what the request says for all of its documents."""
    named = (("index", index), ("pipeline", request.query.get("pipeline", "")))
    return tuple((name, value[:MAX_TEXT]) for name, value in named if value)


def _storable(name: str) -> str:
    """Return a name from a path as text that any database keeps."""
    return name.replace("\0", "\ufffd").encode("utf-8", "replace").decode()

"""An Elasticsearch bulk request: what of it is stored, and one answer per action.

Handed: the body of ``_bulk``, or a single document. Hands on: a :class:`Bulk` with the lines to keep and an item for
every action, in order; after the commit, the reply. A document that is no JSON object is refused alone, an action
line that is none refuses the request. Items are written as bytes once per kind of action, because a body has
thousands of them and they differ by their ``_id`` only.
"""

import hashlib
import re
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from triage.intake import errors
from triage.intake.commit import Piece, Receipt
from triage.intake.errors import Refusal
from triage.intake.filter_path import FilterPath
from triage.receivers import decoding
from triage.receivers.base import BodyError
from triage.receivers.es_bulk import Action, read_action, read_document

#: Most actions of one request; each has an item in the reply, which is longer than the shortest action.
MAX_ACTIONS = 100_000
MAX_REMEMBERED = 1_000
NO_UPDATE = "an update is not taken: every event is kept as it came; send it with create or index"
#: An item before and behind its ``_id``.
Shape = tuple[bytes, bytes | None]

_CONTROLS = re.compile("[\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action. ``error`` is the type of the error, empty when there is none."""

    name: str
    status: int
    version: int = 0
    error: str = ""

    def says(self, index: str, identity: str, reason: str) -> dict[str, Any]:
        """Return what the action's item says."""
        named: dict[str, Any] = {"_index": index, "_id": identity}
        if self.error:
            return {**named, "status": self.status, "error": {"type": self.error, "reason": reason}}
        shards = {"total": 1, "successful": 1, "failed": 0}
        return {**named, "_version": self.version, "result": self.name, "_shards": shards, "status": self.status}


CREATED = Outcome("created", 201, version=1)
UPDATED = Outcome("updated", 200, version=2)
NOT_FOUND = Outcome("not_found", 404, version=1)
CONFLICT = Outcome("conflict", 409, error="version_conflict_engine_exception")
NOT_A_DOCUMENT = Outcome("not_a_document", 400, error="document_parsing_exception")
NOT_TAKEN = Outcome("not_taken", 400, error="illegal_argument_exception")


def repeated(action: Action) -> tuple[Outcome, str]:
    """Return what an action whose ``_id`` is stored already is told: it is there, in the words of its operation."""
    if action.operation == "index":
        return UPDATED, ""
    return CONFLICT, f"[{action.id}]: version conflict, document already exists (current version [1])"


def key_of(action: Action) -> str:
    """Return the identity of a document for its source: 64 characters of its index and ``_id``."""
    named = f"{action.index}\0{action.id}".encode("utf-8", "replace")
    return hashlib.blake2b(named, digest_size=32).hexdigest()


class ItemWriter:
    """Writes the items of one request, each through the request's ``filter_path``.

    Index, ``_id`` and reason are put into a template that is made and filtered once for each operation and outcome;
    their marks are random, so that no name in the body can be taken for one.
    """

    def __init__(self, filter_path: FilterPath) -> None:
        self._filter = filter_path
        self._run = secrets.token_urlsafe(9)
        self._marks = tuple(f"{self._run}{name}" for name in ("index", "id", "reason"))
        self._index, self._id, self._reason = (mark.encode() for mark in self._marks)
        self._templates: dict[tuple[str, Outcome], bytes] = {}
        self._created: dict[tuple[str, str], Shape] = {}

    def _template(self, operation: str, outcome: Outcome) -> bytes:
        found = self._templates.get((operation, outcome))
        if found is None:
            items: list[Any] = [{operation: outcome.says(*self._marks)}]
            if self._filter:
                items = self._filter.apply({"items": items}).get("items", [])
            found = self._templates[operation, outcome] = orjson.dumps(items[0]) if items else b""
        return found

    def created(self, action: Action) -> Shape:
        """Return the item of a document that is stored, before and behind its ``_id``.

        The second part is ``None`` when the filter leaves no ``_id``; an item may be empty then.
        """
        key = (action.operation, action.index)
        found = self._created.get(key)
        if found is None:
            template = self._template(action.operation, CREATED).replace(self._index, _escaped(action.index))
            head, mark, tail = template.partition(self._id)
            found = head, tail if mark else None
            if len(self._created) < MAX_REMEMBERED:
                self._created[key] = found
        return found

    def identity(self, action: Action, number: int) -> bytes:
        """Return a document's ``_id`` inside its quotes: its own, or one made up from its place."""
        return _escaped(action.id) if action.id else b"%b%08d" % (self._run.encode(), number)

    def write(self, action: Action, outcome: Outcome, reason: str, number: int) -> bytes:
        """Return one item; empty when the filter leaves nothing of it."""
        item = self._template(action.operation, outcome).replace(self._index, _escaped(action.index))
        return item.replace(self._id, self.identity(action, number)).replace(self._reason, _escaped(reason))


def _escaped(text: str) -> bytes:
    """Return text as it stands inside quotes; control characters, which would grow sixfold, are replaced."""
    return orjson.dumps(_CONTROLS.sub("\ufffd", text))[1:-1]


@dataclass(slots=True)
class Bulk:
    """A bulk request that has been read.

    ``record_count`` documents are to be stored: ``stored`` instead of the body when that is not ``None``, in
    ``pieces`` when one of them brought an ``_id``.
    """

    writer: ItemWriter
    filter_path: FilterPath
    started: float
    items: list[bytes] = field(default_factory=list)
    has_errors: bool = False
    record_count: int = 0
    stored: bytes | None = None
    pieces: tuple[Piece, ...] = ()
    #: Position of a piece -> the action and the item it belongs to.
    by_piece: dict[int, tuple[Action, int]] = field(default_factory=dict)

    def answer(self, action: Action, outcome: Outcome, reason: str) -> None:
        """Add the item of an action that stores nothing."""
        self.has_errors = self.has_errors or bool(outcome.error)
        self.items.append(self.writer.write(action, outcome, reason, len(self.items)))

    def reply(self, receipt: Receipt) -> bytes:
        """Return the body of the reply once the rest is stored."""
        for piece in receipt.duplicates:
            action, item = self.by_piece[piece]
            outcome, reason = repeated(action)
            self.has_errors = self.has_errors or bool(outcome.error)
            self.items[item] = self.writer.write(action, outcome, reason, item)
        took = int((time.perf_counter() - self.started) * 1_000)
        if not self.filter_path:
            flag = b"true" if self.has_errors else b"false"
            return b'{"took":%d,"errors":%b,"items":[%b]}' % (took, flag, b",".join(self.items))
        top = self.filter_path.apply({"took": took, "errors": self.has_errors})
        fields = [orjson.dumps({name: value})[1:-1] for name, value in top.items()]
        items = b",".join(item for item in self.items if item)
        if items:
            fields.append(b'"items":[%b]' % items)
        return b"{%b}" % b",".join(fields)


@dataclass(slots=True)
class _Kept:
    """The documents of a body that are stored: their action lines, and those of them that have an ``_id``."""

    lines: list[bytes]
    #: 0-based numbers of the action lines; the document is the next line.
    at: list[int] = field(default_factory=list)
    #: Position in ``at`` -> the action and the position of its item.
    keyed: dict[int, tuple[Action, int]] = field(default_factory=dict)

    def joined(self, start: int, end: int) -> bytes:
        """Return the pairs of lines at some positions as one body."""
        return b"\n".join(line for number in self.at[start:end] for line in self.lines[number : number + 2])

    def cut(self, bulk: Bulk) -> None:
        """Cut the body into pieces: one for each ``_id``, one for what lies between two of them."""
        pieces: list[Piece] = []
        start = 0
        for position, found in self.keyed.items():
            if start < position:
                pieces.append(Piece(None, self.joined(start, position), position - start))
            bulk.by_piece[len(pieces)] = found
            pieces.append(Piece(key_of(found[0]), self.joined(position, position + 1)))
            start = position + 1
        if start < len(self.at):
            pieces.append(Piece(None, self.joined(start, len(self.at)), len(self.at) - start))
        bulk.pieces = tuple(pieces)


def read_bulk(body: bytes, index: str, filter_path: FilterPath) -> Bulk:
    """Read a bulk body; ``index`` is the one its path names.

    Raises ``no_data`` for an empty body, ``event_required`` when it holds no action or an action names no index,
    :class:`~triage.receivers.base.BodyError` for a line that is no action.
    """
    if not body:
        raise Refusal(errors.NO_DATA, "request body is required")
    if body.count(b"\n") > 4 * MAX_ACTIONS:
        raise _too_many()
    decoding.check_size(body)
    bulk = Bulk(ItemWriter(filter_path), filter_path, time.perf_counter())
    kept = _Kept(body.split(b"\n"))
    _read_lines(bulk, kept, index)
    if not bulk.items:
        raise Refusal(errors.EVENT_REQUIRED, "Validation Failed: 1: no requests added;")
    bulk.record_count = len(kept.at)
    if bulk.record_count < len(bulk.items):
        bulk.stored = kept.joined(0, bulk.record_count)
    if kept.keyed:
        kept.cut(bulk)
    return bulk


def _read_lines(bulk: Bulk, kept: _Kept, index: str) -> None:
    """Go through the lines; action lines that repeat are understood once."""
    lines, items, at = kept.lines, bulk.items, kept.at
    known: dict[bytes, tuple[Action, Shape]] = {}
    number, count = 0, len(lines)
    while number < count:
        line = lines[number]
        number += 1
        found = known.get(line)
        if found is None:
            if not line or line.isspace():
                continue
            action = _with_index(read_action(line, number), index)
            found = (action, bulk.writer.created(action))
            if not action.id and len(known) < MAX_REMEMBERED:
                known[line] = found
        if len(items) == MAX_ACTIONS:
            raise _too_many()
        action, (head, tail) = found
        if action.operation == "delete":
            bulk.answer(action, NOT_FOUND, "")
            continue
        refused = _refused(action, lines[number] if number < count else b"")
        number += 1
        if refused is not None:
            bulk.answer(action, *refused)
            continue
        if action.id:
            kept.keyed[len(at)] = (action, len(items))
        at.append(number - 2)
        items.append(head if tail is None else head + bulk.writer.identity(action, len(items)) + tail)


def _too_many() -> Refusal:
    return Refusal(errors.TOO_LARGE, f"more than {MAX_ACTIONS} actions; send smaller batches")


def _with_index(action: Action, index: str) -> Action:
    if action.index:
        return action
    if not index:
        raise Refusal(errors.EVENT_REQUIRED, "Validation Failed: 1: index is missing;")
    return replace(action, index=index)


def _refused(action: Action, source: bytes) -> tuple[Outcome, str] | None:
    """Return why a document is not stored, ``None`` when it is."""
    if action.operation == "update":
        return NOT_TAKEN, NO_UPDATE
    try:
        read_document(source)
    except BodyError as error:
        return NOT_A_DOCUMENT, f"failed to parse: {error}"
    return None

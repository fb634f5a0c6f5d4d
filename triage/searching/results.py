"""The answers of a search: events, counts over time, most frequent values.

Handed: a condition, and what a request may cost. Hands on: what was found, newest first, and how far was looked: a
search that would take too long says where it stopped, and goes on from there when it is asked to.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from django.db.models import Count, Q, QuerySet

from triage import documents
from triage.conditions import OWN_FIELDS, Condition, text_of
from triage.documents import Document
from triage.models import Event, EventChunk, Source
from triage.searching.gates import Chunk
from triage.searching.plan import COLUMNS, MICROSECOND, Plan, plan
from triage.searching.walk import Budget, Group, Progress, groups

#: Chunks in the largest group: of rows that the database looks through, of documents that are inflated.
ROW_GROUP, BODY_GROUP = 32, 4
#: Flagged events looked up at a time.
_FLAGGED_PAGE = 200
#: Distinct values kept while the most frequent ones are counted.
MAX_VALUES = 20_000

#: Ids of flagged events below an id (None: from the newest), newest first, at most so many.
FlaggedIds = Callable[[int | None, int], Sequence[int]]

#: Documents of one chunk by event id, newest first, each with its bytes.
Lines = dict[int, tuple[bytes, Document]]


@dataclass(frozen=True, slots=True)
class Found:
    """Events, newest first, and how far was looked for them."""

    events: list[Event]
    progress: Progress

    @property
    def next(self) -> int | None:
        """What to pass as ``before`` to go on; None when nothing older is left."""
        return None if self.progress.done else self.progress.before


@dataclass(frozen=True, slots=True)
class Subject:
    """A document, with its row where there is one, to be asked about."""

    document: Document
    stored: bytes = b""
    event: Event | None = None
    source: str = ""

    def values(self, field: str) -> Sequence[object]:
        """Return a field's values: columns as the row has them, everything else from the document."""
        if self.event is not None and field in COLUMNS:
            value = getattr(self.event, COLUMNS[field])
            return () if value in ("", None) else (value,)
        if field == "source":
            return (self.source,) if self.source else ()
        if field == "message":
            return (self.document.message,) if self.document.message else ()
        return _entries((self.document.fields or {}).get(field))

    def texts(self) -> Iterable[str]:
        """Return the message and the document's values as texts."""
        yield self.document.message
        for value in (self.document.fields or {}).values():
            yield from map(text_of, _entries(value))

    def line(self) -> bytes:
        """Return the document as it is stored."""
        return self.stored


def _entries(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def source_names() -> dict[int, str]:
    """Return the sources by number."""
    return dict(Source.objects.values_list("id", "name"))


def search(
    condition: Condition,
    *,
    limit: int,
    before: int | None = None,
    budget: Budget | None = None,
    flagged: FlaggedIds | None = None,
    rows: Q | None = None,
) -> Found:
    """Return the newest events that meet a condition, at most ``limit``, below the id ``before``.

    ``flagged``: who knows flagged events by number is asked when only those can be meant. ``rows``: what the event
    table is asked besides.
    """
    asked, progress = plan(condition, source_names(), rows), Progress(before, budget or Budget())
    if flagged is not None and asked.wants_flagged:
        return Found(_among_flagged(asked, progress, limit, flagged), progress)
    found: list[Event] = []
    for group in groups(asked, progress, largest=group_size(asked)):
        found.extend(hits(asked, group, progress, limit - len(found)))
        if len(found) >= limit:
            progress.before = found[-1].pk
            break
        progress.take(group)
    return Found(found, progress)


def group_size(asked: Plan) -> int:
    """Return how many chunks are looked at together."""
    return ROW_GROUP if asked.in_rows else BODY_GROUP


def rows_of(asked: Plan, group: Group, progress: Progress | None) -> QuerySet[Event]:
    """Return the rows of a group that may be meant, newest first, below where the search stands."""
    rows = Event.objects.filter(group.within()).order_by("-pk")
    if progress is not None and progress.before is not None:
        rows = rows.filter(pk__lt=progress.before)
    return rows if asked.where is None else rows.filter(asked.where)


def hits(asked: Plan, group: Group, progress: Progress, limit: int | None) -> list[Event]:
    """Return the events of a group that meet the condition, newest first."""
    rows = rows_of(asked, group, progress)
    if asked.in_rows:
        return list(rows.defer("windows")[:limit])
    found: list[Event] = []
    for lines in lines_of(asked, group, progress):
        found.extend(_confirmed(asked, rows, lines))
        if limit is not None and len(found) >= limit:
            break
    return found[:limit]


def lines_of(asked: Plan, group: Group, progress: Progress) -> Iterator[Lines]:
    """Yield, chunk by chunk, the documents that meet what is asked of documents; their rows may still not."""
    possible, opened = None, group.chunks
    if asked.where is not None:
        possible = frozenset(rows_of(asked, group, progress).values_list("pk", flat=True))
        wanted = {documents.chunk_id(identifier) for identifier in possible}
        opened = [chunk for chunk in opened if chunk.id in wanted]
    for chunk, body in _bodies(opened, progress):
        yield _lines(asked, chunk, body, possible, progress.before)


def _bodies(chunks: Sequence[Chunk], progress: Progress) -> Iterator[tuple[Chunk, bytes]]:
    """Yield the inflated bodies of chunks, newest first."""
    if not chunks:
        return
    progress.bodies += len(chunks)
    low, high = (pick(chunk.received_at for chunk in chunks) for pick in (min, max))
    days = Q(received_at__gte=low, received_at__lt=high + MICROSECOND)
    rows = EventChunk.objects.filter(days, pk__in=[chunk.id for chunk in chunks])
    bodies = dict(rows.values_list("pk", "body"))
    for chunk in chunks:
        if chunk.id in bodies:
            yield chunk, documents.inflate(chunk.id, bodies[chunk.id])


def _lines(asked: Plan, chunk: Chunk, body: bytes, possible: frozenset[int] | None, before: int | None) -> Lines:
    """Return the lines of a chunk whose documents meet what is asked of documents, by event id, newest first."""
    folded = body.lower() if asked.needles else body
    if not all(any(needle in folded for needle in group) for group in asked.needles):
        return {}
    if not all(needle in body for needle in asked.exact_needles):
        return {}
    small = folded.split(b"\n")
    offsets: Iterable[int] = range(len(small) - 1, -1, -1)
    for group in asked.needles:
        offsets = [offset for offset in offsets if any(needle in small[offset] for needle in group)]
    lines = body.split(b"\n") if offsets else []
    found: Lines = {}
    for offset in offsets:
        identifier, line = chunk.id + offset, lines[offset]
        if (possible is not None and identifier not in possible) or (before is not None and identifier >= before):
            continue
        document = documents.read_line(line)
        if asked.documents is None or asked.documents.holds(Subject(document, line)):
            found[identifier] = (line, document)
    return found


def _confirmed(asked: Plan, rows: QuerySet[Event], lines: Lines) -> list[Event]:
    """Return the rows of lines, with their documents, that meet what is asked of both."""
    if not lines:
        return []
    found: list[Event] = []
    for event in rows.filter(pk__in=list(lines)).defer("windows"):
        line, document = lines[event.pk]
        event.__dict__["_document"] = document
        subject = Subject(document, line, event, asked.sources.get(event.source_id, ""))
        if asked.rest is None or asked.rest.holds(subject):
            found.append(event)
    return found


def _among_flagged(asked: Plan, progress: Progress, limit: int, flagged: FlaggedIds) -> list[Event]:
    """Return the flagged events that meet the condition, from those whose numbers are known."""
    found: list[Event] = []
    at = progress.before
    while not progress.spent:
        ids = flagged(at, _FLAGGED_PAGE)
        rows = Event.objects.filter(pk__in=ids).order_by("-pk").defer("windows")
        events = list(rows if asked.where is None else rows.filter(asked.where))
        if not asked.in_rows:
            documents.prefetch(events)
            progress.bodies += len({documents.chunk_id(event.pk) for event in events})
            events = [event for event in events if asked.condition.holds(_subject(asked, event))]
        found.extend(events)
        if len(found) >= limit or len(ids) < _FLAGGED_PAGE:
            progress.done = len(found) <= limit and len(ids) < _FLAGGED_PAGE
            break
        at = ids[-1]
    if not progress.done:
        progress.before = found[limit - 1].pk if len(found) >= limit else at
    return found[:limit]


def _subject(asked: Plan, event: Event) -> Subject:
    document = documents.of(event)
    return Subject(document, documents.line(document), event, asked.sources.get(event.source_id, ""))


def matches(condition: Condition, progress: Progress) -> Iterator[list[Event]]:
    """Yield all events that meet a condition, group by group, newest first, as far as the budget goes."""
    asked = plan(condition, source_names())
    for group in groups(asked, progress, largest=group_size(asked)):
        found = hits(asked, group, progress, None)
        progress.take(group)
        yield found


def most_frequent(condition: Condition, field: str, progress: Progress) -> Counter[str]:
    """Return how many events that meet a condition have which value of a field; lists count once per entry.

    Capital and small letters are told apart. Beyond :data:`MAX_VALUES` different values the rare ones are dropped.
    """
    asked = plan(condition, source_names())
    counts: Counter[str] = Counter()
    by_row = asked.in_rows and (field in COLUMNS or field == "source")
    for group in groups(asked, progress, largest=ROW_GROUP if by_row else BODY_GROUP):
        counts.update(_row_values(asked, group, progress, field) if by_row else _values(asked, group, progress, field))
        progress.take(group)
        if len(counts) > MAX_VALUES:
            counts = Counter(dict(counts.most_common(MAX_VALUES // 2)))
    return counts


def _row_values(asked: Plan, group: Group, progress: Progress, field: str) -> dict[str, int]:
    column = COLUMNS.get(field, "source_id")
    pairs = rows_of(asked, group, progress).order_by().values_list(column).annotate(Count("pk"))
    named = ((asked.sources.get(value, "") if field == "source" else value, count) for value, count in pairs)
    return {text_of(value): count for value, count in named if value not in ("", None)}


def _values(asked: Plan, group: Group, progress: Progress, field: str) -> Counter[str]:
    if asked.rest is None and field not in COLUMNS and field not in OWN_FIELDS:  # the documents alone tell
        lines = chain.from_iterable(found.values() for found in lines_of(asked, group, progress))
        return Counter(text for _, document in lines for text in set(map(text_of, Subject(document).values(field))))
    events = hits(asked, group, progress, None)
    bare = [event for event in events if "_document" not in event.__dict__]
    progress.bodies += len({documents.chunk_id(event.pk) for event in bare})
    documents.prefetch(bare)
    counts: Counter[str] = Counter()
    for event in events:
        counts.update({text_of(value) for value in _subject(asked, event).values(field)})
    return counts

"""What happened around events lately, counted by this process as the stream goes by.

Handed: the events of a pass, in the order in which they are stored. Hands on: their window numbers (see
:class:`triage.features.windows.Windows`) and their form in the event's row, which is what every later scoring reads: an
event's score can be had again without its stream. A process that starts counts the newest stored events first, so that
what is usual is not new to it. Every pipeline worker counts what it works on; a pass that fails and is tried again is
counted twice.
"""

from collections.abc import Sequence

import numpy as np

from triage import reading, store
from triage.contracts import ParsedEvent
from triage.features.windows import ABSENT, NUMBERS, Windows
from triage.models import Event, RawBatch, event_id

#: Stored events that a new process counts before its first pass.
WARM_EVENTS = 20_000
#: Numbers as they are stored: little-endian, the same on every machine.
STORED = np.dtype("<i4")


class _Counting:
    windows: Windows | None = None


def observe(events: Sequence[ParsedEvent]) -> np.ndarray:
    """Count events and return their numbers, shape ``(n_events, len(NUMBERS))``."""
    if _Counting.windows is None:
        _Counting.windows = _warm()
    return _Counting.windows.observe(events)


def forget() -> None:
    """Start anew at the next call."""
    _Counting.windows = None


def _warm() -> Windows:
    windows = Windows()
    for batch_id in store.recent_batches(WARM_EVENTS):
        for batch in store.stored_batches(RawBatch.objects.filter(pk=batch_id)):
            windows.observe(reading.read(batch))
    return windows


def stored_forms(numbers: np.ndarray) -> list[bytes | None]:
    """Return each row as it is stored: None where nothing is known."""
    known = (numbers != ABSENT).any(axis=1).tolist()
    return [row.tobytes() if there else None for row, there in zip(numbers.astype(STORED), known, strict=True)]


def numbers_of(forms: Sequence[bytes | memoryview | None]) -> np.ndarray:
    """Return the rows of stored forms."""
    found = np.full((len(forms), len(NUMBERS)), ABSENT, dtype=np.int32)
    for place, form in enumerate(forms):
        if form is not None:
            found[place] = np.frombuffer(form, dtype=STORED)
    return found


def of_batch(batch_id: int, n_events: int) -> np.ndarray:
    """Return the rows of a batch's events, in order."""
    rows = Event.objects.filter(pk__gte=event_id(batch_id, 0), pk__lt=event_id(batch_id + 1, 0), windows__isnull=False)
    known = {identifier - event_id(batch_id, 0): form for identifier, form in rows.values_list("pk", "windows")}
    return numbers_of([known.get(position) for position in range(n_events)])


def of_events(identifiers: Sequence[int]) -> np.ndarray:
    """Return the rows of events by id; of one that has left, nothing is known."""
    known = dict(Event.objects.filter(pk__in=identifiers).values_list("pk", "windows"))
    return numbers_of([known.get(identifier) for identifier in identifiers])

"""One event in full: its fields as a tree with what points at them, and where it belongs.

Handed: an event's id. Hands on: an :class:`EventRecord`; the exact record is read from its batch, and is None once
retention has taken it. Of an event in an open blind audit no reason and no evidence is told.
"""

import logging
from dataclasses import dataclass

from alerts.models import AlertEvent
from alerts.selectors.alert import EventView, evidence_lines, is_blind, marks, reasons, top_events
from alerts.selectors.explanation import explained
from alerts.selectors.fields import FieldTree, Marks, field_tree
from triage import store
from triage.models import Event
from triage.reading import DamagedRecordError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as its page shows it. ``event`` and ``tree`` are None once retention has taken it.

    ``link`` is None for an event in no alert, ``raw``, the exact record as text, when that is gone; ``damage`` says why
    it cannot be read although it is there.
    """

    event_id: int
    event: Event | None
    link: AlertEvent | None
    tree: FieldTree | None
    raw: str | None
    damage: str = ""


def event_record(event_id: int) -> EventRecord | None:
    """Return one event in full, None when neither it nor a link of an alert to it is there."""
    event = Event.objects.select_related("source").filter(pk=event_id).first()
    link = AlertEvent.objects.select_related("alert", "model_version").filter(event_id=event_id).first()
    if event is None and link is None:
        return None
    tree = field_tree(event, _marks(link)) if event is not None else None
    try:
        return EventRecord(event_id, event, link, tree, store.raw_text(event_id))
    except DamagedRecordError as error:
        logger.error("event %d: %s", event_id, error)
        return EventRecord(event_id, event, link, tree, None, str(error))


def _marks(link: AlertEvent | None) -> Marks:
    if link is None or is_blind(link.alert):
        return Marks()
    strongest: EventView | None = next(iter(top_events(link.alert, count=1)), None)
    why = reasons(strongest.link.reasons) if strongest else []
    lines = evidence_lines(explained(link.alert).view, why, strongest)
    return marks(link.event_id, lines, reasons(link.reasons))

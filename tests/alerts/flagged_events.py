"""Flagged events as the pipeline stores them, for tests of the analyst side."""

import datetime as dt
import json
from itertools import count
from typing import Any

from tests.documents import write_document
from triage import partitions
from triage.models import Event, Source

START = dt.datetime(2026, 3, 1, 14, 2, 11, tzinfo=dt.UTC)
_IDS = count(1 << 20)
REASON = {
    "feature": "user_host_new",
    "text": "backup never logged in on db-1 before",
    "contribution": 0.75,
    "fields": ["user.name", "host.name"],
    "observed": "backup on db-1",
    "baseline": "0 of 12,000 events",
}


def flagged(
    source: Source, message: str = "Accepted password for backup from 192.0.2.7 port 50122", **columns: Any
) -> Event:
    """Store and return one flagged event; ``document`` is its ECS document."""
    partitions.ensure([str(START.date())])
    usual = {"user.name": "backup", "host.name": "db-1", "source.ip": "192.0.2.7", "process.name": "sshd"}
    document = columns.pop("document", usual)
    defaults: dict[str, Any] = {
        "id": next(_IDS),
        "source": source,
        "received_at": START,
        "timestamp": START,
        "timestamp_origin": "event",
        "parser": "syslog",
        "event_category": "authentication",
        "event_action": "ssh_login",
        "event_outcome": "success",
        "host_name": "db-1",
        "user_name": "backup",
        "source_ip": "192.0.2.7",
        "process_name": "sshd",
        "entity": "user:backup",
        "message": message,
        "score": 7.5,
        "p_value": 0.0005,
        "flagged": True,
        "reasons": json.dumps([REASON]),
    }
    event = Event.objects.create(**(defaults | columns))
    write_document(event.pk, event.message, document, START)
    return event

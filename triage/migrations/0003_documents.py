"""Documents leave the event rows for compressed chunks."""

from itertools import groupby
from typing import Any

import orjson
import zstandard
from django.db import migrations, models

from triage.migrations._partitioned import CreatePartitionedModel

POSITION_BITS = 20
CHUNK_EVENTS = 512


def _chunk_id(identifier: int) -> int:
    batch, position = identifier >> POSITION_BITS, identifier & ((1 << POSITION_BITS) - 1)
    return (batch << POSITION_BITS) | (position - position % CHUNK_EVENTS)


def _line(message: str, document: str) -> bytes:
    """Return an event's line; a document that is not JSON leaves its message."""
    try:
        return orjson.dumps((message, orjson.loads(document)))
    except orjson.JSONDecodeError:
        return orjson.dumps((message, {}))


def _body(chunk_id: int, rows: list[tuple[int, Any, str, str]]) -> bytes:
    lines = [b""] * (rows[-1][0] - chunk_id + 1)
    for identifier, _, message, document in rows:
        lines[identifier - chunk_id] = _line(message, document)
    return zstandard.ZstdCompressor(level=1).compress(b"\n".join(lines))


def pack(apps: Any, schema_editor: Any) -> None:
    """Move the documents of stored events, chunk by chunk."""
    event, chunk = apps.get_model("triage", "Event"), apps.get_model("triage", "EventChunk")
    rows = event.objects.order_by("id").values_list("id", "received_at", "message", "document").iterator(chunk_size=2000)
    made = []
    for chunk_id, group in groupby(rows, key=lambda row: _chunk_id(row[0])):
        members = list(group)
        made.append(chunk(id=chunk_id, received_at=members[0][1], body=_body(chunk_id, members)))
        if len(made) == 100:
            chunk.objects.bulk_create(made)
            made.clear()
    chunk.objects.bulk_create(made)


class Migration(migrations.Migration):
    dependencies = [("triage", "0002_intake")]

    operations = [
        CreatePartitionedModel(
            name="EventChunk",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("received_at", models.DateTimeField()),
                ("body", models.BinaryField()),
            ],
        ),
        migrations.RunPython(pack, migrations.RunPython.noop),
        migrations.RemoveField(model_name="event", name="document"),
        migrations.AlterField(
            model_name="event",
            name="message",
            field=models.TextField(blank=True, help_text="Its beginning, for lists; all of it is in the chunk."),
        ),
    ]

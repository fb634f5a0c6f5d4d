"""Fills a database that stands at the migrations of the release before, through the models as they were then.

Handed: an intake token and how many rows of each kind, as JSON. Run as a program of its own, before the release's own
migrations; events and alerts are named ``old-N``, records that nobody has processed yet ``waited-N``.
"""

import datetime as dt
import json
import sys

import django
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

BATCH_EVENTS = 400


def fill(token: str, counts: dict[str, int]) -> None:
    """Fill every table that later migrations touch."""
    from triage import partitions, reading
    from triage.authentication import hash_token

    executor = MigrationExecutor(connection)
    applied = list(executor.loader.applied_migrations)
    then = executor.loader.project_state([node for node in applied if node in executor.loader.graph.nodes]).apps
    now = timezone.now()
    partitions.ensure([str(now.date()), str(now.date() - dt.timedelta(days=1))])
    with transaction.atomic():
        source = then.get_model("triage.Source").objects.create(name="edge", token_hash=hash_token(token))
        batches, events = then.get_model("triage.RawBatch").objects, then.get_model("triage.Event").objects
        then.get_model("triage.User").objects.create(username="olga", password="!")
        common = {"source": source, "receiver": "ndjson", "received_at": now, "parameters": {}}
        for start in range(0, counts["events"], BATCH_EVENTS):
            lines = [f"old-{number}" for number in range(start, start + BATCH_EVENTS)]
            body = "\n".join(json.dumps({"message": line}) for line in lines).encode()
            batch = batches.create(
                **common, body_bytes=len(body), record_count=len(lines), body=reading.compress(body), status="done",
                event_count=len(lines), processed_at=now,
            )  # fmt: skip
            events.bulk_create(
                then.get_model("triage.Event")(
                    id=(batch.pk << 20) + place, source=source, received_at=now, timestamp=now,
                    timestamp_origin="receipt", parser="json", message=line,
                )
                for place, line in enumerate(lines)
            )  # fmt: skip
        for number in range(counts["waiting"]):
            body = json.dumps({"message": f"waited-{number}"}).encode()
            batches.create(**common, body_bytes=len(body), record_count=1, body=reading.compress(body))
        alerts = [
            then.get_model("alerts.Alert").objects.create(
                fingerprint=f"old-{number}", title="t", source=source, first_seen_at=now, last_seen_at=now,
                explanation_state="done", severity="info", severity_rank=0,
            )
            for number in range(counts["alerts"])
        ]  # fmt: skip
        for number in range(counts["entries"]):
            then.get_model("alerts.AuditEntry").objects.create(
                alert=alerts[number % len(alerts)], action="old", details={"number": number}
            )


if __name__ == "__main__":
    django.setup()
    fill(sys.argv[1], json.loads(sys.argv[2]))

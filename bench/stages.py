"""What each stage of the line costs, and the least that storing the same rows can cost.

Handed: nothing but a configured Django. Hands on: microseconds per event, measured in this process, one
stage after the other.
"""

import time
from functools import partial
from typing import Any

from bench.traffic import bodies, hec_events


def stage_costs(count: int) -> dict[str, float]:
    """Return microseconds per event of each stage, in this process, one after the other."""
    from django.db import transaction

    from triage import champion, parsers, partitions, pipeline, receivers, sliding
    from triage.contracts import StoredBatch

    body = bodies(hec_events(count, seed=99), count)[0]
    costs: dict[str, float] = {}

    def timed(name: str, work: Any) -> Any:
        start = time.perf_counter()
        result = work()
        costs[name] = (time.perf_counter() - start) / count * 1e6
        return result

    champion.current()
    sliding.observe([])  # a process that starts counts what is stored, once
    records = timed("receive", lambda: receivers.get("hec_event").records(body, {}))
    events = timed("parse", lambda: parsers.parse(records, time.time(), memory={}))
    windows = timed("windows", lambda: sliding.observe(events))
    judged = timed("score", lambda: pipeline.judge(events, windows))
    item = pipeline.ReadBatch(StoredBatch(2**30, 1, "hec_event", {}, time.time(), b"", count), events)
    rows = timed("rows", lambda: list(pipeline.event_rows(item, judged.scores, judged.model_id, windows)))
    chunks = timed("documents", lambda: list(pipeline.document_chunks(item)))
    partitions.ensure({rows[0][2][:10]})
    with transaction.atomic():  # as the pipeline does
        timed("store", partial(store_all, rows, chunks))
    costs["limit"] = limit_cost(body, rows)
    return costs


def store_all(rows: list[Any], chunks: list[Any]) -> None:
    """Store events and their documents."""
    from triage import documents, store

    store.insert_events(rows)
    documents.insert(chunks)


def limit_cost(body: bytes, rows: list[Any]) -> float:
    """Return microseconds per event of orjson + COPY of the same rows into a bare table."""
    import orjson
    from django.db import connection

    from triage.store import EVENT_COLUMNS

    columns = ", ".join(EVENT_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE bench_limit AS SELECT {columns} FROM triage_event LIMIT 0")
        start = time.perf_counter()
        for line in body.split(b"\n"):
            orjson.loads(line)
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY bench_limit ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(EVENT_COLUMNS))
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(f"INSERT INTO bench_limit VALUES ({marks})", rows)
            cursor.execute("COMMIT")
        cost = (time.perf_counter() - start) / len(rows) * 1e6
        cursor.execute("DROP TABLE bench_limit")
    return cost

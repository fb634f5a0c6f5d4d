"""``manage.py ingest``: read files into the same pipeline as the HTTP intake."""

import argparse
import gzip
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import zstandard
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from triage import pipeline, reading, receivers, store, tasks
from triage.models import RawBatch, Source

LINES_PER_BATCH = 8_000
BYTES_PER_BATCH = 4 * 2**20
RECEIVER = "lines"


class Readable(Protocol):
    """What gives bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none at the end."""


class Command(BaseCommand):
    """Store files as raw batches of a source, and process them here and now."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="plain, .gz, .zst, or - for standard input")
        parser.add_argument("--source", required=True, metavar="NAME")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            source = Source.objects.get(name=options["source"])
        except Source.DoesNotExist as error:
            raise CommandError(
                f"no source {options['source']!r}; make it with: manage.py create_source NAME"
            ) from error
        batch_ids = [batch_id for name in options["files"] for batch_id in self._store_file(source, name)]
        self._finish(batch_ids)
        self._report(batch_ids)

    def _store_file(self, source: Source, name: str) -> Iterator[int]:
        try:
            with opened(name) as file:
                total = 0
                for lines in batches(file):
                    yield store_lines(source, lines).pk
                    total += len(lines)
                    self._process()
                    self._progress(f"{name}: {total:,} records")
        except (OSError, EOFError, zstandard.ZstdError) as error:
            raise CommandError(f"{name}: {error}") from error

    def _process(self) -> None:
        pipeline.process_pass(tasks.worker_name())

    def _finish(self, batch_ids: list[int]) -> None:
        """Process what is left, in case workers of a running Winnow have not taken it already."""
        while pipeline.process_pass(tasks.worker_name()):
            self._progress(f"{store.backlog_records():,} records to go")
        tasks.run_here(tasks.GROUP)
        self._progress("")

    def _progress(self, text: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r\x1b[K{text}", ending="")

    def _report(self, batch_ids: list[int]) -> None:
        rows = RawBatch.objects.filter(pk__in=batch_ids)
        parsers: Counter[str] = Counter()
        discards: Counter[str] = Counter()
        totals: Counter[str] = Counter()
        for row in rows.only(
            "record_count", "event_count", "flagged_count", "status", "parser_counts", "discard_counts"
        ):
            parsers.update(row.parser_counts)
            discards.update(row.discard_counts)
            totals.update(accepted=row.record_count, events=row.event_count, flagged=row.flagged_count)
            totals[row.status] += row.record_count
        self.stdout.write(
            f"accepted {totals['accepted']:,}  events {totals['events']:,}  flagged {totals['flagged']:,}"
            f"  quarantined {totals['quarantined']:,}  waiting {totals['received'] + totals['processing']:,}"
        )
        for label, counter in (("parser", parsers), ("fallback", discards)):
            for name, count in counter.most_common():
                self.stdout.write(f"  {label} {name}: {count:,} ({count / max(totals['events'], 1):.1%})")


@contextmanager
def opened(name: str) -> Iterator[Readable]:
    """Open a plain, gzip or zstd file, or standard input, for reading bytes."""
    if name == "-":
        yield sys.stdin.buffer
    elif name.endswith(".gz"):
        with gzip.open(name) as file:
            yield file
    elif name.endswith(".zst"):
        with Path(name).open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as file:
            yield file
    else:
        with Path(name).open("rb") as file:
            yield file


def lines_of(file: Readable) -> Iterator[bytes]:
    """Yield lines without their ends, blank ones left out."""
    rest = b""
    while chunk := file.read(2**20):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in whole if line.strip())
    if rest.strip():
        yield rest


def batches(file: Readable) -> Iterator[list[bytes]]:
    """Cut a file into lists of lines, bounded in number and bytes."""
    lines: list[bytes] = []
    size = 0
    for line in lines_of(file):
        lines.append(line)
        size += len(line)
        if len(lines) >= LINES_PER_BATCH or size >= BYTES_PER_BATCH:
            yield lines
            lines, size = [], 0
    if lines:
        yield lines


def store_lines(source: Source, lines: list[bytes]) -> RawBatch:
    """Commit one raw batch of lines."""
    body = b"\n".join(lines)
    return RawBatch.objects.create(
        source=source,
        receiver=RECEIVER,
        parameters={},
        received_at=timezone.now(),
        body=reading.compress(body),
        body_bytes=len(body),
        record_count=len(receivers.get(RECEIVER).records(body, {})),
    )

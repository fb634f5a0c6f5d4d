"""What has been sent before: leave it out, whether a whole body or a piece of one.

Handed: the submissions of a group, inside the transaction that stores them. Hands on: what is new of them, and
a receipt for each. Keys are written in the same transaction as the rows they stand for; where two processes
take the same key at once, the unique constraint stops one, and its second try finds the key.
"""

from collections.abc import Sequence
from dataclasses import replace

from django.utils import timezone

from triage.intake.commit import Receipt, Submission
from triage.models import RawBatch, RecordKey

_Key = tuple[int, str | None]


def leave_out(submissions: Sequence[Submission]) -> tuple[list[Submission], list[Receipt]]:
    """Return ``(what is new, one receipt per submission)``."""
    seen_bodies, seen_pieces = _used_bodies(submissions), _used_pieces(submissions)
    fresh: list[Submission] = []
    receipts: list[Receipt] = []
    new_keys: list[tuple[int, str]] = []
    for submission in submissions:
        body_key = (submission.source_id, submission.idempotency_key)
        if submission.idempotency_key is not None and body_key in seen_bodies:
            receipts.append(Receipt(is_repeat=True))
            continue
        seen_bodies.add(body_key)
        duplicates, added = _duplicates(submission, seen_pieces)
        new_keys.extend(added)
        receipts.append(Receipt(duplicates=duplicates))
        if len(duplicates) < len(submission.pieces) or not submission.pieces:
            fresh.append(_without(submission, duplicates) if duplicates else submission)
    _write(new_keys)
    return fresh, receipts


def _used_bodies(submissions: Sequence[Submission]) -> set[_Key]:
    keyed = [submission for submission in submissions if submission.idempotency_key is not None]
    if not keyed:
        return set()
    found = RawBatch.objects.filter(
        source_id__in={submission.source_id for submission in keyed},
        idempotency_key__in=[submission.idempotency_key for submission in keyed],
    )
    return set(found.values_list("source_id", "idempotency_key"))


def _used_pieces(submissions: Sequence[Submission]) -> set[_Key]:
    """Ask source by source, a few hundred keys at a time, so that the index answers."""
    wanted: dict[int, list[str]] = {}
    for submission in submissions:
        keys = [piece.key for piece in submission.pieces if piece.key is not None]
        if keys:
            wanted.setdefault(submission.source_id, []).extend(keys)
    found: set[_Key] = set()
    for source_id, keys in wanted.items():
        for start in range(0, len(keys), 500):
            rows = RecordKey.objects.filter(source_id=source_id, key__in=keys[start : start + 500])
            found.update((source_id, key) for key in rows.values_list("key", flat=True))
    return found


def _duplicates(submission: Submission, seen: set[_Key]) -> tuple[frozenset[int], list[tuple[int, str]]]:
    """Return the pieces that are there already (or twice in the group), and the new keys; both are then seen."""
    duplicates: set[int] = set()
    added: list[tuple[int, str]] = []
    for position, piece in enumerate(submission.pieces):
        key = (submission.source_id, piece.key)
        if piece.key is None:
            continue
        if key in seen:
            duplicates.add(position)
        else:
            seen.add(key)
            added.append((submission.source_id, piece.key))
    return frozenset(duplicates), added


def _without(submission: Submission, duplicates: frozenset[int]) -> Submission:
    kept = [piece for position, piece in enumerate(submission.pieces) if position not in duplicates]
    return replace(
        submission,
        body=b"\n".join(piece.body for piece in kept),
        record_count=sum(piece.record_count for piece in kept),
        pieces=tuple(kept),
    )


def _write(keys: Sequence[tuple[int, str]]) -> None:
    now = timezone.now()
    RecordKey.objects.bulk_create(
        [RecordKey(source_id=source_id, key=key, received_at=now) for source_id, key in keys], batch_size=2_000
    )

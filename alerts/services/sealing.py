"""Seals audit entries into their chain, and examines the chain.

Handed: committed entries. Hands on: seals; on examination every place where the chain does not hold, by number. Sealing
happens right after each commit, in a short transaction of its own that holds the head of the chain alone, so that
no lock of the change it records is ever waited for; what a process left unsealed when it died, the next sweep seals.
"""

import datetime as dt
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from alerts import chain
from alerts.models import AuditEntry, AuditHead, AuditSeal
from alerts.models.audit import chain_key
from triage.hooks import Finding

logger = logging.getLogger(__name__)

#: Entries of transactions that ended in another order than they began are looked for so many numbers back.
LOOK_BACK = 2_000
CHUNK = 1_000


def seal_new() -> int:
    """Seal what was committed lately and return how many; a failure is left to the sweep and logged."""
    try:
        return seal()
    except DatabaseError as error:
        logger.warning("audit entries wait for their seal: %s", error)
        return 0


def seal(*, everything: bool = False) -> int:
    """Seal committed entries, oldest first, and return how many; ``everything``: look at all there are.

    An entry whose digest does not fit its content was not written by Winnow, or was changed since: it gets no seal, and
    the examination names it.
    """
    key = chain_key()
    with transaction.atomic():
        head, _ = AuditHead.objects.select_for_update().get_or_create(pk=1)
        if head.key_name and head.key_name != chain.name_of(key):
            raise KeyChangedError(KEY_CHANGED)
        rows = _unsealed()
        if not everything:
            rows = rows.filter(pk__gt=head.entry_id - LOOK_BACK)
        seals = list(_links(rows.order_by("pk"), head, key))
        AuditSeal.objects.bulk_create(seals, batch_size=CHUNK)
        if seals:
            last = seals[-1]
            head.position, head.digest, head.sealed_at = last.position, last.digest, timezone.now()
            head.entry_id = max(head.entry_id, *(one.entry_id for one in seals))
            head.key_name = chain.name_of(key)
            head.save()
    return len(seals)


KEY_CHANGED = (
    "the audit trail was sealed with another key; set AUDIT_KEY (or SECRET_KEY, where there is none) to what it was"
)


class KeyChangedError(DatabaseError):
    """The chain was begun with another key; nothing is sealed, because nothing of it could be examined."""


def _unsealed() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk"))))


def _links(rows: QuerySet[AuditEntry], head: AuditHead, key: bytes) -> Iterator[AuditSeal]:
    position, before = head.position, head.digest
    for entry in rows.iterator(chunk_size=CHUNK):
        mac = entry.content_mac(key)
        if not _is_its_own(entry, mac, head.legacy_id):
            continue
        position += 1
        before = chain.link(key, before=before, position=position, entry_id=entry.pk, entry_mac=mac)
        yield AuditSeal(position=position, entry_id=entry.pk, mac=mac, digest=before)


def _is_its_own(entry: AuditEntry, mac: str, legacy_id: int) -> bool:
    """Return whether an entry carries this digest, or is from before there were any."""
    return entry.mac == mac or (not entry.mac and entry.pk <= legacy_id)


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the trail is not what was sealed. ``entry_id`` is None where no entry can be named."""

    position: int | None
    entry_id: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found: ``sealed`` links looked at, the chain's end, and every fault in the order of the chain."""

    sealed: int
    position: int
    digest: str
    faults: tuple[Fault, ...]


def examine(*, anchors: dict[int, str] | None = None) -> Examination:
    """Walk the whole chain and return every fault. Seals first what waits for it.

    ``anchors`` are ends of the chain that were written down elsewhere, position -> digest.
    """
    key = chain_key()
    head, _ = AuditHead.objects.get_or_create(pk=1)
    if head.key_name and head.key_name != chain.name_of(key):
        return Examination(0, head.position, head.digest, (Fault(None, None, KEY_CHANGED),))
    seal(everything=True)
    head.refresh_from_db()
    faults: list[Fault] = []
    known = dict(anchors or {})
    expected, before, sealed = 1, chain.START, 0
    for one, entry in _walk():
        sealed += 1
        if one.position != expected:
            faults.append(Fault(expected, None, _missing(expected, one.position - 1)))
        faults += _faults(one, entry, before if one.position == expected else None, key, head.legacy_id)
        if known.pop(one.position, one.digest) != one.digest:
            faults.append(Fault(one.position, one.entry_id, "differs from what was written down about it elsewhere"))
        expected, before = one.position + 1, one.digest
    if expected <= head.position:
        faults.append(Fault(expected, None, _missing(expected, head.position)))
    elif sealed and before != head.digest:
        faults.append(Fault(head.position, None, "the end of the chain is not the end that was noted"))
    faults += [
        Fault(position, None, "was written down elsewhere and is not here any more: the end was cut off")
        for position in sorted(known)
    ]
    faults += [Fault(None, pk, UNWRITTEN) for pk in _unsealed().order_by("pk").values_list("pk", flat=True)]
    return Examination(sealed, head.position, head.digest, tuple(faults))


UNWRITTEN = "has no seal: it was not written by Winnow, or changed before it was sealed"


def _missing(first: int, last: int) -> str:
    if first == last:
        return "its seal was deleted"
    return f"the seals up to {last} were deleted"


def _walk() -> Iterator[tuple[AuditSeal, AuditEntry | None]]:
    """Yield every seal with its entry, in the order of the chain; memory does not grow with the trail."""
    after = 0
    while True:
        seals = list(AuditSeal.objects.filter(position__gt=after).order_by("position")[:CHUNK])
        if not seals:
            return
        entries = AuditEntry.objects.in_bulk([one.entry_id for one in seals])
        yield from ((one, entries.get(one.entry_id)) for one in seals)
        after = seals[-1].position


def _faults(
    one: AuditSeal, entry: AuditEntry | None, before: str | None, key: bytes, legacy_id: int
) -> Iterator[Fault]:
    """Yield what is wrong with one link; ``before`` is None where the link before it is gone."""
    if entry is None:
        yield Fault(one.position, one.entry_id, "was deleted")
    elif entry.content_mac(key) != one.mac or not _is_its_own(entry, one.mac, legacy_id):
        yield Fault(one.position, one.entry_id, "was changed")
    if before is None:
        return
    if one.digest != chain.link(key, before=before, position=one.position, entry_id=one.entry_id, entry_mac=one.mac):
        yield Fault(one.position, one.entry_id, "is not in the place where it was sealed, or its seal was changed")


#: Entries that have waited for their seal for so long (seconds) were left behind, and nobody sweeps.
LATE_SECONDS = 900.0


def findings() -> list[Finding]:
    """Return what doctor says about the trail; the whole of it is walked by ``verify_audit``."""
    head, _ = AuditHead.objects.get_or_create(pk=1)
    if head.key_name and head.key_name != chain.name_of(chain_key()):
        return [Finding("audit trail", False, KEY_CHANGED, "Set AUDIT_KEY to the value it was sealed with.")]
    late = timezone.now() - dt.timedelta(seconds=LATE_SECONDS)
    waiting = _unsealed().filter(created_at__lt=late).count()
    fix = "Is a worker of the role learn running? Then run manage.py verify_audit: it names entries that were inserted."
    words = f"{head.position:,} entries sealed, {waiting:,} wait for their seal"
    return [Finding("audit trail", not waiting, words, fix)]

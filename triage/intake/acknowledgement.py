"""HEC acknowledgements: numbers for bodies that are committed, told once when their channel asks.

Handed: the submissions of a group, inside the transaction that stores them, and later the numbers a sender asks
for. Hands on: one number per submission, and what is known of a number. A number comes into being together with
the rows of its body, so it is true from the start and survives a restart of every process.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from triage.intake.commit import Submission
from triage.models import Ack, AckChannel

#: Numbers that one channel can ask for; of a sender that never asks, the oldest are forgotten.
MAX_PENDING = 100_000
#: Channels of one source. Another one has to wait until some are idle long enough to be dropped.
MAX_CHANNELS = 10_000
#: Numbers above this were never given: the column does not hold them.
MAX_NUMBER = 2**63 - 1
#: Numbers in one statement.
CHUNK = 500
#: A channel's old numbers are looked for each time this many new ones have been given.
TRIM_EVERY = 1_000

_GUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_Name = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Allotment:
    """``numbers``: one per submission, or ``None``. ``refused``: positions that got no channel; don't store them."""

    numbers: tuple[int | None, ...]
    refused: frozenset[int] = frozenset()


def channel_name(text: str) -> str | None:
    """Return a channel's name in its one spelling, or ``None`` when it is no GUID.

    >>> channel_name("FE0ECFAD-13D5-401B-847D-77833BD77131")
    'fe0ecfad-13d5-401b-847d-77833bd77131'
    """
    lowered = text.lower()
    return lowered if _GUID.fullmatch(lowered) else None


def allot(submissions: Sequence[Submission]) -> Allotment:
    """Give every submission that wants one the next number of its channel, inside the caller's transaction.

    The channels stay locked until the transaction ends, so that other processes go on from where it ended.
    """
    wanted: dict[_Name, list[int]] = {}
    for position, submission in enumerate(submissions):
        if submission.ack_channel:
            wanted.setdefault((submission.source_id, submission.ack_channel), []).append(position)
    numbers: list[int | None] = [None] * len(submissions)
    if not wanted:
        return Allotment(tuple(numbers))
    channels = _locked(wanted)
    given: list[Ack] = []
    for name, channel in channels.items():
        for number, position in enumerate(wanted[name], start=channel.next_id):
            numbers[position] = number
            given.append(Ack(channel=channel, number=number))
    _advance([(channel, len(wanted[name])) for name, channel in channels.items()])
    Ack.objects.bulk_create(given, batch_size=CHUNK)
    refused = (position for name, positions in wanted.items() if name not in channels for position in positions)
    return Allotment(tuple(numbers), frozenset(refused))


def told(source_id: int, channel: str, numbers: Iterable[int]) -> dict[int, bool]:
    """Return for each number whether its body is committed, and forget those that are: each is told once."""
    answers = dict.fromkeys(numbers, False)
    sought = sorted(number for number in answers if 0 <= number <= MAX_NUMBER)
    with transaction.atomic():
        row = AckChannel.objects.select_for_update().filter(source_id=source_id, channel=channel).first()
        if row is None:
            return answers
        AckChannel.objects.filter(pk=row.pk).update(used_at=timezone.now())
        for start in range(0, len(sought), CHUNK):
            known = Ack.objects.filter(channel=row, number__in=sought[start : start + CHUNK])
            answers.update(dict.fromkeys(known.values_list("number", flat=True), True))
            known.delete()
    return answers


def _locked(wanted: Iterable[_Name]) -> dict[_Name, AckChannel]:
    """Return the channels, made where needed, locked in the order of their ids; without those that are too many.

    A channel may be dropped as idle between its making and its locking; then it is made again.
    """
    names = sorted(wanted)
    found: dict[_Name, AckChannel] = {}
    while names:
        names = _make(names)
        rows = AckChannel.objects.select_for_update().filter(_any_of(names)).order_by("pk")
        found.update({(row.source_id, row.channel): row for row in rows})
        names = [name for name in names if name not in found]
    return found


def _make(names: Sequence[_Name]) -> list[_Name]:
    """Make the channels that are not there yet, up to a number per source; return those that are there then."""
    there = set(AckChannel.objects.filter(_any_of(names)).values_list("source_id", "channel"))
    missing: dict[int, list[str]] = {}
    for source_id, channel in names:
        if (source_id, channel) not in there:
            missing.setdefault(source_id, []).append(channel)
    now, made = timezone.now(), []
    for source_id, channels in missing.items():
        room = max(MAX_CHANNELS - AckChannel.objects.filter(source_id=source_id).count(), 0)
        made += [AckChannel(source_id=source_id, channel=channel, used_at=now) for channel in channels[:room]]
    AckChannel.objects.bulk_create(made, ignore_conflicts=True)
    there.update((row.source_id, row.channel) for row in made)
    return [name for name in names if name in there]


def _any_of(names: Iterable[_Name]) -> Q:
    """Return the condition for any of the channels; it is asked source by source, as the index is."""
    channels: dict[int, list[str]] = {}
    for source_id, channel in names:
        channels.setdefault(source_id, []).append(channel)
    condition = Q(pk__in=())
    for source_id, of_source in channels.items():
        condition |= Q(source_id=source_id, channel__in=of_source)
    return condition


def _advance(counts: Sequence[tuple[AckChannel, int]]) -> None:
    """Count on, and now and then forget what has been waiting for a question for too long."""
    now = timezone.now()
    for channel, count in counts:
        before, channel.next_id, channel.used_at = channel.next_id, channel.next_id + count, now
        if before // TRIM_EVERY != channel.next_id // TRIM_EVERY:
            Ack.objects.filter(channel=channel, number__lt=channel.next_id - MAX_PENDING).delete()
    AckChannel.objects.bulk_update([channel for channel, _ in counts], ["next_id", "used_at"], batch_size=CHUNK)

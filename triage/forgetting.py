"""What senders told us to recognise things by, and how long we remember it.

Handed: a time. Hands on: how much was forgotten. Acknowledgement channels go when nobody uses them, record keys
when no sender repeats a record any more; without this both tables would grow for ever.
"""

import datetime as dt

from django.db import transaction

from triage import deleting
from triage.models import Ack, AckChannel, RecordKey

#: Senders repeat what they could not deliver for hours, Pub/Sub for up to a week by default.
RECORD_KEY_DAYS = 8
#: A channel whose sender neither sends nor asks for this long is dropped, as in Splunk (seconds).
IDLE_CHANNEL_SECONDS = 600.0


def drop_idle_channels(now: dt.datetime, *, at_once: int = 200) -> int:
    """Forget channels that nobody has used for a while, with their numbers; return how many.

    A channel that a writer has locked at this moment is in use and stays.
    """
    before = now - dt.timedelta(seconds=IDLE_CHANNEL_SECONDS)
    if not AckChannel.objects.filter(used_at__lt=before).exists():
        return 0
    with transaction.atomic():
        idle = AckChannel.objects.select_for_update(skip_locked=True).filter(used_at__lt=before).order_by("pk")
        found = [row.pk for row in idle[:at_once]]
        Ack.objects.filter(channel__in=found).delete()
        AckChannel.objects.filter(pk__in=found).delete()
    return len(found)


def drop_record_keys(now: dt.datetime) -> int:
    """Forget the identities of records that nobody sends again; return how many."""
    old = RecordKey.objects.filter(received_at__lt=now - dt.timedelta(days=RECORD_KEY_DAYS))
    return deleting.in_parts(old)

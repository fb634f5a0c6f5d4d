"""Counted attempts: how often somebody may try to guess.

Handed: what is being tried, as buckets (a name, an address, a device) with their limits. Hands on: how long to wait. An
attempt is counted before it is looked at, so that a hundred at once are a hundred. A bucket empties
:data:`WINDOW` after the first attempt in it, whatever happens meanwhile: nobody can keep it closed without a pause.
"""

import datetime as dt
import hashlib
import ipaddress
import math
from collections.abc import Iterable, Mapping

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from triage.models import AttemptCount

WINDOW = dt.timedelta(minutes=15)
#: IPv6 gives a household a whole network of this length; one address of it is no identity.
IPV6_NETWORK = 64


def bucket(kind: str, value: str) -> str:
    """Return a bucket's name; only a hash is kept, since people type passwords into the wrong field."""
    return hashlib.sha256(f"{kind}\0{value}".encode("utf-8", "surrogatepass")).hexdigest()


def place_of(address: str) -> str:
    """Return what counts as one caller: an IPv4 address, or the network of an IPv6 one.

    >>> place_of("192.0.2.7"), place_of("2001:db8::1:2:3:4")
    ('192.0.2.7', '2001:db8::/64')
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
    return str(parsed)


def count(limits: Mapping[str, int]) -> tuple[int, bool]:
    """Count an attempt in every bucket; return seconds to wait (0: go on), and whether one of them has just closed."""
    now = timezone.now()
    wait, just_closed = 0, False
    for name in sorted(limits):  # one order for everybody: no deadlock
        number, ends_at = _count(name, now)
        if number > limits[name]:
            wait = max(wait, math.ceil((ends_at - now).total_seconds()))
            just_closed |= number == limits[name] + 1
    return wait, just_closed


def _count(name: str, now: dt.datetime) -> tuple[int, dt.datetime]:
    with transaction.atomic():
        row = AttemptCount.objects.select_for_update().filter(bucket=name).first()
        if row is None:
            try:
                with transaction.atomic():
                    row = AttemptCount.objects.create(bucket=name, count=0, ends_at=now + WINDOW)
            except IntegrityError:  # somebody else was first
                row = AttemptCount.objects.select_for_update().get(bucket=name)
        if row.ends_at <= now:
            row.count, row.ends_at = 0, now + WINDOW
        row.count += 1
        row.save(update_fields=["count", "ends_at"])
    return row.count, row.ends_at


def take_back(names: Iterable[str]) -> None:
    """Take back one attempt that was right. The wrong ones of others stay counted."""
    AttemptCount.objects.filter(bucket__in=list(names), count__gt=0).update(count=F("count") - 1)


def forget(now: dt.datetime | None = None) -> int:
    """Delete buckets whose time is over and return how many."""
    deleted, _ = AttemptCount.objects.filter(ends_at__lte=now or timezone.now()).delete()
    return deleted

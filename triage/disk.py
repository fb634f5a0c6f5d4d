"""Is there room on the disk for what was accepted? Asked before anything more is.

Handed: nothing. Hands on: the free bytes of the data directory, and whether senders have to be told to come back: what
is accepted must also be processed, and a database on a full disk can do neither. PostgreSQL's own disk is not seen from
here; when it is full, the database refuses and senders are told to come back all the same.
"""

import shutil

from django.conf import settings


def free_bytes() -> int:
    """Return the bytes that may still be written where the data directory is."""
    return shutil.disk_usage(settings.DATA_DIR).free


def is_short() -> bool:
    """Return whether there is less room than ``MIN_FREE_DISK_BYTES``."""
    return free_bytes() < settings.MIN_FREE_DISK_BYTES


def problem() -> str:
    """Return why nothing is accepted, or an empty string."""
    free = free_bytes()
    if free >= settings.MIN_FREE_DISK_BYTES:
        return ""
    return f"{free / 2**20:,.0f} MiB free on the disk, {settings.MIN_FREE_DISK_BYTES / 2**20:,.0f} are kept free"

"""The arithmetic of the audit trail's chain: what is authenticated, and how one link hangs on the one before.

Handed: the content of an entry, a key, the link before. Hands on: hexadecimal HMAC-SHA-256 digests (RFC 2104). Whoever
can write to the database but has not the key can neither change an entry nor make a new one that would pass.
"""

import datetime as dt
import hashlib
import hmac
import json
from decimal import Context, Decimal
from typing import Any

#: What the first link hangs on.
START = "0" * 64


def key_of(secret: str) -> bytes:
    """Return the key of the chain, which is good for nothing else."""
    return hashlib.sha256(b"winnow audit trail\0" + secret.encode()).digest()


def name_of(key: bytes) -> str:
    """Return a name for a key that does not tell the key, so that a change of key can be told from a forgery."""
    return hashlib.sha256(b"name\0" + key).hexdigest()[:16]


def content(
    *, created_at: dt.datetime, actor: str, kind: str, action: str, alert: int | None, details: object
) -> bytes:
    """Return an entry's content as bytes that are the same before it is stored and after, on every database.

    >>> moment = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    >>> content(created_at=moment, actor="a", kind="person", action="take", alert=7, details={"n": 1, "a": [0.5]})
    b'["2026-05-01T00:00:00.000000","a","person","take",7,{"a":["n0.5"],"n":"n1"}]'
    """
    moment = created_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    parts = [moment, actor, kind, action, alert, _plain(details)]
    return json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()


#: A float has at most 309 digits before its point.
EXACT = Context(prec=400)


def _plain(value: object) -> Any:
    """Return a JSON value with texts marked and numbers as exact text: databases write 1e22 in their own ways."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        exact = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
        return f"n{exact.normalize(EXACT)}" if exact else "n0"
    return value


def mac(key: bytes, entry: bytes) -> str:
    """Return the digest of one entry's content."""
    return hmac.new(key, b"entry\0" + entry, hashlib.sha256).hexdigest()


def link(key: bytes, *, before: str, position: int, entry_id: int, entry_mac: str) -> str:
    """Return the digest of one link: of its place, its entry and the link before it."""
    text = f"link\0{before}\0{position}\0{entry_id}\0{entry_mac}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

"""What of an event other programs can look for: addresses, names, links, files, senders.

Handed: ECS documents, whose values attackers may have written. Hands on: :class:`Indicator` rows, each value once, only
what is well formed: what is not an address, a host name, a link or a hash is left out rather than passed on.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

IP, DOMAIN, URL, EMAIL, FILENAME = "ip", "domain", "url", "email", "filename"
MD5, SHA1, SHA256 = "md5", "sha1", "sha256"
HASHES = (MD5, SHA1, SHA256)
MAX_INDICATORS = 100
MAX_URL = 2000
MAX_FILENAME = 255

#: ECS field -> kind of what it holds.
FIELDS: Mapping[str, str] = {
    "source.ip": IP, "destination.ip": IP, "client.ip": IP, "server.ip": IP, "dns.resolved_ip": IP,
    "destination.domain": DOMAIN, "url.domain": DOMAIN, "dns.question.name": DOMAIN, "tls.client.server_name": DOMAIN,
    "url.full": URL, "url.original": URL,
    "email.from.address": EMAIL, "email.sender.address": EMAIL,
    "file.name": FILENAME,
} | {
    f"{what}.hash.{kind}": kind for what in ("file", "process", "dll", "email.attachments.file") for kind in HASHES
}  # fmt: skip
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]", re.ASCII)
_HEX = {MD5: re.compile("[0-9a-f]{32}"), SHA1: re.compile("[0-9a-f]{40}"), SHA256: re.compile("[0-9a-f]{64}")}
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[^@\s]{4,253}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Indicator:
    """One value of a kind, and the field it was in. ``outside`` tells that it means the same everywhere."""

    kind: str
    value: str
    field: str
    outside: bool = True


def indicators(documents: Iterable[Mapping[str, Any]]) -> list[Indicator]:
    """Return what the events hold, each value once, in a fixed order, at most :data:`MAX_INDICATORS`.

    >>> [one.value for one in indicators([{"source.ip": "203.0.113.7", "file.hash.md5": "no hash"}])]
    ['203.0.113.7']
    """
    found: dict[tuple[str, str], Indicator] = {}
    for document in documents:
        for field in FIELDS.keys() & document.keys():
            values = document[field] if isinstance(document[field], list) else [document[field]]
            for value in values:
                one = _read(FIELDS[field], value, field)
                if one is not None:
                    known = found.setdefault((one.kind, one.value), one)
                    found[one.kind, one.value] = min(known, one)
    return sorted(found.values())[:MAX_INDICATORS]


def _read(kind: str, value: object, field: str) -> Indicator | None:
    """Return a well-formed value as an indicator, None for anything else."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if kind in (IP, DOMAIN):
        return _address(text, field) or _domain(text, field)
    if kind == URL:
        return _link(text, field)
    if kind in _HEX:
        return Indicator(kind, text.lower(), field) if _HEX[kind].fullmatch(text.lower()) else None
    if kind == EMAIL:
        return Indicator(kind, text, field) if _EMAIL.fullmatch(text) else None
    name = re.split(r"[/\\]", text)[-1]
    fits = 0 < len(name) <= MAX_FILENAME and name.isprintable()
    return Indicator(FILENAME, name, field) if fits else None


def _address(text: str, field: str) -> Indicator | None:
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    return Indicator(IP, str(address), field, outside=address.is_global and not address.is_multicast)


def _domain(text: str, field: str) -> Indicator | None:
    name = text.rstrip(".").lower()
    return Indicator(DOMAIN, name, field) if _HOST.fullmatch(name) else None


def _link(text: str, field: str) -> Indicator | None:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme.lower() not in {"http", "https", "ftp"} or not text.isascii() or not text.isprintable():
        return None
    inside = _address(host, field)
    if len(text) > MAX_URL or " " in text or not (inside or _domain(host, field)):
        return None
    return Indicator(URL, text, field, outside=inside is None or inside.outside)

"""Names that must not leave the building: replaced before sending, restored in the answer.

Handed: the identifiers of a request (user, host, domain, mail and address values by parsed field) and its texts.
Hands on: texts with ``USER_1``, ``HOST_2``, ``IP_EXT_1a`` in their place, and a way back. The same request always
gives the same pseudonyms; the mapping never leaves this process.

An address keeps what an analyst needs of it: ``IP_INT`` is inside (private, loopback, link-local, carrier-grade),
``IP_EXT`` is not; the number names its network (/24, or /64 in version 6) and the letter the address in it, so
``IP_INT_1a`` and ``IP_INT_1b`` are neighbours. Addresses and e-mail addresses that no parser named are found by
pattern as well. A name is also found percent-encoded and in base64 (UTF-8 and UTF-16LE), encoded once.

Not covered: a name that no field carries; one that is encoded twice, in another way or interrupted by other
characters; one of three characters or fewer inside a longer word or encoded; the encoded form of one of more than 64
characters, or beyond :data:`MAX_ENCODED` of them in one request.
"""

import base64
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import re2

from triage.explainers.redaction import MARK

PREFIXES = {"user": "USER", "host": "HOST", "mail": "MAIL", "domain": "DOMAIN"}
#: Account names that every system has: they identify nobody, and what they may do matters.
GENERIC = frozenset(
    {"root", "system", "administrator", "admin", "nobody", "guest", "localhost", "127.0.0.1", "::1", "-", "anonymous"}
)
#: A shorter name is only replaced where it stands alone; a longer one wherever it occurs.
SHORT = 4
#: Base64 of a name without the characters that its neighbours change; shorter cores are left alone.
_MIN_CORE = 5
#: Characters of encoded forms that are looked for in one request: about 200 names of 16 characters.
MAX_ENCODED = 80_000
MAX_ENCODED_NAME = 64
_V4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_V6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_TIME = re.compile(r"\d{1,2}:\d{2}:\d{2}")
_MAIL = re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,4}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_INSIDE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
#: A pseudonym may stand inside a longer word, because a name did.
_NAME = re.compile(r"(?:USER|HOST|MAIL|DOMAIN|NAME)_\d{1,6}(?!\d)|IP_(?:INT|EXT)_\d{1,6}[a-z]{1,3}(?![a-z0-9])")


class Pseudonyms:
    """A two-way mapping for one request; ``secrets`` are replaced for good.

    >>> names = Pseudonyms([("user", "alice"), ("host", "db-1")], ["alice logs in on db-1"])
    >>> names.hide("alice logs in on DB-1")
    'USER_1 logs in on HOST_1'
    >>> names.restore("Ask USER_1 about HOST_1")
    'Ask alice about db-1'
    """

    def __init__(
        self, identifiers: Iterable[tuple[str, str]], texts: Iterable[str], *, secrets: Iterable[str] = ()
    ) -> None:
        whole = "\n".join(texts)
        self._taken = whole
        self._by_value: dict[str, str] = {value.lower(): MARK for value in secrets}
        self._by_name: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._networks: dict[tuple[str, str], list[str]] = {}
        for kind, value in identifiers:
            self._add(kind, _SURROGATE.sub("?", value).strip())
        self._add_found(whole)
        self._values = tuple(self._by_value)
        room = MAX_ENCODED
        for value in self._values:
            for variant in _encoded(value, self._by_name.get(self._by_value[value], value)):
                room -= len(variant)
                if room > 0:
                    self._by_value.setdefault(variant.lower(), self._by_value[value])
        self._short, self._long = _alternatives(self._by_value)

    def _add(self, kind: str, value: str) -> None:
        if value.lower() in GENERIC or value.lower() in self._by_value or not _identifies(value):
            return
        name = self._address_name(value) if kind == "address" else self._next_name(PREFIXES.get(kind, "NAME"))
        self._by_value[value.lower()] = name
        self._by_name[name] = value
        if kind == "host" and "." in value and not _V4.fullmatch(value):
            short, _, domain = value.partition(".")
            self._add("host", short)
            if "." in domain:
                self._add("domain", domain)

    def _next_name(self, prefix: str) -> str:
        """Return an unused name that the texts do not contain by themselves."""
        while True:
            self._counts[prefix] = self._counts.get(prefix, 0) + 1
            name = f"{prefix}_{self._counts[prefix]}"
            if name not in self._taken:
                return name

    def _address_name(self, value: str) -> str:
        """Return the name of an address: side, network, place in the network."""
        side, network = _place(value)
        if (side, network) not in self._networks:
            self._networks[side, network] = [self._next_name(f"IP_{side}")]
        members = self._networks[side, network]
        members.append(value)
        return f"{members[0]}{_letters(len(members) - 2)}"

    def _add_found(self, text: str) -> None:
        for mail in _MAIL.findall(text):
            self._add("mail", mail)
        for address in (*_V4.findall(text), *_V6.findall(text)):
            if not _TIME.fullmatch(address) and any(character.isalnum() for character in address):
                self._add("address", address)

    def hide(self, text: str) -> str:
        """Return the text with every known name replaced, also one that a cap cut through at the end."""
        text = self._without_cut_name(_SURROGATE.sub("?", text))
        for pattern in (self._long, self._short):
            if pattern is not None:
                text = pattern.sub(self._pseudonym, text)
        return text

    def _pseudonym(self, match: Any) -> str:
        # Case folding knows letters that lower() does not map back; such a name is hidden without a way back.
        return self._by_value.get(match.group().lower(), "HIDDEN")

    def _without_cut_name(self, text: str) -> str:
        stem = text.removesuffix("…")
        if stem == text:
            return text
        lowered = stem.lower()
        lengths = (
            n for value in self._by_value for n in range(len(value) - 1, SHORT - 1, -1) if lowered.endswith(value[:n])
        )
        cut = max(lengths, default=0)
        return f"{stem[: len(stem) - cut]}…" if cut else text

    def restore(self, text: str) -> str:
        """Return the text with every pseudonym replaced by its name; unknown ones stay."""
        return _NAME.sub(lambda match: self._by_name.get(match.group(), match.group()), text)

    @property
    def mapping(self) -> Mapping[str, str]:
        """Pseudonym -> name."""
        return dict(self._by_name)


def is_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is private, loopback, link-local or carrier-grade."""
    return any(address in network for network in _INSIDE)


def _identifies(value: str) -> bool:
    """Tell whether a value can name anybody: not empty, not a single character, not a small number like uid 0."""
    return len(value) > 1 and not (value.isdigit() and len(value) < 5)


def _place(value: str) -> tuple[str, str]:
    """Return ``(INT or EXT, network)`` of an address; what is none by the rules is a network of its own."""
    try:
        address = ipaddress.ip_address(value.split("%", 1)[0])
    except ValueError:
        return "EXT", value.lower()
    side = "INT" if is_inside(address) else "EXT"
    bits = 24 if address.version == 4 else 64
    return side, str(ipaddress.ip_network((address, bits), strict=False))


def _letters(index: int) -> str:
    """Return a, b, ..., z, aa, ab, ...

    >>> _letters(0), _letters(25), _letters(26)
    ('a', 'z', 'aa')
    """
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _encoded(lowered: str, written: str) -> Iterator[str]:
    """Yield the forms a name takes inside encoded text; base64 of it as written, in lower and in upper case."""
    if not SHORT <= len(lowered) <= MAX_ENCODED_NAME:
        return
    yield quote(lowered, safe="")
    yield "".join(f"%{byte:02x}" for byte in lowered.encode())
    for form in dict.fromkeys((written, lowered, lowered.upper())):
        for raw in (form.encode(), form.encode("utf-16-le")):
            for shift in range(3):
                core = _core(raw, shift)
                if len(core) >= _MIN_CORE:
                    yield core


def _core(raw: bytes, shift: int) -> str:
    """Return the part of a name's base64 that is the same whatever stands around the name.

    ``shift`` is how many bytes of a group of three come before it.
    """
    text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
    first = (8 * shift + 5) // 6
    whole = (8 * (shift + len(raw))) // 6
    return text[first:whole]


def _alternatives(values: Iterable[str]) -> tuple[re.Pattern[str] | None, Any]:
    """Return the pattern of short names, which stand alone, and of all others, longest first.

    The long ones run on an engine whose time does not grow with their number.
    """
    ordered = sorted(values, key=lambda name: (-len(name), name))
    short = [re.escape(value) for value in ordered if len(value) < SHORT]
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = 256 << 20
    options.log_errors = False
    long = [re2.escape(value) for value in ordered if len(value) >= SHORT]
    return (
        re.compile(rf"(?<!\w)(?:{'|'.join(short)})(?!\w)", re.IGNORECASE) if short else None,
        re2.compile("|".join(long), options) if long else None,
    )

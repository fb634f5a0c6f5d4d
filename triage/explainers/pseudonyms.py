"""Names that must not leave the building: replaced before sending, restored in the answer.

Handed: the identifiers of a request (user, host and address values by parsed field) and its texts. Hands on:
texts with ``USER_1``, ``HOST_2``, ``IP_1`` in their place, and a way back. The same request always gives the
same pseudonyms; the mapping never leaves this process. Addresses and e-mail addresses that no parser named
are found by pattern as well. What is not covered: a name that no field carries, or one that is encoded
(base64, percent-encoding) inside another text.
"""

import re
from collections.abc import Iterable, Mapping

PREFIXES = {"user": "USER", "host": "HOST", "address": "IP", "mail": "MAIL"}
#: Account names that every system has: they identify nobody, and what they may do matters.
GENERIC = frozenset(
    {"root", "system", "administrator", "admin", "nobody", "guest", "localhost", "127.0.0.1", "::1", "-", "anonymous"}
)
#: A shorter name is only replaced where it stands alone; a longer one wherever it occurs.
SHORT = 4
_V4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_V6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_TIME = re.compile(r"\d{1,2}:\d{2}:\d{2}")
_MAIL = re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,4}")


class Pseudonyms:
    """A two-way mapping for one request.

    >>> names = Pseudonyms([("user", "alice"), ("host", "db-1")], ["alice logs in on db-1"])
    >>> names.hide("alice logs in on DB-1")
    'USER_1 logs in on HOST_1'
    >>> names.restore("Ask USER_1 about HOST_1")
    'Ask alice about db-1'
    """

    def __init__(self, identifiers: Iterable[tuple[str, str]], texts: Iterable[str]) -> None:
        whole = "\n".join(texts)
        self._taken = whole
        self._by_value: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        for kind, value in identifiers:
            self._add(kind, value)
        self._add_found(whole)
        self._pattern = _alternatives(self._by_value)

    def _add(self, kind: str, value: str) -> None:
        value = value.strip()
        if value.lower() in GENERIC or value.lower() in self._by_value or not _identifies(value):
            return
        name = self._next_name(PREFIXES[kind])
        self._by_value[value.lower()] = name
        self._by_name[name] = value
        if kind == "host" and "." in value and not _V4.fullmatch(value):
            self._add("host", value.split(".", 1)[0])

    def _next_name(self, prefix: str) -> str:
        """Return an unused name that the texts do not contain by themselves."""
        while True:
            self._counts[prefix] = self._counts.get(prefix, 0) + 1
            name = f"{prefix}_{self._counts[prefix]}"
            if name not in self._taken:
                return name

    def _add_found(self, text: str) -> None:
        for mail in _MAIL.findall(text):
            self._add("mail", mail)
        for address in (*_V4.findall(text), *_V6.findall(text)):
            if not _TIME.fullmatch(address) and any(character.isalnum() for character in address):
                self._add("address", address)

    def hide(self, text: str) -> str:
        """Return the text with every known name replaced, also one that a cap cut through at the end."""
        if self._pattern is None:
            return text
        text = self._without_cut_name(text)
        # Case folding knows letters that lower() does not map back; such a name is hidden without a way back.
        return self._pattern.sub(lambda match: self._by_value.get(match.group().lower(), "HIDDEN"), text)

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


#: A pseudonym may stand inside a longer word, because a name did.
_NAME = re.compile(r"(?:USER|HOST|IP|MAIL)_\d{1,6}(?!\d)")


def _identifies(value: str) -> bool:
    """Tell whether a value can name anybody: not empty, not a single character, not a small number like uid 0."""
    return len(value) > 1 and not (value.isdigit() and len(value) < 5)


def _alternatives(values: Iterable[str]) -> re.Pattern[str] | None:
    """Return one pattern for all names, longest first."""
    parts = []
    for value in sorted(values, key=lambda name: (-len(name), name)):
        escaped = re.escape(value)
        parts.append(escaped if len(value) >= SHORT else rf"(?<!\w){escaped}(?!\w)")
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None

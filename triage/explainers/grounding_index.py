"""What some evidence lines say, ready to be compared with a claim.

Handed: evidence lines. Hands on: their text in one spelling, and the addresses, times, numbers and field values in
them, each worked out when first asked for. One index is made of all lines, one of the lines that a claim cites.
"""

import ipaddress
import re
import urllib.parse
from collections.abc import Iterable
from functools import cached_property

from triage import ecs
from triage.contracts import EvidenceLine
from triage.explainers import grounding_numbers as numbers
from triage.explainers import grounding_times as times
from triage.explainers import lines
from triage.explainers.grounding_text import is_plain, normal

V4 = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d{1,2})(?!\d))?(?::(\d{1,5})(?!\d))?(?!\w|\.\d)")
V6 = re.compile(r"(?<![\w:.])((?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?:/(\d{1,3}))?(?![\w:])")
_HEX = re.compile(r"(?<!\w)(?=[0-9]{0,127}[A-Fa-f])[0-9A-Fa-f]{12,128}(?!\w)")
_LEADING = re.compile(r"(?<![0-9])0+(?=\d)")
MAX_VALUE = 400
#: Longer than any line that evidence is written in; what is behind it is not looked at.
MAX_LINE = 4000


def address(text: str) -> str:
    """Return an address in its canonical form; empty for what is none.

    >>> address("2001:DB8:0::7"), address("10.0.0.300")
    ('2001:db8::7', '')
    """
    try:
        return str(ipaddress.ip_address(_LEADING.sub("", text) if text.count(".") == 3 else text))
    except ValueError:
        return ""


class Index:
    """The facts of some evidence lines."""

    def __init__(self, evidence: Iterable[EvidenceLine]) -> None:
        self.evidence = tuple(evidence)
        self.rows: list[tuple[str, str, str]] = []
        for line in self.evidence:
            pair = lines.read_field(line)
            name, value = pair if pair else ("", line.text)
            self.rows.append((line.origin, name, normal(value[:MAX_LINE])))

    @cached_property
    def text(self) -> str:
        """Return all texts in lower case, one a line; fields with their names, quoted URLs once more in clear."""
        told = [f"{name}: {value}" if name else value for _, name, value in self.rows]
        told += [urllib.parse.unquote_plus(value) for _, _, value in self.rows if "%" in value]
        return "\n".join(told).lower()

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Return the field values that are no ordinary words, in lower case, longest first."""
        found = {value.lower().strip(" .,;:") for _, name, value in self.rows if name and len(value) <= MAX_VALUE}
        return tuple(
            sorted((value for value in found if len(value) > 1 and not is_plain(value)), key=lambda v: (-len(v), v))
        )

    @cached_property
    def families(self) -> frozenset[str]:
        """Return the first parts of names with a hyphen: "backup" of the user backup-writer."""
        held = {
            value.lower().partition("-")[0]
            for _, name, value in self.rows
            if name
            and not name.startswith(("event.", "rule.", "@"))
            and "-" in value
            and len(value) <= 60
            and " " not in value
        }
        return frozenset(first for first in held if len(first) > 2 and first.isalpha())

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """Return the texts that a claim may repeat, in lower case, longest first: three words or more, or long."""
        texts = {value.lower().rstrip(".") for _, _, value in self.rows if value.count(" ") >= 2 or len(value) >= 30}
        return tuple(sorted(texts, key=lambda text: (-len(text), text)))

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Return the addresses in canonical form."""
        found = [match[1] for match in V4.finditer(self.text)] + [match[1] for match in V6.finditer(self.text)]
        return frozenset(canonical for text in found if (canonical := address(text)))

    @cached_property
    def _timed(self) -> list[tuple[str, frozenset[times.Moment], str]]:
        return [(name, *times.found(value)) for _, name, value in self.rows]

    @cached_property
    def moments(self) -> frozenset[times.Moment]:
        """Return the dates and times."""
        return frozenset(moment for _, moments, _ in self._timed for moment in moments)

    @cached_property
    def numbers(self) -> numbers.Known:
        """Return the numbers that are no part of a time, an address or a hash."""
        rows = [(name, _HEX.sub(" ", self._without_addresses(left))) for name, _, left in self._timed]
        years = {float(moment.year) for moment in self.moments if moment.year}
        return numbers.known(rows, times.spans(self.moments), years)

    @staticmethod
    def _without_addresses(text: str) -> str:
        """Keep the last octet in front of a port, so that the port is still told to be one."""
        text = V6.sub(lambda match: " " if address(match[1]) else match[0], text)
        return V4.sub(lambda match: f" port {match[3]} " if match[3] else " ", text)

    @cached_property
    def roles(self) -> dict[str, frozenset[str]]:
        """Return value -> the field names it stands in, for source and destination fields."""
        found: dict[str, set[str]] = {}
        for _, name, value in self.rows:
            if name.startswith(("source.", "destination.", "client.", "server.")):
                found.setdefault(address(value) or value.lower(), set()).add(name.partition(".")[0])
        return {value: frozenset(sides) for value, sides in found.items()}

    @cached_property
    def untrusted_only(self) -> bool:
        """Tell whether every line holds text that whoever caused the event has chosen."""
        return bool(self.rows) and all(name in ecs.ATTACKER_WRITTEN for _, name, _ in self.rows)

    def of_origin(self, *origins: str) -> list[str]:
        """Return the lower-case texts of lines of these origins."""
        return [value.lower() for origin, _, value in self.rows if origin in origins]

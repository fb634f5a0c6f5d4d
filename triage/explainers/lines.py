"""How evidence is written as numbered lines, and how a field is read back from one.

Handed: field names and values from events. Hands on: :class:`~triage.contracts.EvidenceLine` values whose
text is plain, on one line and capped. Fields whose text an attacker chooses say so in front of the value,
so that a value cannot fake or remove the mark.

Origins: ``event`` (a field of the strongest event), ``score`` (a reason), ``context`` (counts and times), ``receipt``
(what a query looked for and how much it found; only a receipt bears that something else did not happen).
"""

import re

from triage import ecs
from triage.contracts import EvidenceLine

EVENT, SCORE, CONTEXT, RECEIPT = "event", "score", "context", "receipt"
MAX_VALUE = 400
#: Cap for values that an attacker chooses: enough to see what it is, too little for a long speech.
MAX_UNTRUSTED = 300
UNTRUSTED = " (untrusted text)"
#: Begins the line that counts what people decided on alerts of the same kind.
DECISIONS = "Analysts decided on alerts of this kind: "

#: Control, bidirectional, zero-width, tag and private-use characters, lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff]"
)
_FIELD_LINE = re.compile(rf"([A-Za-z0-9_.@\-]{{1,80}})(?:{re.escape(UNTRUSTED)})?: (.*)")

#: What a name must not say inside a receipt.
_FOUND = re.compile(r"\bfound(?=\s*\d)", re.IGNORECASE)
_RECEIPT = re.compile(r"Searched (.*): found ([0-9,]{1,20})\.")


def plain(text: object, limit: int) -> str:
    """Return one line of visible text of at most ``limit`` characters.

    >>> plain(" a " + chr(0x202E) + "b", 10)
    'a b'
    """
    line = " ".join(_UNSEEN.sub(" ", str(text)[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def field_line(number: int, name: str, value: object) -> EvidenceLine:
    """Return the line of one event field."""
    untrusted = ecs.is_attacker_written(name)
    mark = UNTRUSTED if untrusted else ""
    text = plain(_text(value), MAX_UNTRUSTED if untrusted else MAX_VALUE)
    return EvidenceLine(number, EVENT, f"{plain(name, 80)}{mark}: {text}")


def receipt_line(number: int, searched: str, found: int) -> EvidenceLine:
    """Return the line of one query: what was searched, in which time, and how many were found.

    A name in ``searched`` that itself says how many were found does not count: only the end of the line does.

    >>> receipt_line(9, "other logins of alice in the 30 days before 2026-03-01T14:02:11Z", 0).text
    'Searched other logins of alice in the 30 days before 2026-03-01T14:02:11Z: found 0.'
    """
    what = _FOUND.sub("found:", plain(searched, MAX_VALUE))
    return EvidenceLine(number, RECEIPT, f"Searched {what}: found {found:,}.")


def read_receipt(line: EvidenceLine) -> tuple[str, int] | None:
    """Return what a receipt says was searched and how many were found, or None for any other line.

    >>> read_receipt(receipt_line(9, "events of user:a found 0", 1_200))
    ('events of user:a found: 0', 1200)
    """
    told = _RECEIPT.fullmatch(line.text) if line.origin == RECEIPT else None
    return (told[1], int(told[2].replace(",", ""))) if told else None


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value[:20])
    return str(value)


def read_field(line: EvidenceLine) -> tuple[str, str] | None:
    """Return ``(field, value)`` of an event line, or None for any other line.

    >>> read_field(field_line(1, "host.name", "db-1"))
    ('host.name', 'db-1')
    """
    found = _FIELD_LINE.fullmatch(line.text) if line.origin == EVENT else None
    return (found.group(1), found.group(2)) if found else None

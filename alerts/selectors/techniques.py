"""ATT&CK techniques as chips: id, name, tactics, and whether an id still stands.

Handed: technique ids of an alert or an explanation. Hands on: chips; an id that no table knows is marked as such, never
given a name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from triage import attack


@dataclass(frozen=True, slots=True)
class TechniqueChip:
    """One technique. ``known`` is False for an id that is not in the table; ``note`` says what has become of it."""

    id: str
    name: str
    tactics: str
    known: bool
    note: str


def technique_chips(*sources: Iterable[str]) -> list[TechniqueChip]:
    """Return a chip per technique id, each once, in the order of the sources.

    >>> [(chip.id, chip.name, chip.tactics, chip.known) for chip in technique_chips(["T1110", "T1110"], ["T0"])]
    [('T1110', 'Brute Force', 'Credential Access', True), ('T0', '', '', False)]
    """
    return [_chip(one) for one in dict.fromkeys(str(identifier) for ids in sources for identifier in ids)]


def _chip(identifier: str) -> TechniqueChip:
    row = attack.techniques().get(identifier)
    if row is None:
        return TechniqueChip(identifier, "", "", known=False, note="not a technique of ATT&CK")
    tactics = ", ".join(row.tactics)
    note = "" if row.status == attack.ACTIVE else row.status
    note = f"{note}, now {row.successor}" if row.successor else note
    return TechniqueChip(identifier, row.name, tactics, known=True, note=note)

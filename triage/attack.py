"""MITRE ATT&CK technique ids: name, tactics, and whether an id still stands.

Handed: nothing. Hands on: facts about a technique id, read from ``attack.json`` (Enterprise, version in the file)
when first asked. An id that is not in it is unknown, so an invented one is told apart from a revoked or a
deprecated one. Sub-techniques are named "parent: sub-technique".

Technique names, ids and tactics are facts from MITRE ATT&CK. (c) 2025 The MITRE Corporation. This work is reproduced
and distributed with the permission of The MITRE Corporation, under the ATT&CK terms of use:
https://attack.mitre.org/resources/legal-and-branding/terms-of-use/
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

DATA = Path(__file__).parent / "attack.json"
ACTIVE, REVOKED, DEPRECATED = "active", "revoked", "deprecated"


@dataclass(frozen=True, slots=True)
class Technique:
    """One row: ``status`` is active, revoked (``successor`` is the id that took its place) or deprecated."""

    name: str
    tactics: tuple[str, ...]
    status: str = ACTIVE
    successor: str = ""


@cache
def _file() -> dict[str, Any]:
    held: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return held


def version() -> str:
    """Return the version of ATT&CK that the table was made from.

    >>> version()
    '18.1'
    """
    return str(_file()["version"])


@cache
def techniques() -> Mapping[str, Technique]:
    """Return technique id -> row, in the order of the ids."""
    rows = _file()["techniques"].items()
    return MappingProxyType(
        {identifier: Technique(row[0], tuple(row[1]), *row[2:]) for identifier, row in sorted(rows)}
    )


def is_known(technique_id: str) -> bool:
    """Tell whether the table has this technique, in whatever status.

    >>> is_known("T1110"), is_known("T9999")
    (True, False)
    """
    return technique_id in techniques()


def is_active(technique_id: str) -> bool:
    """Tell whether the technique is known and neither revoked nor deprecated.

    >>> is_active("T1110"), is_active("T1086")
    (True, False)
    """
    entry = techniques().get(technique_id)
    return entry is not None and entry.status == ACTIVE


def successor(technique_id: str) -> str:
    """Return the id that took a revoked one's place; empty for every other id.

    >>> successor("T1086"), successor("T1110")
    ('T1059.001', '')
    """
    entry = techniques().get(technique_id)
    return entry.successor if entry else ""


def name(technique_id: str) -> str:
    """Return the technique's name; an unknown id is its own name.

    >>> name("T1110")
    'Brute Force'
    """
    entry = techniques().get(technique_id)
    return entry.name if entry else technique_id


def tactics(technique_id: str) -> tuple[str, ...]:
    """Return the tactics the technique serves; none for an unknown id."""
    entry = techniques().get(technique_id)
    return entry.tactics if entry else ()

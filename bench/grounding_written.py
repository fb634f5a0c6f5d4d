"""Reads alerts and statements written by hand, for the measurement of the grounding check.

Handed: a text file in the form that its head describes. Hands on: :class:`Written` values, one a statement: what kind
it is ("true", or the way in which it is false), the claim, and the request of its alert.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from triage.contracts import Claim, EvidenceLine, ExplanationRequest
from triage.explainers import lines

TRUE = "true"
HERE = Path(__file__).resolve().parent
#: Name of a set -> its file; in the order in which they were written.
SETS = {
    "written": "grounding_written.txt", "written_second": "grounding_written_second.txt",
    "written_third": "grounding_written_third.txt", "written_last": "grounding_written_last.txt",
    "written_final": "grounding_written_final.txt", "written_blind": "grounding_written_blind.txt",
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """One statement about one alert."""

    alert: str
    kind: str
    claim: Claim
    request: ExplanationRequest


def read(path: Path) -> list[Written]:
    """Return the statements of a file, in its order."""
    return [statement for block in _blocks(path) for statement in _alert(block)]


def _blocks(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n= ")[1:]


@cache
def _known(folder: Path) -> dict[str, list[str]]:
    """Return the rows of each alert that has its evidence in one of the files."""
    blocks = [block.strip().splitlines() for name in SETS.values() for block in _blocks(folder / name)]
    return {name: rows for name, *rows in blocks if not name.startswith("@")}


def _alert(block: str) -> Iterator[Written]:
    name, *rows = block.strip().splitlines()
    told = _known(HERE)[name[1:]] if name.startswith("@") else rows
    request = ExplanationRequest("", "medium", "", tuple(_evidence(told)), (), _techniques(told))
    for row in rows:
        mark, _, rest = row.partition(" ")
        if mark in {"+", "-"}:
            head, _, text = rest.partition(" | ")
            kind, cited = (TRUE, head) if mark == "+" else tuple(head.split(" "))
            yield Written(name, kind, Claim(text, tuple(int(number) for number in cited.split(","))), request)


def _evidence(rows: list[str]) -> Iterator[EvidenceLine]:
    told = [row.partition(" ")[::2] for row in rows if row[:2] in {"f ", "s ", "c ", "r "}]
    for number, (mark, rest) in enumerate(told, 1):
        first, _, second = rest.partition(" | ")
        if mark == "f":
            yield lines.field_line(number, first, second)
        elif mark == "r":
            yield lines.receipt_line(number, first, int(second))
        else:
            yield EvidenceLine(number, lines.SCORE if mark == "s" else lines.CONTEXT, rest)


def _techniques(rows: list[str]) -> tuple[str, ...]:
    return tuple(one.strip() for row in rows if row.startswith("t ") for one in row[2:].split(","))

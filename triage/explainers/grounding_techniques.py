"""The ATT&CK techniques that a claim or an answer names.

Handed: a claim's draft, the evidence, and the candidate techniques of its request. Hands on: a :class:`Trouble` for a
technique that is unknown, retired, named wrongly, or supported by no candidate and no evidence line.
"""

import re
from collections.abc import Iterator
from functools import cache

from triage import attack
from triage.explainers.grounding_index import Index
from triage.explainers.grounding_names import Basis, Trouble
from triage.explainers.grounding_text import Draft, is_plain

_TECHNIQUE = re.compile(r"(?<![\w\\/.-])T\d{4}(?:\.\d{1,4})?(?![\w\\/-]|\.\w)")
_BRACKETED = re.compile(r"\s*[(:\u2013-]\s*([A-Z][^(),;.]{2,80})")
#: Words of technique names that evidence has for other reasons: every Windows logon names this process.
_NO_POINTER = frozenset({"lsass"})
_CAPITALS = re.compile(r"(?:[A-Z][\w-]*(?:[:/]?\s(?:or|and|of|to|for|from|on|over|in)?\s?)?){1,8}")


@cache
def technique_names() -> dict[str, frozenset[str]]:
    """Return technique name in lower case, whole and without its parent's -> the ids that carry it."""
    found: dict[str, set[str]] = {}
    for identifier, row in attack.techniques().items():
        for name in {row.name, row.name.rpartition(": ")[2]}:
            found.setdefault(name.lower(), set()).add(identifier)
    return {name: frozenset(ids) for name, ids in found.items()}


def technique_trouble(identifier: str, candidates: tuple[str, ...], whole: Index) -> str:
    """Return what is wrong with a technique id, empty when it stands and something supports it."""
    if not attack.is_known(identifier):
        return f"{identifier} is no ATT&CK technique"
    if not attack.is_active(identifier):
        instead = attack.successor(identifier)
        return f"{identifier} is retired in ATT&CK" + (f"; {instead} took its place" if instead else "")
    family = {candidate.partition(".")[0] for candidate in candidates}
    if identifier in candidates or (identifier.partition(".")[0] in family and _related(identifier, candidates)):
        return ""
    return "" if supported(identifier, whole) else f"no rule and no evidence line points to {identifier}"


def _related(identifier: str, candidates: tuple[str, ...]) -> bool:
    """Tell whether an id is the parent or a child of a candidate; a sister is another technique."""
    return any(
        candidate.startswith(f"{identifier}.") or identifier.startswith(f"{candidate}.") for candidate in candidates
    )


def supported(identifier: str, whole: Index) -> bool:
    """Tell whether the evidence names a technique: its id, or a word that only few technique names have."""
    if re.search(rf"\b{re.escape(identifier.lower())}\b", whole.text):
        return True
    last = attack.name(identifier).rpartition(": ")[2].lower()
    if " " in last and last in whole.text:
        return True
    telling = [word for word in re.findall(r"[a-z]{5,}", last) if word not in _NO_POINTER and not _is_common(word)]
    return any(re.search(rf"\b{word}", whole.text) for word in telling)


@cache
def _is_common(word: str) -> bool:
    """Tell whether three or more technique names have a word, which then points to none of them."""
    return sum(word in row.name.lower() for row in attack.techniques().values() if row.status == attack.ACTIVE) > 2


def troubles(draft: Draft, basis: Basis, candidates: tuple[str, ...]) -> Iterator[Trouble]:
    """Yield what is wrong with the techniques of a claim: ids, and names beside ids or alone; blots them out."""
    for match in list(_TECHNIQUE.finditer(draft.rest)):
        identifier = match.group()
        draft.facts.append(identifier)
        trouble = technique_trouble(identifier, candidates, basis.whole)
        if trouble:
            yield Trouble(trouble)
        elif not _named_right(identifier, draft.text, match):
            yield Trouble(f"{identifier} is {attack.name(identifier)}, not what the text calls it")
        draft.blot(match.start(), match.end())
    for match in list(_CAPITALS.finditer(draft.rest)):
        name = match.group().strip(" :")
        ids = technique_names().get(name.lower())
        if ids and " " in name:
            if all(technique_trouble(one, candidates, basis.whole) for one in ids) and not _TECHNIQUE.search(
                draft.text
            ):
                yield Trouble(f"no rule and no evidence line points to {name}")
            draft.blot(match.start(), match.end())


def _named_right(identifier: str, text: str, match: re.Match[str]) -> bool:
    """Tell whether the name beside an id, in front of it or in brackets behind it, is one of its own."""
    own = attack.name(identifier).lower()
    behind = _BRACKETED.match(text, match.end())
    beside = [behind[1].strip().lower()] if behind else []
    before = re.search(r"([A-Z][\w/&-]*(?:[ :]+[\w/&-]+){0,8})[\s(,:-]*$", text[: match.start()])
    if before:
        words = before[1].split()
        beside += [" ".join(words[start:]).lower().strip(" :") for start in range(len(words))]
    known = [name for name in beside if name in technique_names()]
    if known:
        best = max(known, key=len)
        ids = technique_names()[best]
        return best in own or any(identifier.startswith(one) or one.startswith(identifier) for one in ids)
    if behind and all(word[:1].isupper() or is_plain(word) for word in behind[1].split()) and behind[1].istitle():
        return bool(set(behind[1].lower().split()) & set(re.findall(r"\w+", own)))
    return True

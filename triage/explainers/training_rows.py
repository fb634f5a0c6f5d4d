"""Rows for fine-tuning from explanations that people confirmed or refuted. No text is made up here.

Handed: the evidence and the answer of an explanation as they are stored, and what a person decided. Hands on: chat
messages exactly as the model was asked, with names replaced and secrets removed, and the answer's JSON without what was
struck. Names are replaced per row: the same name in two rows may be two pseudonyms, so that rows cannot be joined.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triage.contracts import EvidenceLine, ExplanationRequest
from triage.explainers import case, lines, prompting
from triage.explainers.grounding import ATTACK, HARMLESS
from triage.explainers.pseudonyms import Pseudonyms
from triage.explainers.redaction import redact, typed_passwords

#: In place of the random code of a fence, so that the same database gives the same bytes.
NONCE = "0" * 16
_CLAIMS = ("what_happened", "why_it_matters", "why_it_may_be_benign")
_KEPT = ("next_checks", "suggested_verdict", "confidence", "techniques", "severity")

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """One explanation as training sees it: what was asked, what was answered, and whether a person agreed.

    ``grounded`` is the share of its claims that the evidence bears.
    """

    asked: tuple[Message, Message]
    answered: str
    agrees: bool
    grounded: float


def agrees(suggested: str, decided: str) -> bool | None:
    """Return whether a suggestion and a person's decision take the same side; None when one takes none.

    >>> agrees("tp_impact", "tp_no_impact"), agrees("benign_tp", "tp_impact"), agrees("undetermined", "fp_logic")
    (True, False, None)
    """
    sides = [1 if word in ATTACK else 0 if word in HARMLESS else None for word in (suggested, decided)]
    return None if None in sides else sides[0] == sides[1]


def said(
    request: ExplanationRequest, answer: Mapping[str, Any], *, decided: str, version: str, grounded: float
) -> Said | None:
    """Return an explanation as training sees it, None when it takes no side or says nothing that stands."""
    agreed = agrees(str(answer.get("suggested_verdict", "")), decided)
    kept = _kept(answer)
    if agreed is None or not any(kept[part] for part in _CLAIMS):
        return None
    hide = _hiding(request)
    system, user = prompting.messages(request, nonce=NONCE, hide=hide, version=version)
    return Said((system, user), json.dumps(_hidden(kept, hide), ensure_ascii=False), agreed, grounded)


def request_of(
    evidence: Sequence[Mapping[str, Any]],
    *,
    severity: str,
    techniques: Sequence[str],
    known: Sequence[tuple[str, str]],
) -> ExplanationRequest:
    """Return the request that stored lines of evidence were; ``known`` are names that stand on the alert itself."""
    told = tuple(EvidenceLine(int(row["number"]), str(row["origin"]), str(row["text"])) for row in evidence)
    fields = [{name: _values(value)} for name, value in filter(None, map(lines.read_field, told))]
    return ExplanationRequest(
        title="",
        severity=severity,
        entity="",
        evidence=told,
        reasons=(),
        techniques=tuple(techniques),
        identifiers=case.identifiers(known, fields),
    )


def sft(rows: Sequence[Said]) -> Iterator[dict[str, Any]]:
    """Yield a conversation for each answer that a person agreed with."""
    for one in rows:
        if one.agrees:
            yield {"messages": [*one.asked, {"role": "assistant", "content": one.answered}]}


def pairs(rows: Sequence[Said]) -> Iterator[dict[str, Any]]:
    """Yield the best and the worst answer to the same alert, where a person agreed with one and not the other."""
    right = [one for one in rows if one.agrees]
    wrong = [one for one in rows if not one.agrees]
    if right and wrong:
        chosen, rejected = max(right, key=lambda one: one.grounded), min(wrong, key=lambda one: one.grounded)
        yield {
            "messages": list(chosen.asked),
            "chosen": {"role": "assistant", "content": chosen.answered},
            "rejected": {"role": "assistant", "content": rejected.answered},
        }


def kto(rows: Sequence[Said]) -> Iterator[dict[str, Any]]:
    """Yield every answer with whether a person agreed."""
    for one in rows:
        yield {"messages": [*one.asked, {"role": "assistant", "content": one.answered}], "kto_tag": one.agrees}


def has_secret(line: str) -> bool:
    """Tell whether a finished line still holds what looks like a credential."""
    return redact(line) != line


def _kept(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer in the shape in which models are asked for it, without what was struck."""
    kept: dict[str, Any] = {}
    for part in _CLAIMS:
        claims = answer.get(part) or []
        kept[part] = [
            {"text": claim["text"], "evidence": list(claim["evidence"])}
            for claim in claims
            if claim.get("status") == "grounded"
        ]
    return kept | {name: answer[name] for name in _KEPT if name in answer}


def _hiding(request: ExplanationRequest) -> Callable[[str], str]:
    """Return what replaces names and secrets in each text of one row."""
    texts = [line.text for line in request.evidence]
    names = Pseudonyms(request.identifiers, texts, secrets=typed_passwords(request.identifiers, texts))

    def hide(text: str) -> str:
        return names.hide(redact(text))

    return hide


def _hidden(value: Any, hide: Callable[[str], str]) -> Any:
    """Return JSON values with every text hidden: before it is written as JSON, where names look otherwise."""
    if isinstance(value, dict):
        return {name: _hidden(one, hide) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(one, hide) for one in value]
    return hide(value) if isinstance(value, str) else value


def _values(text: str) -> list[str]:
    """Return a field's values: evidence writes lists with commas."""
    return [text, *text.split(", ")] if ", " in text else [text]

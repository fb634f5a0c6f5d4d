"""Which alerts may share an explanation, and how one alert's answer becomes another's.

Handed: the evidence of an alert and what else the answer depends on. Hands on: an exact key, and an answer with slots
where the alert's own values stood. Two alerts share a key when everything that carries meaning is the same: the kind of
event, every field with its value, the reasons, severity, techniques, prompt, model and policy. Left out is only what
tells one case from the next: names (but for accounts every system has), which address it was within inside and outside,
times, identifiers, and how far apart two numbers of the same length are. Nothing is shared by similarity.

A value that was cut off could differ where nobody sees it: such evidence has no key.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from triage.contracts import Claim, EvidenceLine, ExplanationAnswer, ExplanationRequest
from triage.explainers import lines
from triage.explainers.pseudonyms import is_inside

#: Part of every key: a change of how keys or slots are made ends all sharing across it.
VERSION = 1
#: Accounts that mean the same everywhere stay what they are.
WELL_KNOWN = frozenset(
    {
        "root", "admin", "administrator", "administrateur", "administrador", "system", "guest", "nobody", "daemon",
        "www-data", "apache", "nginx", "postgres", "mysql", "oracle", "sshd", "nt authority\\system", "local service",
        "network service", "anonymous", "anonymous logon", "krbtgt", "test", "ubuntu", "ec2-user", "-", "unknown",
        "null",
    }
)  # fmt: skip
#: Fields whose value only tells one record from another.
_SINGLE = re.compile(
    r"(?:^|\.)(?:id|pid|entity_id|thread\.id|uid|guid|uuid|session\w*|request_?id|trace\w*|span\w*|record_id|sequence|offset|"
    r"ephemeral_id|logon_id|connection_id|correlation\w*|activity_id|hash\w*)$|^(?:source|client)\.port$|^@timestamp$|\.(?:start|end|created|ingested)$"
)
#: Numbers in these say what happened, digit by digit.
_MEANT = re.compile(r"(?:code|status|type|version|level|protocol|iana_number|destination\.port|server\.port|rule\.\w+)")
_CUT = "…"
_TOKEN = re.compile(
    r"(?P<time>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<address>(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d))"
    r"|(?P<unique>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{12,}\b)"
    r"|(?P<number>(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w]))"
)
_MARK = re.compile("[\u27e6\u27e7]")
_SLOT = re.compile("\u27e6([^\u27e7]*)\u27e7")


@dataclass(frozen=True, slots=True)
class _Read:
    """A line of evidence, read for sharing: ``slots`` are the values that differ from alert to alert."""

    place: str
    masked: str
    slots: tuple[str, ...]


def cluster_key(
    request: ExplanationRequest,
    *,
    kind: Mapping[str, str],
    events: int,
    model: str,
    policy: str,
    prompt_sha256: str,
) -> str:
    """Return the key (sha256, hex) of the alerts that may share an answer, empty when this one may not.

    ``kind`` says what kind of event it is (parser, category, action, code, template), ``events`` how many are in the
    alert, of which only the order of magnitude counts.
    """
    read = list(_read(request))
    if any(one.masked.endswith(_CUT) for one in read) or not kind.get("template"):
        return ""
    parts = {
        "version": VERSION,
        "model": model,
        "policy": policy,
        "prompt": prompt_sha256,
        "kind": {name: kind[name] for name in sorted(kind)},
        "severity": request.severity,
        "techniques": list(request.techniques),
        "events": len(str(events)),
        "reasons": [[reason.feature, sorted(reason.fields), _is_first(reason.baseline)] for reason in request.reasons],
        "fields": [[one.place, one.masked] for one in read if one.place.startswith(f"{lines.EVENT}:")],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def slotted(request: ExplanationRequest, answer: ExplanationAnswer) -> dict[str, Any]:
    """Return the answer as JSON values, with slots for this alert's own values and places for evidence lines."""
    read = {line.number: one for line, one in zip(request.evidence, _read(request), strict=True)}
    everywhere = _slots_of(read.values())

    def claims(found: tuple[Claim, ...]) -> list[dict[str, Any]]:
        return [
            {
                "text": _with_slots(claim.text, _slots_of(read[n] for n in claim.evidence if n in read), everywhere),
                "evidence": [read[number].place for number in claim.evidence if number in read],
            }
            for claim in found
            if claim.status != "struck"
        ]

    plain = asdict(answer)
    kept = ("suggested_verdict", "confidence", "techniques", "severity", "explainer", "model", "prompt_version")
    return {
        **{name: plain[name] for name in kept},
        "what_happened": claims(answer.what_happened),
        "why_it_matters": claims(answer.why_it_matters),
        "why_it_may_be_benign": claims(answer.why_it_may_be_benign),
        "next_checks": [_with_slots(text, {}, everywhere) for text in answer.next_checks],
    }


def fill(held: Mapping[str, Any], request: ExplanationRequest) -> ExplanationAnswer | None:
    """Return a slotted answer with this alert's own values; None when one of them, or a line, is missing here."""
    read = list(_read(request))
    values = {f"{one.place}#{position}": value for one in read for position, value in enumerate(one.slots)}
    numbers = {one.place: line.number for line, one in zip(request.evidence, read, strict=True)}
    try:
        happened, matters, benign = (
            tuple(
                Claim(_filled(row["text"], values), tuple(numbers[place] for place in row["evidence"]))
                for row in held[part]
            )
            for part in ("what_happened", "why_it_matters", "why_it_may_be_benign")
        )
        checks = tuple(_filled(text, values) for text in held["next_checks"])
    except KeyError:
        return None
    return ExplanationAnswer(
        what_happened=happened,
        why_it_matters=matters,
        why_it_may_be_benign=benign,
        next_checks=checks,
        suggested_verdict=held["suggested_verdict"],
        confidence=held["confidence"],
        techniques=tuple(held["techniques"]),
        explainer=held["explainer"],
        model=held["model"],
        prompt_version=held["prompt_version"],
        details={"language_model": True},
        severity=held["severity"],
    )


def _is_first(baseline: str) -> bool:
    """Tell whether a baseline says "never before", whatever it was counted over."""
    return re.match(r"(?:0|no|never)\b", baseline.lower()) is not None


def _read(request: ExplanationRequest) -> Iterator[_Read]:
    """Yield each line's place, its text with what differs masked, and the values that were masked."""
    names = _names(request)
    counted: dict[str, int] = {}
    for line in request.evidence:
        place, field, text = _placed(line, counted)
        masked, slots = _masked(field, text, names)
        yield _Read(place, masked, slots)


def _placed(line: EvidenceLine, counted: dict[str, int]) -> tuple[str, str, str]:
    """Return a line's place (origin and field, or its number within the origin), its field, and the text to mask."""
    read = lines.read_field(line)
    field, text = read or ("", line.text)
    stem = f"{line.origin}:{field}"
    counted[stem] = counted.get(stem, 0) + 1
    return f"{stem}:{counted[stem]}", field, text


def _names(request: ExplanationRequest) -> re.Pattern[str] | None:
    """Return a pattern for the names of this alert, longest first; None when it has none."""
    names = {
        value
        for kind, value in request.identifiers
        if kind != "address" and len(value) > 1 and value.lower() not in WELL_KNOWN
    }
    if request.entity:
        own = request.entity.partition(":")[2] or request.entity
        names |= {own} if len(own) > 1 and own.lower() not in WELL_KNOWN else set()
    ordered = sorted(names, key=lambda name: (-len(name), name))
    return re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in ordered)) if ordered else None


def _masked(field: str, text: str, names: re.Pattern[str] | None) -> tuple[str, tuple[str, ...]]:
    """Return the text with what differs from alert to alert masked, and what was masked, in its order."""
    if field and _SINGLE.search(field):
        return "<single>", (text,)
    slots: list[str] = []
    meant = bool(field and _MEANT.search(field))

    def mask_rest(part: str) -> str:
        def token(match: re.Match[str]) -> str:
            word = _word(match, field, meant)
            if word == match.group():
                return word
            slots.append(match.group())
            return word

        return _TOKEN.sub(token, part)

    if names is None:
        return mask_rest(text), tuple(slots)
    pieces, end = [], 0
    for match in names.finditer(text):
        pieces.append(mask_rest(text[end : match.start()]))
        slots.append(match.group())
        pieces.append("<name>")
        end = match.end()
    pieces.append(mask_rest(text[end:]))
    return "".join(pieces), tuple(slots)


def _word(match: re.Match[str], field: str, meant: bool) -> str:
    """Return what stands for a token: its sort, for an address its side, for a measured number its length."""
    kind, text = match.lastgroup or "", match.group()
    if kind == "address":
        return _side(text)
    if kind != "number":
        return f"<{kind}>"
    if meant:
        return text
    # In a field of its own a number is a measure; in free text it is a port, a process, a serial number.
    return f"<number:{len(text.partition('.')[0].replace(',', ''))}>" if field and field != "message" else "<number>"


def _side(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    return "<inside>" if is_inside(address) else "<outside>"


def _slots_of(read: Any) -> dict[str, str]:
    """Return value -> slot of some lines; the first place of a value counts."""
    found: dict[str, str] = {}
    for one in read:
        for position, value in enumerate(one.slots):
            if len(value) > 1 or value.isdigit():
                found.setdefault(value, f"{one.place}#{position}")
    return found


def _with_slots(text: str, cited: Mapping[str, str], everywhere: Mapping[str, str]) -> str:
    """Replace values by slots: those of the cited lines first, then any line's; longest first, whole words only."""
    known = {**everywhere, **cited}
    text = _MARK.sub(" ", text)
    if not known:
        return text
    ordered = sorted(known, key=lambda value: (-len(value), value))
    pattern = "|".join(rf"(?<![\w.]){re.escape(value)}(?!\w|\.\d)" for value in ordered)
    return re.sub(pattern, lambda match: f"\u27e6{known[match.group()]}\u27e7", text)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda match: values[match.group(1)], text)

"""Which alerts may share an explanation, and how one alert's answer becomes another's.

Handed: the evidence of an alert and what else the answer depends on. Hands on: an exact key, and an answer with slots
where the alert's own values stood. Two alerts share a key when everything that carries meaning is the same: the kind of
event, every line of evidence but for its tokens (:mod:`triage.explainers.cluster_shapes`), the reasons, severity,
candidate techniques, prompt, model and policy. Nothing is shared by similarity, and nothing of which a part was cut off
where nobody sees it (of a cut message, the template that is in the key covers the rest).

An answer is only handed on as far as it is certain which value of the alert it speaks of. A claim that was struck, that
speaks of the time of day or holds a figure or name that no slot explains, is left out.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from triage.contracts import Claim, ExplanationAnswer, ExplanationRequest
from triage.explainers.cluster_shapes import CLOSE, OPEN, Shape, is_incidental, names_of, shapes

#: Part of every key: a change of how keys or slots are made ends all sharing across it.
VERSION = 2
PARTS = ("what_happened", "why_it_matters", "why_it_may_be_benign")
_COPIED = ("suggested_verdict", "confidence", "severity", "explainer", "model", "prompt_version")
_NUMERALS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORD = re.compile(r"[\w.,:/@\\+-]*\d[\w.,:/@\\+-]*")
_LITERAL = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}")
_ORDINARY = re.compile(
    r"TA?\d{4}(?:\.\d{3})?|IPv[46]|SHA-?(?:1|256|512)|MD5|[Bb]ase64|OAuth2|X11|24/7|Win32|x(?:64|86)|HTTP/\d(?:\.\d)?"
)
#: What is said about the moment of one alert is not so of another.
_MOMENT = re.compile(
    r"\b(?:night\w*|overnight|morning\w*|evening\w*|afternoon\w*|midnight|noon|weekend\w*|weekdays?|today|yesterday|"
    r"tonight|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|april|june|july|august|september|october|"
    r"november|december|(?:business|office|working|off|late|early|unusual|odd|normal|usual)[ -](?:hours?|times?)|"
    r"after[ -]hours|o'clock|(?:this|late|early) hour|time of day|(?:in|on|of|since) (?:march|may))\b",
    re.IGNORECASE,
)
_SPAN = re.compile(r"\b\d{1,3} ?(?:seconds?|minutes?|hours?|days?|weeks?|[smhd])\b")
_EDGE_BEFORE, _EDGE_AFTER = r"(?<!\w)(?<!\d[.,:])", r"(?!\w)(?![.,:]\d)"


def cluster_key(
    request: ExplanationRequest,
    *,
    kind: Mapping[str, str],
    events: int,
    model: str,
    policy: str,
    prompt_sha256: str,
    suspected: bool = False,
) -> str:
    """Return the key (sha256, hex) of the alerts that may share an answer, empty when this one may not.

    ``kind`` says what kind of event it is (parser, category, action, code, template), ``events`` how many are in the
    alert, of which only the order of magnitude counts. ``suspected`` text never shares, in neither direction.
    """
    found = shapes(request)
    if suspected or not kind.get("template") or not found or any(one.cut and one.place != "message" for one in found):
        return ""
    asked = {"version": VERSION, "model": model, "policy": policy, "prompt": prompt_sha256}
    parts = key_parts(request, kind=kind, events=events, roles=policy == "raw")
    return hashlib.sha256(json.dumps({**asked, **parts}, sort_keys=True).encode()).hexdigest()


def key_parts(request: ExplanationRequest, *, kind: Mapping[str, str], events: int, roles: bool) -> dict[str, Any]:
    """Return what a key is made of as JSON values, part by part; ``roles`` when a model sees real names."""
    found = shapes(request)
    whole = any(one.place == "message" and not one.cut for one in found)
    return {
        # The template is a mask of the message: it adds nothing to a message that is there as a whole.
        "kind": {name: kind[name] for name in sorted(kind) if name != "template" or not whole},
        "severity": request.severity,
        "techniques": sorted(request.techniques),
        "events": len(str(events)) if events > 1 else 0,
        "reasons": sorted(
            [reason.feature, _never(reason.baseline), *sorted(reason.fields)]
            for reason in request.reasons
            if not is_incidental(reason)
        ),
        "lines": sorted([shape.place, shape.skeleton] for shape in found if not shape.incidental),
        "roles": _roles(request) if roles else [],
    }


def _never(baseline: str) -> str:
    """Return whether a baseline says "never before", whatever it was counted over."""
    return "never" if re.match(r"(?:0|no|never)\b", baseline.lower()) else "before"


def _roles(request: ExplanationRequest) -> list[list[str]]:
    """Return what names tell a model that sees them: service and machine accounts, the letters of a host's name."""
    names = names_of(request)
    return sorted([label, role] for value, label in names.labels.items() if (role := _role(names.kinds[value], value)))


def _role(kind: str, value: str) -> str:
    """Return what a name says about its bearer, empty when nothing.

    >>> _role("host", "dc01.corp.example"), _role("user", "svc_backup"), _role("user", "wks-7$"), _role("user", "alice")
    ('dc', 'service', 'machine', '')
    """
    if kind == "host":
        return re.split(r"[^a-z]", value, maxsplit=1)[0] if re.search(r"\d", value.partition(".")[0]) else ""
    if value.endswith("$"):
        return "machine"
    return "service" if re.match(r"(?:svc|service|srv|sa|bot|app|system|cron|backup)(?:[\W_\d]|$)", value) else ""


def slotted(request: ExplanationRequest, answer: ExplanationAnswer) -> dict[str, Any]:
    """Return the answer as JSON values with slots, empty when nothing of what happened can be handed on.

    A text is a list of strings and slots. A slot is ``{"any": [bindings]}``. A binding is the place of a line, the
    number of its token and the way in which it is written, or ``{"const": text}`` for what all alerts of the kind have.
    """
    found = tuple(shape for shape in shapes(request) if not shape.incidental)
    by_number = {shape.number: shape for shape in found}
    slots = _Slots(found)

    def handed_on(claims: Iterable[Claim]) -> list[dict[str, Any]]:
        rows = []
        for claim in claims:
            cited = [by_number[number] for number in claim.evidence if number in by_number]
            text = slots.of(claim.text, cited) if claim.status != "struck" else None
            if text is not None and cited:
                rows.append({"text": text, "evidence": [shape.place for shape in cited]})
        return rows

    held: dict[str, Any] = {part: handed_on(getattr(answer, part)) for part in PARTS}
    if not held["what_happened"]:
        return {}
    checks = (slots.of(text, (), advice=True) for text in answer.next_checks)
    held["next_checks"] = [text for text in checks if text is not None]
    held["techniques"] = list(answer.techniques)
    return held | {name: getattr(answer, name) for name in _COPIED}


def fill(held: Mapping[str, Any], request: ExplanationRequest) -> ExplanationAnswer | None:
    """Return a slotted answer with this alert's own values; None when a line or a value of it is missing here."""
    found = shapes(request)
    values = {(shape.place, n): value for shape in found for n, (_, value) in enumerate(shape.tokens)}
    numbers = {shape.place: shape.number for shape in found}
    try:
        happened, matters, benign = (
            tuple(
                Claim(_filled(row["text"], values), tuple(numbers[place] for place in row["evidence"]))
                for row in held[part]
            )
            for part in PARTS
        )
        checks = tuple(_filled(text, values) for text in held["next_checks"])
        copied = [str(held[name]) for name in _COPIED]
    except KeyError:
        return None
    verdict, confidence, severity, explainer, model, prompt_version = copied
    return ExplanationAnswer(
        what_happened=happened,
        why_it_matters=matters,
        why_it_may_be_benign=benign,
        next_checks=checks,
        suggested_verdict=verdict,
        confidence=confidence,
        techniques=tuple(held["techniques"]),
        explainer=explainer,
        model=model,
        prompt_version=prompt_version,
        details={"language_model": True},
        severity=severity,
    )


Bindings = list[dict[str, Any]]


class _Slots:
    """The values of one alert and where they stand, to be found in the text of an answer."""

    def __init__(self, found: Iterable[Shape]) -> None:
        self.shapes = tuple(found)
        self.names = frozenset(
            value.lower() for shape in self.shapes for label, value in shape.tokens if label.startswith("=")
        )
        self.constants = _constants(self.shapes)
        # A numeral is a figure only where the line that holds it is cited.
        self.far = _spoken(self.shapes, [way for way in WAYS if way != "numeral"])

    def of(self, text: str, cited: Sequence[Shape], *, advice: bool = False) -> list[Any] | None:
        """Return a text with its values replaced by slots; None when something in it may be another alert's.

        ``advice`` may name a span of time of its own, as "the last 24 hours".
        """
        text = text.replace(OPEN, " ").replace(CLOSE, " ")
        known = {**self.far, **_spoken(cited, list(WAYS))}
        parts: list[Any] = []
        end = 0
        pattern = _any_of(known, text)
        for match in pattern.finditer(text) if pattern else ():
            parts += [text[end : match.start()], {"any": known[match.group().lower()]}]
            end = match.end()
        parts = [part for part in (*parts, text[end:]) if part]
        plain = " \n ".join(part for part in parts if isinstance(part, str))
        return parts if self._is_common(_SPAN.sub(" ", plain) if advice else plain) else None

    def _is_common(self, text: str) -> bool:
        """Tell whether what is left of a text holds for every alert of the kind."""
        lowered = text.lower()
        if _MOMENT.search(lowered) or any(len(name) > 3 and name in lowered for name in self.names):
            return False
        left = (match.group().strip(".,:/-") for match in _WORD.finditer(text))
        return all(_ORDINARY.fullmatch(word) or _stands_in(word.lower(), self.constants) for word in left)


def _any_of(known: Iterable[str], text: str) -> re.Pattern[str] | None:
    """Return what finds those values that occur in a text, longest first; None when none does."""
    lowered = text.lower()
    found = sorted((said for said in known if said in lowered), key=lambda said: (-len(said), said))
    if not found:
        return None
    any_of = "|".join(re.escape(said) for said in found)
    return re.compile(f"{_EDGE_BEFORE}(?:{any_of}){_EDGE_AFTER}", re.IGNORECASE)


def _constants(found: Iterable[Shape]) -> str:
    """Return, in lower case, what lines have in common with those of every alert of the kind."""
    return "\n".join(_LITERAL.sub(f" {OPEN} ", shape.skeleton) for shape in found).lower()


def _spoken(found: Sequence[Shape], ways: Sequence[str]) -> dict[str, Bindings]:
    """Return how each value may be spoken of (lower case) -> the bindings that it may mean."""
    spoken: dict[str, Bindings] = {}
    seen: set[tuple[str, str]] = set()
    constants = _constants(found)
    for shape in found:
        for number, (label, value) in enumerate(shape.tokens):
            for way in ways:
                said = WAYS[way](value)
                if said is None or (label.startswith("=") and (label, way) in seen):
                    continue  # equal labels are equal values: one binding says all
                seen.add((label, way))
                rows = spoken.setdefault(said.lower(), [])
                if not any(row["line"] == shape.place and row["token"] == number for row in rows):
                    rows.append({"line": shape.place, "token": number, "part": way})
    for said, rows in spoken.items():
        if _stands_in(said, constants):
            rows.append({"const": said})
    return spoken


def _stands_in(said: str, constants: str) -> bool:
    """Tell whether a value stands in what all alerts of the kind have in common."""
    return said in constants and re.search(f"{_EDGE_BEFORE}{re.escape(said)}{_EDGE_AFTER}", constants) is not None


def _filled(text: Iterable[Any], values: Mapping[tuple[str, int], str]) -> str:
    """Return a text with this alert's values; raise ``KeyError`` when one is missing or is not certain."""
    return "".join(part if isinstance(part, str) else _value(part["any"], values) for part in text)


def _value(bindings: Bindings, values: Mapping[tuple[str, int], str]) -> str:
    """Return the value that all bindings agree on."""
    said = {
        row["const"] if "const" in row else WAYS[row["part"]](values[row["line"], row["token"]]) for row in bindings
    }
    (only, *others) = said
    if only is None or others:
        raise KeyError("the bindings of a slot do not agree")
    return str(only)


def _whole(value: str) -> str | None:
    return value if len(value) > 1 or value.isdecimal() else None


def _part(pattern: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)

    def part(value: str) -> str | None:
        match = compiled.fullmatch(value)
        return match[1] if match else None

    return part


def _number(form: str) -> Callable[[str], str | None]:
    def number(value: str) -> str | None:
        plain = value.replace(",", "")
        told = format(int(plain), form) if plain.isdecimal() and len(plain) < 16 else None
        return told if told != value else None

    return number


def _numeral(value: str) -> str | None:
    return _NUMERALS[int(value) - 2] if value.isdecimal() and len(value) < 3 and 2 <= int(value) <= 12 else None


#: How a value may be written in an answer.
WAYS: dict[str, Callable[[str], str | None]] = {
    "whole": _whole,
    "short host": _part(r"([A-Za-z][\w-]+)(?:\.[\w-]+)+"),
    "account": _part(r"[\w.-]+\\(.{2,})"),
    "local part": _part(r"([^@\s]{2,})@[\w.-]+"),
    "date": _part(r"(\d{4}-\d\d-\d\d)[T ].+"),
    "clock": _part(r"\d{4}-\d\d-\d\d[T ](\d\d:\d\d:\d\d).*"),
    "minute": _part(r"\d{4}-\d\d-\d\d[T ](\d\d:\d\d):\d\d.*"),
    "spaced": _part(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d).+"),
    "grouped": _number(","),
    "plain": _number("d"),
    "numeral": _numeral,
}

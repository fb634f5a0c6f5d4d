"""The evidence explainer: says why an alert was flagged, by rule, without a language model.

Handed: an :class:`~triage.contracts.ExplanationRequest`. Hands on: claims that repeat its numbered lines and
cite them, what was searched around the alert and what people decided on others like it, and next checks made from
the fields that are there. It needs no network and cannot fail, so every alert has at least this. It abstains from a
verdict: unusual is not the same as malicious, and what was decided on another alert is not decided on this one.
"""

import re
from collections.abc import Iterator
from itertools import takewhile

from triage.contracts import Claim, EvidenceLine, ExplanationAnswer, ExplanationRequest
from triage.explainers import lines

MAX_CLAIMS = 8
MAX_CHECKS = 6
MAX_CLAIM = 400
#: Of what is counted about the alert itself, and of what was searched around it.
MAX_COUNTED, MAX_SEARCHED = 3, 6
_ATTACK = re.compile(r"\btp_(?:no_)?impact\b")
_HARMLESS = re.compile(r"\b(?:benign_tp|fp_logic|fp_data)\b")
#: Fields in the order in which "what happened" is told.
_TOLD = (
    "@timestamp",
    "event.action",
    "event.category",
    "event.code",
    "event.outcome",
    "user.name",
    "host.name",
    "source.ip",
    "destination.ip",
    "process.name",
)
_ABOUT = (
    ("user.name", "user"),
    ("host.name", "host"),
    ("source.ip", "from"),
    ("destination.ip", "to"),
    ("process.name", "program"),
)


class EvidenceExplainer:
    """Explains an alert from its evidence lines alone."""

    name = "evidence"

    def explain(self, request: ExplanationRequest) -> ExplanationAnswer:
        """Return the answer; the same request always gives the same one."""
        return ExplanationAnswer(
            what_happened=_what_happened(request),
            why_it_matters=_why_it_matters(request),
            why_it_may_be_benign=_why_it_may_be_benign(request),
            next_checks=_next_checks(request),
            suggested_verdict="undetermined",
            confidence="low",
            techniques=request.techniques,
            explainer=self.name,
            details={"language_model": False},
        )


def _fields(request: ExplanationRequest) -> dict[str, tuple[int, str]]:
    """Return field -> (line number, value); the first line of a field counts."""
    found: dict[str, tuple[int, str]] = {}
    for line in request.evidence:
        pair = lines.read_field(line)
        if pair:
            found.setdefault(pair[0], (line.number, pair[1]))
    return found


def _of_origin(request: ExplanationRequest, origin: str) -> list[EvidenceLine]:
    return [line for line in request.evidence if line.origin == origin]


def _claim(text: str, *numbers: int) -> Claim:
    return Claim(lines.plain(text, MAX_CLAIM), tuple(dict.fromkeys(numbers)))


def _what_happened(request: ExplanationRequest) -> tuple[Claim, ...]:
    fields = _fields(request)
    told = [name for name in _TOLD if name in fields]
    claims = []
    if told:
        claims.append(_claim(_sentence({name: fields[name][1] for name in told}), *(fields[name][0] for name in told)))
    if "message" in fields:
        number, value = fields["message"]
        claims.append(_claim(f"The log line says: {value}", number))
    counted = takewhile(lambda line: line.origin != lines.RECEIPT, request.evidence)
    context = [line for line in counted if line.origin == lines.CONTEXT]
    claims += [_claim(line.text, line.number) for line in context[:MAX_COUNTED]]
    return (*claims, *list(_searched(request))[:MAX_SEARCHED])


def _searched(request: ExplanationRequest) -> Iterator[Claim]:
    """Yield a sentence for each query, with the lines after it that say more of what it found."""
    told: list[EvidenceLine] = []
    for line in request.evidence:
        if line.origin == lines.RECEIPT and told:
            yield _retold(told)
            told = []
        if line.origin == lines.RECEIPT or (told and line.origin == lines.CONTEXT):
            told.append(line)
    if told:
        yield _retold(told)


def _retold(told: list[EvidenceLine]) -> Claim:
    """Return a receipt and what follows it as one claim: "Found no other alerts of user:bob in ..."."""
    read = lines.read_receipt(told[0])
    first = f"Found {f'{read[1]:,}' if read[1] else 'no'} {read[0]}." if read else told[0].text
    return _claim(" ".join([first, *(line.text for line in told[1:])]), *(line.number for line in told))


def _decisions(request: ExplanationRequest, verdicts: re.Pattern[str]) -> tuple[Claim, ...]:
    """Return what people decided on alerts of this kind, when any of these verdicts is among it."""
    told = [line for line in _of_origin(request, lines.CONTEXT) if line.text.startswith(lines.DECISIONS)]
    return tuple(_claim(line.text, line.number) for line in told[:1] if verdicts.search(line.text))


def _sentence(told: dict[str, str]) -> str:
    """Return the strongest event's fields as one sentence.

    >>> _sentence({"@timestamp": "2026-03-01T14:02:11Z", "event.action": "logon", "user.name": "bob"})
    'The strongest event, at 2026-03-01T14:02:11Z: logon, user bob.'
    """
    what = " ".join(told[name] for name in ("event.action", "event.outcome") if name in told)
    what = what or told.get("event.category", "event")
    code = f" (event {told['event.code']})" if "event.code" in told else ""
    about = [f"{word} {told[name]}" for name, word in _ABOUT if name in told]
    when = f", at {told['@timestamp']}" if "@timestamp" in told else ""
    return f"The strongest event{when}: {', '.join([what + code, *about])}."


def _why_it_matters(request: ExplanationRequest) -> tuple[Claim, ...]:
    """Return one claim per reason line, with the lines of the fields it rests on."""
    fields = _fields(request)
    claims = []
    scored = _of_origin(request, lines.SCORE)
    for position, line in enumerate(scored[:MAX_CLAIMS]):
        rests_on = request.reasons[position].fields if position < len(request.reasons) else ()
        claims.append(_claim(line.text, line.number, *(fields[name][0] for name in rests_on if name in fields)))
    return (*claims, *_decisions(request, _ATTACK))


def _why_it_may_be_benign(request: ExplanationRequest) -> tuple[Claim, ...]:
    scored = [line.number for line in _of_origin(request, lines.SCORE)]
    decided = _decisions(request, _HARMLESS)
    if not scored:
        return decided
    text = (
        "The score measures how unusual this is, not how harmful: a change, a new user or new software looks "
        "the same. Nothing here shows intent."
    )
    return (*decided, _claim(text, *scored))


def _next_checks(request: ExplanationRequest) -> tuple[str, ...]:
    """Return concrete checks from the fields that are there, most telling first."""
    values = {name: value for name, (_, value) in _fields(request).items()}
    user, host, address, process, target = (
        values.get(name, "") for name in ("user.name", "host.name", "source.ip", "process.name", "destination.ip")
    )
    before = f"in the hour before {_clock(values['@timestamp'])}" if "@timestamp" in values else "in the hour before"
    decided = _decisions(request, _ATTACK) or _decisions(request, _HARMLESS)
    checks = [
        "Compare with the alerts of this kind that analysts decided." if decided else "",
        f"List logins of {user} on host {host} {before}." if user and host else "",
        f"List logins of {user} {before}." if user and not host else "",
        f"Ask {user} or the owner of the account whether this was them." if user else "",
        f"Search for other events from {address} {before}." if address else "",
        f"Find what started {process} on {host or 'the host'}." if process else "",
        f"List changes and deployments on host {host} {before}." if host else "",
        f"Look up connections to {target} from other hosts." if target else "",
    ]
    concrete = [lines.plain(check, MAX_CLAIM) for check in checks if check]
    return tuple(concrete[:MAX_CHECKS]) or (f"Read the raw record and the events around it ({request.title}).",)


def _clock(timestamp: str) -> str:
    """Return "14:02 UTC" of an ISO time; anything else stays as it is.

    >>> _clock("2026-03-01T14:02:11Z")
    '14:02 UTC'
    """
    if len(timestamp) >= 16 and timestamp[10] == "T" and timestamp.endswith(("Z", "+00:00")):
        return f"{timestamp[11:16]} UTC"
    return timestamp

"""Language models judged on labelled cases: the same frozen cases for each, beside judges that need no model.

Handed: a labelled data set and who is to be asked. Hands on: cases with their evidence, every answer as it comes, and a
report. Uses no database. A case is one line, read by Winnow's own parsers, with the reasons and the p-value of a
detector that learned from the other folds' cases, not from this one. What a model says is held against the evidence
like any explanation; "undetermined" and "duplicate" abstain, and an answer that fails is no opinion.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from alerts import grouping
from triage import attack, detectors, explainers, parsers
from triage.contracts import ExplanationAnswer, ExplanationRequest, ParsedEvent, Record
from triage.explainers import case, grounding
from triage.explainers.base import CallOptions, ExplanationError
from triage.learning import judgement, trivial
from triage.learning.judgement import Judgement
from triage.learning.statistics import wilson

RECEIVED_AT = 1_893_456_000.0  # 2030-01-01: after every event of any file, and the same on every run
BUDGET = 0.05
YES = frozenset({"1", "true", "attack", "malicious", "positive", "tp", "yes"})
NO = frozenset({"0", "false", "benign", "harmless", "normal", "negative", "fp", "no", "no_attack"})
#: Fields in which a rule says its own name, best first.
_RULE_FIELDS = ("rule.name", "rule.description", "event.reason", "event.action", "event.code")
MAX_RULE_TEXT = 120


class DatasetError(ValueError):
    """The data set cannot be read as labelled lines."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled line; ``family`` is where it comes from."""

    family: str
    label: bool
    line: str

    @property
    def key(self) -> str:
        """Return the sha256 (hex) of the line, which names the case."""
        return hashlib.sha256(self.line.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled line with all that a judge may see: its event, rule text, pre-filter score and evidence."""

    labelled: Labelled
    event: ParsedEvent
    rule: str
    score: float
    request: ExplanationRequest


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model at an endpoint, asked with a version of the prompt."""

    name: str
    base_url: str
    model: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How everybody is asked: key, seconds for an answer, what may leave, how often, and what it may cost in all."""

    api_key: str
    timeout: float
    policy: str
    repeats: int = 1
    max_usd: float | None = None


def read(path: Path) -> list[Labelled]:
    """Return the labelled lines of a data set, each once; raise :class:`DatasetError`.

    A directory holds ``FAMILY_attack_lines.jsonl`` and ``FAMILY_no_attack_lines.jsonl``. A file holds JSON objects with
    ``label`` and either ``event`` (an object) or ``raw`` (a text), or the event itself beside ``label``.
    """
    found = list(_of_directory(path) if path.is_dir() else _of_file(path))
    once = {one.key: one for one in found}
    if len({one.label for one in once.values()}) < 2:
        raise DatasetError(f"{path} does not hold lines of both labels")
    return list(once.values())


def sample(lines: Sequence[Labelled], limit: int) -> list[Labelled]:
    """Return at most ``limit`` lines, the same every time, evenly from each family and label."""
    groups: dict[tuple[str, bool], list[Labelled]] = {}
    for one in sorted(lines, key=lambda one: one.key):
        groups.setdefault((one.family, one.label), []).append(one)
    taken: list[Labelled] = []
    while len(taken) < limit and any(groups.values()):
        for group in groups.values():
            if group and len(taken) < limit:
                taken.append(group.pop())
    return sorted(taken, key=lambda one: one.key)


def prepare(lines: Sequence[Labelled]) -> list[Case]:
    """Return the cases: parsed, scored by a detector that learned from the other folds, with their evidence."""
    records = [Record(_content(one.line)) for one in lines]
    events = parsers.parse(records, RECEIVED_AT, memory={})
    cases: dict[int, Case] = {}
    for train, test in trivial.folds([one.label for one in lines]):
        detector = detectors.get(detectors.DEFAULT)()
        detector.fit([events[i] for i in train], alert_budget=BUDGET, random_state=0)
        judged = [events[i] for i in test]
        scores, p_values = detector.score(judged)
        reasons = detector.explain(judged)
        for place, score, p_value, why in zip(test, scores, p_values, reasons, strict=True):
            event = events[place]
            request = case.request_of(
                event, severity=grouping.band(float(p_value)), reasons=why, p_value=float(p_value)
            )
            cases[int(place)] = Case(lines[place], event, rule_text(event), float(score), request)
    return [cases[place] for place in range(len(lines))]


def rule_text(event: ParsedEvent) -> str:
    """Return what the rule behind an alert calls itself, or the shape of the message where no rule speaks."""
    for name in _RULE_FIELDS:
        if event.fields.get(name):
            return str(event.fields[name])[:MAX_RULE_TEXT]
    return grouping.message_shape(event.message)[:MAX_RULE_TEXT]


def ask(
    cases: Sequence[Case], contestants: Sequence[Contestant], terms: Terms, *, out: Path, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Ask whatever was not asked yet and return every answer; each is in ``out`` as soon as it is there.

    Ends early when the measured or estimated cost of all answers reaches ``terms.max_usd``.
    """
    answers = _answered(out)
    done = {_place(row) for row in answers}
    spent = sum(row["cost_usd"] or 0.0 for row in answers)
    for contestant in contestants:
        wanted = [(one, again) for again in range(terms.repeats) for one in cases]
        who = (contestant.name, contestant.model, contestant.prompt)
        missing = [(one, again) for one, again in wanted if (one.labelled.key, *who, again) not in done]
        label = f"{contestant.name} {contestant.prompt}"
        say(f"{label}: {len(wanted) - len(missing):,} of {len(wanted):,} answers are there")
        for count, (one, again) in enumerate(missing, start=1):
            if terms.max_usd is not None and spent >= terms.max_usd:
                say(f"stopped: {spent:.2f} USD are spent")
                return answers
            row = _answer(one, contestant, again, terms)
            spent += row["cost_usd"] or 0.0
            answers.append(row)
            with out.open("ab") as file:
                file.write(orjson.dumps(row) + b"\n")
            if count % 10 == 0:
                say(f"{label}: {count:,} of {len(missing):,} asked")
    return answers


def report(
    cases: Sequence[Case], contestants: Sequence[Contestant], answers: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """Return the figures of the trivial judges and of each contestant, over all cases and by family."""
    truth = [one.labelled.label for one in cases]
    rows = list(answers)
    judges = {
        "majority": _opinions(cases, trivial.majority(truth)),
        "majority per rule text": _opinions(cases, trivial.by_text([one.rule for one in cases], truth)),
        "pre-filter score": _opinions(cases, trivial.by_score([one.score for one in cases], truth)),
        "logistic regression": _opinions(cases, trivial.by_fields([one.event for one in cases], truth)),
    }
    models = {}
    for each in contestants:
        own = [
            row for row in rows if (row["name"], row["model"], row["prompt"]) == (each.name, each.model, each.prompt)
        ]
        label = f"{each.name} {each.prompt}"
        models[label] = _conduct(own)
        first = [row for row in own if row["repeat"] == 0]
        judges[label] = _judgements(cases, first)
        # What an analyst sees: a suggestion without support has become "undetermined".
        judges[f"{label}, as shown"] = _judgements(
            cases, [row | {"opinion": row.get("shown_opinion", row["opinion"])} for row in first]
        )
    names = list(judges)
    return {
        "cases": len(cases),
        "cases_sha256": cases_sha256(cases),
        "judges": {name: _by_family(cases, judged) for name, judged in judges.items()},
        "models": models,
        "comparisons": {
            f"{first} / {second}": asdict(judgement.compare(judges[first], judges[second]))
            for place, first in enumerate(names)
            for second in names[place + 1 :]
            if second in models
        },
    }


def cases_sha256(cases: Sequence[Case]) -> str:
    """Return the sha256 (hex) of all that is asked: lines, labels and evidence."""
    told = [[one.labelled.key, one.labelled.label, asdict(one.request)] for one in cases]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _of_directory(path: Path) -> Iterator[Labelled]:
    files = sorted([*path.glob("*attack_lines.jsonl"), *path.glob("*attack_lines.ndjson")])
    if not files:
        raise DatasetError(f"{path} holds no *_attack_lines.jsonl and no *_no_attack_lines.jsonl")
    for file in files:
        stem = file.name.partition("attack_lines")[0].rstrip("_")
        label = not stem.endswith("no")
        family = stem if label else stem.removesuffix("no").rstrip("_")
        for line in _lines(file):
            yield Labelled(family, label, line)


def _of_file(path: Path) -> Iterator[Labelled]:
    for number, line in enumerate(_lines(path), start=1):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            row = None
        if not isinstance(row, dict) or "label" not in row:
            raise DatasetError(f"{path}:{number} is not a JSON object with a label")
        word = str(row.pop("label")).strip().lower()
        if word not in YES | NO:
            raise DatasetError(f"{path}:{number} has the label {word[:40]!r}; one of {', '.join(sorted(YES | NO))}")
        event = row.get("event", row.get("raw", row))
        text = event if isinstance(event, str) else orjson.dumps(event).decode()
        yield Labelled(str(row.get("family") or path.stem), word in YES, text)


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    yield from (line for line in text.split("\n") if line.strip())


def _content(line: str) -> Any:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    return content if isinstance(content, dict) else line


def _answered(out: Path) -> list[dict[str, Any]]:
    """Return the answers of an earlier run; a line that was cut off is asked for again."""
    if not out.exists():
        return []
    whole, _, _ = out.read_bytes().rpartition(b"\n")
    rows = [orjson.loads(line) for line in whole.split(b"\n") if line]
    out.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return rows


def _place(row: dict[str, Any]) -> tuple[str, str, str, str, int]:
    return row["case"], row["name"], row["model"], row["prompt"], row["repeat"]


def _answer(one: Case, contestant: Contestant, again: int, terms: Terms) -> dict[str, Any]:
    """Ask once and return the row of it."""
    explainer = explainers.get("openai_chat")(
        base_url=contestant.base_url,
        api_key=terms.api_key,
        model=contestant.model,
        timeout=terms.timeout,
        policy=terms.policy,
        options=CallOptions(prompt=contestant.prompt, attempt=again + 1),
    )
    row: dict[str, Any] = {
        "case": one.labelled.key, "name": contestant.name, "model": contestant.model, "prompt": contestant.prompt,
        "repeat": again, "asked_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    try:
        answer: ExplanationAnswer = explainer.explain(one.request)
    except ExplanationError as error:
        call = error.details.get("call") or {}
        return row | {
            "failure": error.reason, "detail": str(error)[:300], "opinion": judgement.FAILED, "confidence": "",
            "cost_usd": call.get("cost_usd"), "latency_ms": call.get("latency_ms"),
        }  # fmt: skip
    checked = grounding.check(one.request, answer)
    known = {line.number for line in one.request.evidence}
    claims = (*answer.what_happened, *answer.why_it_matters, *answer.why_it_may_be_benign)
    call = answer.details["call"]
    return row | {
        "failure": "", "suggested": answer.suggested_verdict, "shown": checked.answer.suggested_verdict,
        "opinion": judgement.OPINIONS[answer.suggested_verdict], "confidence": answer.confidence,
        "shown_opinion": judgement.OPINIONS[checked.answer.suggested_verdict], "severity": answer.severity,
        "claims": checked.claims, "grounded": checked.grounded, "techniques": len(answer.techniques),
        "invalid_techniques": sum(not attack.is_active(name) for name in answer.techniques),
        "cited": sum(len(claim.evidence) for claim in claims),
        "invalid_lines": sum(number not in known for claim in claims for number in claim.evidence),
        "cost_usd": call.get("cost_usd"), "latency_ms": call.get("latency_ms"),
        "input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens,
    }  # fmt: skip


def _opinions(cases: Sequence[Case], warned: Sequence[bool]) -> list[Judgement]:
    return [
        Judgement(one.labelled.key, one.labelled.label, judgement.ATTACK if said else judgement.HARMLESS)
        for one, said in zip(cases, warned, strict=True)
    ]


def _judgements(cases: Sequence[Case], rows: Iterable[dict[str, Any]]) -> list[Judgement]:
    truth = {one.labelled.key: one.labelled.label for one in cases}
    return [
        Judgement(row["case"], truth[row["case"]], row["opinion"], row["confidence"])
        for row in rows
        if row["case"] in truth
    ]


def _by_family(cases: Sequence[Case], judged: Sequence[Judgement]) -> dict[str, Any]:
    family = {one.labelled.key: one.labelled.family for one in cases}
    parts = {"all": list(judged)}
    for one in judged:
        parts.setdefault(family[one.case], []).append(one)
    return {name: asdict(judgement.figures(part)) for name, part in parts.items()}


def _conduct(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how a contestant behaved over all its answers, apart from being right."""
    told = [row for row in rows if not row["failure"]]
    failures: dict[str, int] = {}
    for row in rows:
        if row["failure"]:
            failures[row["failure"]] = failures.get(row["failure"], 0) + 1
    repeats: dict[str, list[str]] = {}
    for row in told:
        repeats.setdefault(row["case"], []).append(row["opinion"])
    latencies = [float(row["latency_ms"]) for row in told if row["latency_ms"] is not None]
    costs = [row["cost_usd"] for row in rows]
    flips = judgement.flips(repeats.values())
    return {
        "answers": len(told),
        "failures": failures,
        "grounded": _share(sum(row["grounded"] for row in told), sum(row["claims"] for row in told)),
        "demoted": _share(sum(row["shown"] != row["suggested"] for row in told), len(told)),
        "invalid_techniques": _share(
            sum(row["invalid_techniques"] for row in told), sum(row["techniques"] for row in told)
        ),
        "invalid_lines": _share(sum(row["invalid_lines"] for row in told), sum(row["cited"] for row in told)),
        "flips": None if flips is None else asdict(flips),
        "latency_ms_p50": judgement.quantile(latencies, 0.5),
        "latency_ms_p90": judgement.quantile(latencies, 0.9),
        "cost_usd": None if any(cost is None for cost in costs) or not costs else round(sum(costs), 6),
    }


def _share(hits: int, n: int) -> dict[str, Any] | None:
    return asdict(wilson(hits, n)) if n else None

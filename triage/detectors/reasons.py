"""Evidence in words: what was seen, and what the baseline knows about it.

Handed: the baseline, an event, and how much of its score each group of columns carries. Hands on: its most
important reasons. Counts come from the same tables as the score.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from triage.contracts import ParsedEvent, Reason
from triage.features.baseline import Baseline
from triage.features.field import TYPES, FieldModel, analyse
from triage.features.kind import KindModel
from triage.features.pattern import form_of, unaccounted
from triage.features.tokens import as_number, cells

MAX_REASONS = 5
MIN_CONTRIBUTION = 0.005
MAX_SHOWN = 80
WHOLE_VALUE = 0.8

#: Columns that speak of the same thing are taken away together.
GROUPS: dict[str, tuple[str, ...]] = {
    **{name: (f"{name}_most", f"{name}_top3") for name in TYPES},
    "pair": ("pair_most", "pair_top5"),
    "fields_together": ("fields_together",),
    "new_field": ("new_field",),
    "new_kind": ("new_kind",),
    "total": ("total",),
    "pattern": ("pattern",),
}
LABELS = {
    "user.name": "user", "host.name": "host", "source.ip": "source address", "destination.ip": "destination address",
    "process.name": "process", "process.parent.name": "parent process", "event.action": "action", "url.path": "path",
    "http.request.method": "method", "destination.port": "destination port", "source.port": "source port",
    "process.command_line": "command line", "dns.question.name": "DNS name", "user_agent.original": "user agent",
    "process.executable": "program", "file.path": "file", "event.outcome": "outcome", "url.query": "query",
    "event.code": "event code", "rule.name": "rule", "log.level": "level",
}  # fmt: skip


def label(field: str) -> str:
    """Return a field's name as a person says it.

    >>> label("source.ip"), label("url.query[id]"), label("zeek.conn.state")
    ('source address', 'query parameter id', 'zeek.conn.state')
    """
    if field.endswith("]"):
        name, _, part = field[:-1].partition("[")
        return f"{LABELS.get(name, name)} parameter {part}" if part else f"{LABELS.get(name, name)} parameters"
    return LABELS.get(field, field)


def shown(value: Any) -> str:
    """Return a value short enough for a sentence, on one line."""
    text = "".join(char if char.isprintable() else " " for char in str(value)[: MAX_SHOWN + 1])
    return f"{text[: MAX_SHOWN - 1]}\u2026" if len(text) > MAX_SHOWN else text


def counted(count: int, total: int) -> str:
    """Return a count in its total: ``3 of 1,204``."""
    return f"{count:,} of {total:,}"


def write_reasons(baseline: Baseline, event: ParsedEvent, shares: Mapping[str, float]) -> tuple[Reason, ...]:
    """Return an event's reasons, largest share of the score first."""
    model, _ = baseline.model_of(event)
    found = cells(event)
    each = [(name, value, model.fields[name].evidence(value)) for name, value in found if name in model.fields]
    ranked = sorted((group for group in shares if shares[group] >= MIN_CONTRIBUTION), key=lambda g: (-shares[g], g))
    reasons: dict[str, Reason] = {}
    for group in ranked:
        text, fields, observed, usual = _write(group, baseline, model, event, each)
        reasons.setdefault(text, Reason(group, text, shares[group], fields, observed, usual))
        if len(reasons) == MAX_REASONS:
            break
    return tuple(reasons.values())


Said = tuple[str, tuple[str, ...], str, str]
Each = list[tuple[str, Any, tuple[float, ...]]]


def _write(group: str, baseline: Baseline, model: KindModel, event: ParsedEvent, each: Each) -> Said:
    """Return ``(text, fields, observed, baseline)`` of one group of columns."""
    if group == "pair":
        return _pair(model, event)
    if group == "new_kind":
        return _new_kind(baseline, event)
    if group == "new_field":
        return _new_field(model, event)
    if group == "fields_together":
        usual = f"{model.total:,} events of this kind"
        return f"this combination of fields is unusual among {usual}", (), "", usual
    if group == "total":
        return _total(model, each)
    if group == "pattern":
        return _pattern(model, event)
    place = TYPES.index(group)
    if not each:
        return f"unusual {group}", (), "", ""
    name, value, evidence = max(each, key=lambda one: one[2][place])
    # A value that is new as a whole says more to a person than its new word, character or outline.
    writer = _value if group != "size" and evidence[0] >= WHOLE_VALUE * evidence[place] else _WRITERS[group]
    return writer(name, value, model.fields[name])


def _pair(model: KindModel, event: ParsedEvent) -> Said:
    found = cells(event)
    pairs = model.pair_evidence(found)
    if not pairs:
        return "unusual pair of values", (), "", ""
    _, (a, b), (x, y) = max(pairs)
    table = model.pairs[a, b]
    count = table.counts.get(f"{x}\x1e{y}", 0)
    raw = dict(found)
    first, second = f"{label(a)} {shown(raw[a])}", f"{label(b)} {shown(raw[b])}"
    usual = f"{counted(count, table.total)} events"
    verb = "was hardly ever seen with" if count else "was never seen with"
    return f"{first} {verb} {second} ({usual})", (a, b), f"{shown(raw[a])} + {shown(raw[b])}", usual


def _new_kind(baseline: Baseline, event: ParsedEvent) -> Said:
    what = event.fields.get("event.dataset") or event.fields.get("event.provider") or event.parser
    code = event.fields.get("event.code")
    named = shown(what) + (f" {shown(code)}" if code else "")
    usual = f"{baseline.total:,} events"
    return f"first events of this kind ({named}); too few among {usual} to know it", (), named, usual


def _new_field(model: KindModel, event: ParsedEvent) -> Said:
    new = [name for name, _ in cells(event) if name not in model.fields]
    usual = f"0 of {model.total:,} events"
    if not new:
        return "fields are the usual ones", (), "", usual
    return f"{label(new[0])} was never present before ({usual})", tuple(new[:3]), shown(new[0]), usual


def _pattern(model: KindModel, event: ParsedEvent) -> Said:
    """Name the fields without which the rest of the event would be least odd."""
    found = [(name, value) for name, value in cells(event) if name in model.fields]
    if not found:
        return _new_field(model, event)
    parts = np.array([model.pattern.part(name, form_of(value)) for name, value in found]).T
    whole = parts.sum(axis=1, keepdims=True)
    share = float(unaccounted(whole)[0])
    ranked = np.argsort(unaccounted(whole - parts), kind="stable")[:3].tolist()
    names = tuple(dict.fromkeys(found[place][0] for place in ranked))
    said = ", ".join(f"{label(found[place][0])} {shown(found[place][1])}" for place in ranked[:2])
    usual = f"{model.total:,} events of this kind"
    return f"{share:.0%} of it is no combination known from {usual}, above all {said}", names, said, usual


def _total(model: KindModel, each: Each) -> Said:
    worst = sorted(each, key=lambda one: -max(one[2]))[:3]
    names = tuple(dict.fromkeys(name for name, _, _ in worst))
    said = ", ".join(label(name) for name in names) or "its fields"
    usual = f"{model.total:,} events of this kind"
    return f"several things are unusual at once: {said}", names, said, usual


def _value(name: str, value: Any, model: FieldModel) -> Said:
    table = model.tables["value"]
    count = table.counts.get(analyse(value)["value"][0], 0)
    usual = f"{counted(count, table.total)} values"
    if count:
        text = f"{label(name)} {shown(value)} is rare ({usual})"
    elif table.dropped:
        text = f"{label(name)} {shown(value)} is new or was seen only once ({table.total:,} values learned)"
        usual = f"at most 1 of {table.total:,} values"
    else:
        text = f"{label(name)} {shown(value)} was never seen before ({usual})"
    return text, (name,), shown(value), usual


def _token(what: str, table_name: str, name: str, value: Any, model: FieldModel) -> Said:
    table = model.tables[table_name]
    tokens = analyse(value)[table_name]
    if not tokens:
        return _value(name, value, model)
    token = max(tokens, key=lambda one: (table.of(one), one))
    count = table.counts.get(token, 0)
    # Words, characters and runs are counted as often as they occur, so the total is of those.
    usual = f"{counted(count, table.total)} learned" if count else f"at most 1 of {table.total:,} learned"
    text = f"{label(name)} has the {what} {shown(token)!r}, {'rare' if count else 'unknown'} there ({usual})"
    return text, (name,), shown(value), usual


def _word(name: str, value: Any, model: FieldModel) -> Said:
    return _token("word", "word", name, value, model)


def _character(name: str, value: Any, model: FieldModel) -> Said:
    return _token("character", "character", name, value, model)


def _order(name: str, value: Any, model: FieldModel) -> Said:
    return _token("sequence", "order", name, value, model)


def _shape(name: str, value: Any, model: FieldModel) -> Said:
    table = model.tables["shape"]
    outlines = analyse(value)["shape"]
    count = table.counts.get(outlines[0], 0) if outlines else 0
    usual = f"{counted(count, table.total)} values" if count else f"at most 1 of {table.total:,} values"
    return f"{label(name)} {shown(value)} is not written as usual ({usual} look like it)", (name,), shown(value), usual


def _size(name: str, value: Any, model: FieldModel) -> Said:
    number = as_number(value)
    size = len(str(value)) if number is None else number
    high = float(np.expm1(np.abs(model.grid[7])) * np.sign(model.grid[7]))
    low = float(np.expm1(np.abs(model.grid[1])) * np.sign(model.grid[1]))
    usual = f"99 % are at most {high:,.0f}" if size > high else f"99 % are at least {low:,.0f}"
    unit = " characters" if number is None else ""
    verb = "is" if number is None else "="
    return f"{label(name)} {verb} {size:,.0f}{unit}; {usual}", (name,), shown(value), usual


_WRITERS = {"value": _value, "word": _word, "character": _character, "order": _order, "shape": _shape, "size": _size}

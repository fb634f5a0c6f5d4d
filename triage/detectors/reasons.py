"""Evidence in words: what was seen, and what the baseline knows about it.

Handed: the baseline, an event weighed cell by cell, and what of it the score rests on. Hands on: a sentence with the
counts, usual values, usual range or usual company behind it, from the same tables as the score. The baseline keeps no
times, so no sentence says when something was first seen.
"""

from typing import Any

import numpy as np

from triage.contracts import ParsedEvent, Reason
from triage.detectors.leave_out import LeaveOut
from triage.features.baseline import Baseline
from triage.features.counting import VALUE_TOKEN
from triage.features.field import TYPES, FieldModel, analyse
from triage.features.mass import MassTable
from triage.features.memory import Memory
from triage.features.pairs import PAIR_SEPARATOR
from triage.features.pattern import form_of
from triage.features.tokens import as_number

MAX_SHOWN = 80
#: A usual value is shown shorter than what was observed.
MAX_USUAL, MAX_NAMED = 40, 3
#: From this share of the strongest evidence on, or so many nats, a value is spoken of as a whole.
WHOLE_VALUE, WHOLE_NATS = 0.6, 5.0
#: Evidence in nats below which a value is nothing unusual by itself.
ODD = 1.5
#: Usual sets of fields an event is compared with.
USUAL_SETS = 20

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


def shown(value: Any, limit: int = MAX_SHOWN) -> str:
    """Return a value short enough for a sentence, on one line."""
    text = str(value)[: limit + 1]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return f"{text[: limit - 1]}\u2026" if len(text) > limit else text


def counted(count: int, total: int) -> str:
    """Return a count in its total: ``3 of 1,204``."""
    return f"{count:,} of {total:,}"


#: ``(text, observed, baseline)``.
Said = tuple[str, str, str]
#: Token -> how often its most frequent partner in a pair came with it, and which that is.
Company = dict[tuple[int, str], tuple[int, str]]
COMPANY_BYTES, COMPANY_ENTRY = 8 << 20, 250
_company: Memory[MassTable, Company] = Memory(COMPANY_BYTES)


def say(baseline: Baseline, whole: LeaveOut, feature: str, fields: tuple[str, ...], about: Any, share: float) -> Reason:
    """Return the reason in words that an event is unusual for what these fields hold."""
    if feature == "pair":
        text, observed, usual = _pair(whole, *about)
    elif feature == "new_field":
        text, observed, usual = _new_field(whole, fields)
    elif feature == "new_kind":
        text, observed, usual = _new_kind(baseline, whole.event)
    elif feature == "fields_together":
        text, observed, usual = _fields_together(whole)
    elif feature == "total":
        text, observed, usual = _total(whole, fields)
    else:
        feature, (text, observed, usual) = _field(whole, fields)
    return Reason(feature, text, share, fields, observed, usual)


def _field(whole: LeaveOut, fields: tuple[str, ...]) -> tuple[str, Said]:
    """Return what of some fields (which hold one value) is unusual: the value itself, or its company."""
    each = [cell for name in fields for cell in whole.own.get(name, ())]
    name, value, evidence = max(each, key=lambda cell: max(cell[2]))
    model = whole.model.fields[name]
    most = max(evidence)
    if most >= ODD:
        # A value that is new as a whole says more to a person than its new word, character or outline.
        # The evidence of words is a sum of three.
        spread = {name: one / 3 if name == "word" else one for name, one in zip(TYPES, evidence, strict=True)}
        strongest = max(spread, key=spread.__getitem__)
        enough = min(WHOLE_VALUE * spread[strongest], WHOLE_NATS)
        feature = "value" if spread["value"] >= enough else strongest
        said = _WRITERS[feature](name, value, model)
    else:
        feature, said = _company_of(whole, name, value, model)
    others = [label(other) for other in fields if other != whole.field_of(name) and other in whole.own]
    if others:
        said = (f"{said[0]}; the same in {', '.join(others[:MAX_NAMED])}", *said[1:])
    return feature, said


def _company_of(whole: LeaveOut, name: str, value: Any, model: FieldModel) -> tuple[str, Said]:
    """Return what is unusual about a value that is usual by itself."""
    events = whole.model.total
    if model.total < 0.05 * events:
        usual = f"{counted(model.total, events)} events of this kind"
        return "fields_together", (f"{label(name)} is seldom present ({usual})", shown(value), usual)
    usual = f"{events:,} events of this kind; {most_often(model)}"
    text = f"{label(name)} {shown(value)} does not usually come with the rest of the event"
    return "pattern", (f"{text} ({events:,} events of this kind)", shown(value), usual)


def most_often(model: FieldModel) -> str:
    """Return the most frequent value of a field, numbers as a range, with its count."""
    table = model.tables["value"]
    if not table.counts:
        return "its values hardly repeat"
    token, count = next(iter(table.counts.items()))
    return f"most often {spoken(token)} ({counted(count, table.total)})"


def spoken(token: str) -> str:
    """Return a token of the baseline as a person reads it: a bucket of numbers is a range.

    >>> spoken("~8.5"), spoken("sshd"), spoken("-~4.0")
    ('362 to 512', 'sshd', '-22 to -16')
    """
    sign, bucket = ("-", token[1:]) if token.startswith("-~") else ("", token)
    try:
        low = float(bucket[1:]) if bucket.startswith("~") else None
    except ValueError:
        low = None
    if low is None or not 0 < low < 1_000:
        return shown(token, MAX_USUAL)
    edges = [2.0**low, 2.0 ** (low + 0.5)]
    return " to ".join(f"{sign}{edge:,.0f}" for edge in (reversed(edges) if sign else edges))


def _pair(whole: LeaveOut, names: tuple[str, str], tokens: tuple[str, str]) -> Said:
    (a, b), (x, y) = names, tokens
    table = whole.model.pairs[a, b]
    count = table.counts.get(f"{x}{PAIR_SEPARATOR}{y}", 0)
    raw = {name: value for cell in whole.own.values() for name, value, _ in cell}
    first, second = f"{label(a)} {shown(raw[a])}", f"{label(b)} {shown(raw[b])}"
    usual = f"{counted(count, table.total)} events"
    verb = "was hardly ever seen with" if count else "was never seen with"
    text = f"{first} {verb} {second} ({usual})"
    times, partner = company(table).get((0, x), (0, ""))
    if partner:
        usual += f"; {label(a)} {shown(raw[a], MAX_USUAL)} came most often with {spoken(partner)} ({times:,} times)"
    return text, f"{shown(raw[a])} + {shown(raw[b])}", usual


def company(table: MassTable) -> Company:
    """Return the most frequent partner of each token of a pair, by place in the pair and token."""
    known = _company.get(table)
    if known is None:
        known = {}
        for entry, count in table.counts.items():  # the most frequent first
            x, _, y = entry.partition(PAIR_SEPARATOR)
            known.setdefault((0, x), (count, y))
            known.setdefault((1, y), (count, x))
        _company.keep(table, known, COMPANY_ENTRY * (len(known) + 1))
    return known


def _new_kind(baseline: Baseline, event: ParsedEvent) -> Said:
    what = event.fields.get("event.dataset") or event.fields.get("event.provider") or event.parser
    code = event.fields.get("event.code")
    named = shown(what) + (f" {shown(code)}" if code else "")
    usual = f"{baseline.total:,} events"
    return f"first events of this kind ({named}); too few among {usual} to know it", named, usual


def _new_field(whole: LeaveOut, fields: tuple[str, ...]) -> Said:
    usual = f"0 of {whole.model.total:,} events"
    names = [label(name) for name in whole.new_names]
    more = f" and {len(names) - 1} more were" if len(names) > 1 else " was"
    return f"{shown(names[0])}{more} never present before ({usual})", shown(", ".join(names)), usual


def _fields_together(whole: LeaveOut) -> Said:
    """Name what the nearest usual set of fields has and the event lacks."""
    model, present = whole.model, set(whole.names)
    nearest: set[str] = set()
    for token in list(model.sets.counts)[:USUAL_SETS]:
        names = set(token.split(","))
        if not nearest or len(names ^ present) < len(nearest ^ present):
            nearest = names
    missing = sorted(name for name in nearest - present if name in model.fields)
    usual = f"{model.total:,} events of this kind"
    if not missing:
        return f"this combination of fields is unusual among {usual}", "", usual
    had = min(model.fields[missing[0]].total, model.total)
    usual = f"{counted(had, model.total)} events of this kind have it"
    return f"lacks {label(missing[0])} ({usual})", "", usual


def _total(whole: LeaveOut, fields: tuple[str, ...]) -> Said:
    values = whole.event.fields
    said = ", ".join(f"{label(name)} {shown(values.get(name, ''), MAX_USUAL)}".strip() for name in fields[:MAX_NAMED])
    usual = f"{whole.model.total:,} events of this kind"
    return f"several things are a little unusual at once: {said} ({usual})", said, usual


def _value(name: str, value: Any, model: FieldModel) -> Said:
    table = model.tables["value"]
    token = form_of(value)[:VALUE_TOKEN]
    count = table.counts.get(token, 0)
    values = "values of this size" if "~" in token and as_number(value) is not None else "values"
    usual = f"{counted(count, table.total)} {values}"
    if count:
        text = f"{label(name)} {shown(value)} is rare ({usual})"
    elif table.dropped:
        text = f"{label(name)} {shown(value)} is new or was seen only once ({table.total:,} values learned)"
        usual = f"at most 1 of {table.total:,} values"
    else:
        text = f"{label(name)} {shown(value)} was never seen before ({usual})"
    return text, shown(value), f"{usual}; {most_often(model)}"


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
    return text, shown(value), f"{usual}; {most_often(model)}"


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
    text = f"{label(name)} {shown(value)} is not written as usual ({usual} look like it)"
    return text, shown(value), f"{usual}; {most_often(model)}"


def _size(name: str, value: Any, model: FieldModel) -> Said:
    number = as_number(value)
    size = len(str(value)) if number is None else number
    low, high = (float(np.expm1(np.abs(edge)) * np.sign(edge)) for edge in (model.grid[1], model.grid[7]))
    usual = f"99 % are at most {high:,.0f}" if size > high else f"99 % are at least {low:,.0f}"
    unit = " characters" if number is None else ""
    verb = "is" if number is None else "="
    text = f"{label(name)} {verb} {size:,.0f}{unit}; {usual}"
    return text, shown(value), f"usual range {low:,.0f} to {high:,.0f}{unit}"


_WRITERS = {"value": _value, "word": _word, "character": _character, "order": _order, "shape": _shape, "size": _size}

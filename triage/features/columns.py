"""The evidence of one field for many events at once.

Handed: a field's baseline and its values. Hands on: evidence per event for each type, the largest of it, and
the pair token, equal to what :mod:`triage.features.field` gives value by value. Values are numbered first, so
that each distinct one (of texts: each distinct form) is weighed once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triage.features.field import MAX_EVIDENCE, TYPES, FieldModel, Form
from triage.features.numbers import buckets
from triage.features.texts import masks, outlines
from triage.features.tokens import PAIR_TOKEN, as_number, on_log_scale, pair_token

VALUE, SIZE = TYPES.index("value"), TYPES.index("size")
#: A size this near to the edge of the usual ones is compared as the single path does, digit for digit.
MARGIN = 1e-9
#: Numbers from here on are treated one by one: beyond 10**300 they are texts.
HUGE = 1e299


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of ``n`` values; types that give none are left out.

    ``types[i]`` is what ``columns[i]`` is about. Value ``i`` has the pair token ``tokens[codes[i]]`` and the form
    ``forms[form_codes[i]]`` (a text's mask, a number's bucket). All arrays have the shape ``(n,)``.
    """

    types: tuple[int, ...]
    columns: tuple[np.ndarray, ...]
    most: np.ndarray
    codes: np.ndarray
    tokens: list[str]
    form_codes: np.ndarray
    forms: list[str]


def number_off(values: Sequence[Any]) -> tuple[np.ndarray, list[Any]]:
    """Return ``(codes, distinct)`` so that ``values[i] == distinct[codes[i]]``."""
    if values.count(values[0]) == len(values):
        return np.zeros(len(values), dtype=np.intp), [values[0]]
    index: defaultdict[Any, int] = defaultdict()
    index.default_factory = index.__len__
    codes = np.fromiter(map(index.__getitem__, values), np.intp, len(values))
    return codes, list(index)


def weigh(model: FieldModel, values: Sequence[Any]) -> list[tuple[np.ndarray | None, Evidence]]:
    """Return the evidence of texts, numbers and booleans; each part with its places (``None``: all of them)."""
    classes = set(map(type, values))
    if classes == {str}:
        return _weigh_text_column(model, values)
    if not classes & {str, bool}:
        numbers = _as_numbers(values)
        if numbers is not None:
            return [(None, weigh_numbers(model, numbers))]
    codes, distinct = number_off([(type(value), value) for value in values])
    return _weigh_distinct(model, codes, [value for _, value in distinct])


def _weigh_text_column(model: FieldModel, values: Sequence[str]) -> list[tuple[np.ndarray | None, Evidence]]:
    codes, distinct = number_off(values)
    if any(map(str.isdigit, distinct)):
        return _weigh_distinct(model, codes, distinct)
    return [(None, weigh_texts(model, codes, distinct))]


def _weigh_distinct(
    model: FieldModel, codes: np.ndarray, distinct: Sequence[Any]
) -> list[tuple[np.ndarray | None, Evidence]]:
    """Weigh values of all classes: ``distinct[codes[i]]`` is value ``i``."""
    numbers = [as_number(value) for value in distinct]
    is_number = np.array([number is not None for number in numbers])
    parts: list[tuple[np.ndarray | None, Evidence]] = []
    which = is_number[codes]
    if which.any():
        sizes = np.array([0.0 if number is None else number for number in numbers])
        places = np.flatnonzero(which)
        parts.append((places, weigh_numbers(model, sizes[codes[places]])))
    if not which.all():
        places = np.flatnonzero(~which)
        again, used = number_off(codes[places].tolist())
        texts = [str(distinct[code]) for code in used]
        # True and "True" are one text, but not one token in a pair.
        tokens = [pair_token(distinct[code]) for code in used]
        parts.append((places, weigh_texts(model, again, texts, tokens)))
    return parts


def _as_numbers(values: Sequence[float]) -> np.ndarray | None:
    """Return whole and broken numbers as an array; ``None`` when one is infinite, not a number, or huge."""
    try:
        numbers = np.array(values, dtype=float)
    except OverflowError:
        return None
    return numbers if bool((np.abs(numbers) < HUGE).all()) else None


def weigh_numbers(model: FieldModel, numbers: np.ndarray) -> Evidence:
    """Weigh finite numbers."""
    codes, names = buckets(numbers)
    rare = np.array([model.tables["value"].of(name) for name in names])
    rare = np.minimum(MAX_EVIDENCE, rare * model.scale[VALUE]).take(codes)
    size = np.minimum(MAX_EVIDENCE, _size_evidence(model, numbers) * model.scale[SIZE])
    found = {place: evidence for place, evidence in ((VALUE, rare), (SIZE, size)) if evidence.any()}
    return Evidence(tuple(found), tuple(found.values()), np.maximum(rare, size), codes, names, codes, names)


def _size_evidence(model: FieldModel, numbers: np.ndarray) -> np.ndarray:
    """Return the evidence of sizes; those not surely among the usual ones are compared one by one."""
    first, last = model.usual_sizes
    sizes = np.copysign(np.log1p(np.abs(numbers)), numbers)
    unsure = np.flatnonzero(~((sizes > first + MARGIN) & (sizes < last - MARGIN)))
    found = np.zeros(len(numbers))
    if len(unsure):
        distinct, codes = np.unique(numbers[unsure], return_inverse=True)
        each = [model.size_evidence(on_log_scale(number)) for number in distinct.tolist()]
        found[unsure] = np.array(each).take(codes)
    return found


def weigh_texts(
    model: FieldModel, codes: np.ndarray, texts: Sequence[str], tokens: list[str] | None = None
) -> Evidence:
    """Weigh texts: ``texts[codes[i]]`` is text ``i``; ``tokens`` are their pair tokens when not their masks."""
    forms: list[Form] = list(zip(masks(texts), outlines(texts), map(len, texts), strict=True))
    of_text, distinct = number_off(forms)
    found = [model.form(form) for form in distinct]
    table = np.array([evidence for evidence, _ in found])
    most = np.array([most for _, most in found])
    if tokens is None:
        tokens, token_codes = [masked[:PAIR_TOKEN] for masked, _, _ in distinct], of_text.take(codes)
    else:
        token_codes = codes
    codes = of_text.take(codes)
    types = tuple(np.flatnonzero(table.any(axis=0)).tolist())
    columns = tuple(table[:, place].take(codes) for place in types)
    return Evidence(types, columns, most.take(codes), token_codes, tokens, codes, [masked for masked, _, _ in distinct])


def raw_table(model: FieldModel, values: Sequence[Any]) -> np.ndarray:
    """Return the evidence of values before scaling, shape ``(n, len(TYPES))``."""
    codes, typed = number_off([(type(value), value) for value in values])
    numbers = [as_number(value) for _, value in typed]
    table = np.zeros((len(typed), len(TYPES)))
    at = [place for place, number in enumerate(numbers) if number is not None]
    if at:
        sizes = np.array([number for number in numbers if number is not None])
        buckets_of, names = buckets(sizes)
        table[at, VALUE] = np.array([model.tables["value"].of(name) for name in names]).take(buckets_of)
        table[at, SIZE] = _size_evidence(model, sizes)
    at = [place for place, number in enumerate(numbers) if number is None]
    if at:
        texts = [str(typed[place][1]) for place in at]
        of_text, forms = number_off(list(zip(masks(texts), outlines(texts), map(len, texts), strict=True)))
        table[at] = np.array([model.raw_form(*form) for form in forms])[of_text]
    return table.take(codes, axis=0)

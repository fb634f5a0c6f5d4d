"""Count the tokens of a field's values, each distinct form of text once.

Handed: values with how often each came. Hands on: token counts per table, and the sizes of the values.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from triage.features.numbers import buckets
from triage.features.texts import masks, outlines
from triage.features.tokens import as_number, characters, on_log_scale, sequences, without_repeats, words

TABLES = ("value", "shape", "word", "character", "order")
#: A masked text is one value up to here.
VALUE_TOKEN = 200


def count_values(values: Mapping[Any, int]) -> tuple[dict[str, Counter[str]], np.ndarray, np.ndarray]:
    """Return the counts per table, and of each distinct value the size (on a log scale) and how often it came.

    The keys of ``values`` are ``(type, value)``.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in TABLES}
    numbers: list[float] = []
    texts: list[str] = []
    times: tuple[list[int], list[int]] = ([], [])
    for (_, value), n in values.items():
        number = as_number(value)
        if number is None:
            texts.append(str(value))
            times[1].append(n)
        else:
            numbers.append(number)
            times[0].append(n)
    if numbers:
        _count_numbers(counts["value"], numbers, times[0])
    _count_texts(counts, texts, times[1])
    of_length = {length: on_log_scale(length) for length in set(map(len, texts))}
    sizes = [on_log_scale(number) for number in numbers] + [of_length[len(text)] for text in texts]
    return counts, np.array(sizes), np.array([*times[0], *times[1]], dtype=float)


def _count_numbers(counts: Counter[str], numbers: Sequence[float], times: Sequence[int]) -> None:
    codes, names = buckets(np.array(numbers))
    for name, n in zip(names, np.bincount(codes, weights=times, minlength=len(names)).tolist(), strict=True):
        if n:
            counts[name] += int(n)


def _count_texts(counts: Mapping[str, Counter[str]], texts: Sequence[str], times: Sequence[int]) -> None:
    masked: Counter[str] = Counter()
    outlined: Counter[str] = Counter()
    for form, outline, n in zip(masks(texts), outlines(texts), times, strict=True):
        masked[form] += n
        outlined[outline] += n
    for outline, n in outlined.items():
        counts["shape"][without_repeats(outline)] += n
    for form, n in masked.items():
        parts = words(form)
        counts["value"][form[:VALUE_TOKEN]] += n
        for name, tokens in (("word", set(parts)), ("character", characters(form)), ("order", sequences(parts))):
            counter = counts[name]
            for token in tokens:
                counter[token] += n

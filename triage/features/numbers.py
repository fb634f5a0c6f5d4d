"""Buckets of many numbers at once, the same as :func:`triage.features.tokens.bucket` of each.

Handed: an array of finite numbers. Hands on: the distinct buckets and, per number, which of them it is in.
"""

import math

import numpy as np

from triage.features.tokens import bucket

#: Half octaves from 16 up to 2**63; larger numbers go one by one.
_FIRST_STEP, _LAST_STEP = 8, 126
_TENTHS, _STEPS, _NEGATIVE = 16, 200, 400
#: A tenth this near to the middle between two is rounded one by one, as text is.
_TIE = 1e-6


def _edge(step: int) -> float:
    """Return the smallest number whose ``int(2 * log2)`` is at least ``step``."""
    near = math.exp2(step / 2)
    low, high = near * (1 - 1e-12), near * (1 + 1e-12)
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return high
        if int(math.log2(middle) * 2) >= step:
            high = middle
        else:
            low = middle


_EDGES = np.array([_edge(step) for step in range(_FIRST_STEP, _LAST_STEP + 1)])


def buckets(numbers: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return ``(codes, names)``: number ``i`` lies in the bucket ``names[codes[i]]``."""
    sizes = np.abs(numbers)
    whole = np.floor(sizes)
    tenths = np.minimum(sizes, 16.0) * 10.0
    is_small, is_whole = sizes < 16.0, sizes == whole
    slow = is_small & ~is_whole & (np.abs(tenths - np.floor(tenths) - 0.5) < _TIE)
    slow |= sizes >= _EDGES[-1]
    small = np.where(is_whole, whole, _TENTHS + np.rint(tenths))
    codes = np.where(is_small, small, 0.0).astype(np.intp)
    codes[~is_small] = _STEPS + np.searchsorted(_EDGES, sizes[~is_small], side="right") - 1
    codes[numbers < 0] += _NEGATIVE
    codes[slow] = 0
    present = np.zeros(2 * _NEGATIVE, dtype=bool)
    present[codes] = True
    used = np.flatnonzero(present)
    place = np.zeros(2 * _NEGATIVE, dtype=np.intp)
    place[used] = np.arange(len(used))
    names = [_name(code) for code in used.tolist()]
    found = place[codes]
    for at in np.flatnonzero(slow).tolist():
        names.append(bucket(float(numbers[at])))
        found[at] = len(names) - 1
    return found, names


def _name(code: int) -> str:
    """Return the bucket a code stands for, written as :func:`bucket` writes it."""
    sign, code = ("-", code - _NEGATIVE) if code >= _NEGATIVE else ("", code)
    if code < _TENTHS:
        return f"{sign}{code}"
    if code < _STEPS:
        return f"{sign}{(code - _TENTHS) / 10:.1f}"
    return f"{sign}~{(code - _STEPS + _FIRST_STEP) / 2}"

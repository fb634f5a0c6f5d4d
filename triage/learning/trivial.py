"""What a language model must beat: four simple judges of the same cases, none of them taught on what it judges.

Handed: events with labels. Hands on: each judge's opinion on every event by cross-validation: the more frequent label,
the more frequent label of the same rule text, the pre-filter's score with the best threshold, and a logistic regression
on the fields. Folds are stratified and seeded; ties say harmless.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from triage.contracts import ParsedEvent

FOLDS = 5
RANDOM_STATE = 0
HASHED_FEATURES = 2**14
MAX_TEXT = 200


def folds(truth: Sequence[bool], n_splits: int = FOLDS) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ``(train places, test places)`` of each fold; fewer folds where a class has fewer cases."""
    from sklearn.model_selection import StratifiedKFold

    fewest = min(Counter(truth).values(), default=0) if len(set(truth)) == 2 else 0
    if fewest < 2:
        raise ValueError("at least two cases of each label are needed")
    splitter = StratifiedKFold(min(n_splits, fewest), shuffle=True, random_state=RANDOM_STATE)
    return list(splitter.split(np.zeros(len(truth)), np.asarray(truth)))


def majority(truth: Sequence[bool]) -> list[bool]:
    """Return the more frequent label of the other folds."""
    return by_text([""] * len(truth), truth)


def by_text(texts: Sequence[str], truth: Sequence[bool]) -> list[bool]:
    """Return the more frequent label of the same text in the other folds, of all where the text is new."""
    said = [False] * len(truth)
    for train, test in folds(truth):
        known: defaultdict[str, list[bool]] = defaultdict(list)
        for place in train:
            known[texts[place]].append(truth[place])
        everywhere = [truth[place] for place in train]
        for place in test:
            labels = known.get(texts[place]) or everywhere
            said[place] = 2 * sum(labels) > len(labels)
    return said


def by_score(scores: Sequence[float], truth: Sequence[bool]) -> list[bool]:
    """Return whether a score reaches the threshold with the best balanced accuracy on the other folds."""
    values, labels = np.asarray(scores, dtype=float), np.asarray(truth)
    said = [False] * len(truth)
    for train, test in folds(truth):
        threshold = _best_threshold(values[train], labels[train])
        for place in test:
            said[place] = bool(values[place] >= threshold)
    return said


def by_fields(events: Sequence[ParsedEvent], truth: Sequence[bool]) -> list[bool]:
    """Return what a logistic regression on hashed fields says that learned from the other folds."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import LogisticRegression

    rows = FeatureHasher(HASHED_FEATURES, input_type="string").transform([_tokens(event) for event in events])
    labels = np.asarray(truth)
    said = [False] * len(truth)
    for train, test in folds(truth):
        model = LogisticRegression(max_iter=2000, class_weight="balanced", random_state=RANDOM_STATE)
        model.fit(rows[train], labels[train])
        for place, answer in zip(test, model.predict(rows[test]), strict=True):
            said[place] = bool(answer)
    return said


def _best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the score from which on to warn; infinity when no threshold is better than never to warn."""
    best, chosen = 0.5, float("inf")
    for threshold in np.unique(scores):
        warned = scores >= threshold
        balanced = (warned[truth].mean() + (~warned)[~truth].mean()) / 2
        if balanced > best:
            best, chosen = float(balanced), float(threshold)
    return chosen


def _tokens(event: ParsedEvent) -> list[str]:
    """Return a token for each field and for each of its values."""
    found = [f"parser={event.parser}"]
    for name, value in event.fields.items():
        values: list[Any] = value if isinstance(value, list) else [value]
        found += [name, *(f"{name}={str(one)[:MAX_TEXT]}" for one in values[:50])]
    return found

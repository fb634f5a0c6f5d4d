"""The two models the ranking compares, as plain numbers that need no library to be evaluated.

Handed: float64 rows and labels. Hands on: a state (a tree of lists and numbers), and log-odds from a state. The trees
are learned by scikit-learn and taken out of its estimator, so that a state is JSON, opens without running anything, and
scores with NumPy alone. A state that would read outside its arrays is refused.

The logistic regression begins with an opinion: score, surprise and severity each raise the odds a little, as they order
the queue without it. Few verdicts change that little, many as much as they like. In terms of Bayes the opinion is the
mean of a normal prior of the weights, on columns scaled to mean 0 and spread 1.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from triage.learning.ranking_facts import NUMBERS

LOGISTIC, TREES = "logistic regression", "boosted trees"
#: The simpler first.
KINDS = (LOGISTIC, TREES)
#: Weights of the opinion, by place (see :data:`triage.learning.ranking_facts.NUMBERS`), and the variance around it.
#: Chosen on labelled logs (``docs/ranking.md``).
OPINION = {place: 0.15 for place, name in enumerate(NUMBERS) if name in ("score", "surprise", "severity")}
VARIANCE = 0.02
MAX_STEPS = 100
TREE_SETTINGS: dict[str, Any] = {
    "max_iter": 80, "learning_rate": 0.1, "max_leaf_nodes": 8, "min_samples_leaf": 10, "l2_regularization": 1.0,
    "early_stopping": False,
}  # fmt: skip
MAX_TREES, MAX_NODES, MAX_COLUMNS = 500, 255, 500
#: Log-odds beyond this say nothing more.
MAX_LOGIT = 30.0
LEAF = -1
State = Mapping[str, Any]


class RankingStateError(ValueError):
    """A stored ranking does not hold together; the message says where."""


def fit(kind: str, rows: np.ndarray, labels: np.ndarray, random_state: int) -> dict[str, Any]:
    """Learn one of :data:`KINDS` and return its state; both classes must be there.

    On one core: so few rows are learned faster alone than by threads that wait for each other, and always alike.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return _fit_logistic(rows, labels) if kind == LOGISTIC else _fit_trees(rows, labels, random_state)


def _fit_logistic(rows: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread < 1e-9] = 1.0
    opinion = np.zeros(rows.shape[1])
    for place, weight in OPINION.items():
        opinion[place] = weight
    weights, intercept = solve((rows - mean) / spread, labels, opinion, VARIANCE)
    return {
        "kind": LOGISTIC,
        "mean": _numbers(mean),
        "spread": _numbers(spread),
        "weights": _numbers(weights),
        "intercept": intercept,
    }


def solve(rows: np.ndarray, labels: np.ndarray, opinion: np.ndarray, variance: float) -> tuple[np.ndarray, float]:
    """Return the weights and the intercept that are most likely after rows and labels, both classes being there.

    Before them the weights are normal around ``opinion``; the intercept is free. Newton's method, halving a step that
    does not descend.
    """
    share = float(labels.mean())
    columns = np.column_stack([rows, np.ones(len(rows))])
    centre = np.append(opinion, 0.0)
    stiffness = np.append(np.full(rows.shape[1], 1 / variance), 1e-9)

    def loss(at: np.ndarray) -> float:
        odds = columns @ at
        fit = (np.logaddexp(0.0, odds) - labels * odds).sum()
        return float(fit + 0.5 * (stiffness * (at - centre) ** 2).sum())

    found = np.append(opinion, np.log(share / (1 - share)))
    now = loss(found)
    for _ in range(MAX_STEPS):
        chances = probabilities(columns @ found)
        slope = columns.T @ (chances - labels) + stiffness * (found - centre)
        curve = (columns * (chances * (1 - chances))[:, None]).T @ columns + np.diag(stiffness)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while loss(found - size * step) > now and size > 1e-6:
            size /= 2
        if size <= 1e-6 or size * float(np.abs(step).max()) < 1e-10:
            break
        found = found - size * step
        now = loss(found)
    return found[:-1], float(found[-1])


def _numbers(values: np.ndarray) -> list[float]:
    return [float(value) + 0.0 for value in values]


def _fit_trees(rows: np.ndarray, labels: np.ndarray, random_state: int) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    with warnings.catch_warnings():
        # Columns with one value only are no reason for a warning here.
        warnings.simplefilter("ignore", RuntimeWarning)
        model = HistGradientBoostingClassifier(random_state=random_state, **TREE_SETTINGS).fit(rows, labels)
    return flatten(model, rows.shape[1])


def flatten(model: Any, n_columns: int) -> dict[str, Any]:
    """Return the trees of a fitted ``HistGradientBoostingClassifier`` as plain lists.

    Per tree: ``column`` (-1 at a leaf), ``threshold``, ``left``, ``right`` and ``value``, one entry per node. Raises
    :class:`RankingStateError` for trees this form cannot hold (several classes, categories).
    """
    trees = []
    for iteration in model._predictors:
        nodes = iteration[0].nodes
        if len(iteration) != 1 or nodes["is_categorical"].any():
            raise RankingStateError("only two classes and numeric columns can be flattened")
        leaf = nodes["is_leaf"].astype(bool)
        trees.append(
            {
                "column": np.where(leaf, LEAF, nodes["feature_idx"]).astype(int).tolist(),
                "threshold": _numbers(np.where(leaf, 0.0, nodes["num_threshold"])),
                "left": np.where(leaf, 0, nodes["left"]).astype(int).tolist(),
                "right": np.where(leaf, 0, nodes["right"]).astype(int).tolist(),
                "value": _numbers(np.where(leaf, nodes["value"], 0.0)),
            }
        )
    start = float(np.asarray(model._baseline_prediction).ravel()[0])
    return {"kind": TREES, "columns": n_columns, "start": start, "trees": trees}


def check(state: State, n_columns: int) -> None:
    """Raise :class:`RankingStateError` unless a state is whole, finite, and stays within its arrays."""
    try:
        if state["kind"] == LOGISTIC:
            parts = [np.asarray(state[name], dtype=np.float64) for name in ("mean", "spread", "weights")]
            if any(part.shape != (n_columns,) or not np.isfinite(part).all() for part in parts):
                raise RankingStateError(f"the logistic regression does not have {n_columns} columns of numbers")
            if not np.isfinite(float(state["intercept"])) or (parts[1] <= 0).any():
                raise RankingStateError("the logistic regression's intercept or a spread is no usable number")
        elif state["kind"] == TREES:
            _check_trees(state, n_columns)
        else:
            raise RankingStateError(f"unknown kind {str(state['kind'])[:40]!r}")
    except (KeyError, TypeError, OverflowError) as error:
        raise RankingStateError(f"a part is missing or of the wrong type: {error}") from error
    except RankingStateError:
        raise
    except ValueError as error:
        raise RankingStateError(f"a part does not hold numbers: {error}") from error


def _check_trees(state: State, n_columns: int) -> None:
    trees = state["trees"]
    if state["columns"] != n_columns or not 0 < n_columns <= MAX_COLUMNS:
        raise RankingStateError(f"the trees do not have {n_columns} columns")
    if not isinstance(trees, list) or not 0 < len(trees) <= MAX_TREES or not np.isfinite(float(state["start"])):
        raise RankingStateError("the number of trees, or where they start, is out of bounds")
    for number, tree in enumerate(trees):
        _check_tree(tree, n_columns, f"tree {number}")


def _check_tree(tree: Mapping[str, list[Any]], n_columns: int, where: str) -> None:
    column, left, right = (_whole(tree[name], where) for name in ("column", "left", "right"))
    threshold, value = (np.asarray(tree[name], dtype=np.float64) for name in ("threshold", "value"))
    if len({len(part) for part in (column, left, right, threshold, value)}) != 1 or not 0 < len(column) <= MAX_NODES:
        raise RankingStateError(f"{where}: its lists do not belong together")
    if not (np.isfinite(threshold).all() and np.isfinite(value).all()):
        raise RankingStateError(f"{where}: a threshold or value is no number")
    if (column < LEAF).any() or (column >= n_columns).any():
        raise RankingStateError(f"{where}: a column is out of bounds")
    inner, nodes = column != LEAF, np.arange(len(column))
    for children in (left[inner], right[inner]):
        # Children come after their parent, so that no walk can circle.
        if (children <= nodes[inner]).any() or (children >= len(column)).any():
            raise RankingStateError(f"{where}: a child is out of bounds")


def _whole(values: list[Any], where: str) -> np.ndarray:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise RankingStateError(f"{where}: an index is no whole number")
    return np.asarray(values, dtype=np.int64)


def log_odds(state: State, rows: np.ndarray) -> np.ndarray:
    """Return the log-odds of rows, float64 of shape ``(n,)``, within :data:`MAX_LOGIT`; the state was checked."""
    if state["kind"] == LOGISTIC:
        parts = (np.asarray(state[name], dtype=np.float64) for name in ("mean", "spread", "weights"))
        mean, spread, weights = parts
        found = ((rows - mean) / spread) @ weights + float(state["intercept"])
    else:
        found = np.full(len(rows), float(state["start"]))
        for tree in state["trees"]:
            found += _walk(tree, rows)
    return np.asarray(np.clip(found, -MAX_LOGIT, MAX_LOGIT))


def _walk(tree: Mapping[str, list[Any]], rows: np.ndarray) -> np.ndarray:
    """Return the leaf value of every row: all rows go down one level at a time."""
    column, left, right = (np.asarray(tree[name], dtype=np.int64) for name in ("column", "left", "right"))
    threshold, value = (np.asarray(tree[name], dtype=np.float64) for name in ("threshold", "value"))
    places = np.zeros(len(rows), dtype=np.int64)
    going = np.flatnonzero(column[places] != LEAF)
    while len(going):
        at = places[going]
        below = rows[going, column[at]] <= threshold[at]
        places[going] = np.where(below, left[at], right[at])
        going = going[column[places[going]] != LEAF]
    return value[places]


def probabilities(log_odds_: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + exp(-x))``."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds_)))

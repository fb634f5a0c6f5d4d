"""What a team would write instead: reference detectors on raw JSON lines, timed from the line to the score.

Handed: lines to learn from and lines to score. Hands on: per reference the processor time to learn and to score, and
its scores. Field-value rarity, an isolation forest, principal components, nearest neighbours, a histogram and empirical
tails over character n-grams, and the calibrated maximum of three, all in NumPy and scikit-learn; Drain3 and PyOD's own
versions too where they are installed. All learn without labels. What several share (the n-grams) is charged to each.
"""

import importlib
import importlib.util
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline

MAX_TEXT, MAX_VALUE, DIRECTIONS, NEIGHBOURS, REFERENCES, RAREST = 1_500, 120, 32, 5, 5_000, 5
#: Of the events to learn from, this share fits the calibrated maximum; the rest calibrates it.
FITTING_SHARE = 0.7
_VARIABLE = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", re.IGNORECASE)

Lines = list[bytes]
#: Learn from the first matrix, score the second.
Judge = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Timed:
    """One reference: seconds of processor time, and its scores (higher = more unusual)."""

    name: str
    fit_s: float
    score_s: float
    scores: np.ndarray


def flattened(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and value of every leaf of a JSON document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flattened(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from flattened(inner, name)
    elif value is not None:
        yield name, value


def tokens(line: bytes) -> list[str]:
    """Return one token per leaf: its name with the masked text, or with the order of magnitude of the number."""
    return [
        f"{name}~{int(math.log2(abs(value) + 1))}"
        if isinstance(value, int | float)
        else f"{name}={_VARIABLE.sub('#', str(value))[:MAX_VALUE]}"
        for name, value in flattened(orjson.loads(line))
    ]


def text(line: bytes) -> str:
    """Return a document as one text."""
    return " ".join(f"{name}={value}" for name, value in flattened(orjson.loads(line)))[:MAX_TEXT]


class ValueRarity:
    """How rare are the rarest values of an event?"""

    def fit(self, lines: Lines) -> "ValueRarity":
        counts = Counter(token for line in lines for token in set(tokens(line)))
        self.weights = {token: -math.log((n + 0.5) / (len(lines) + 1)) for token, n in counts.items()}
        self.unseen = -math.log(0.5 / (len(lines) + 1))
        return self

    def score(self, lines: Lines) -> np.ndarray:
        known, unseen = self.weights.get, self.unseen
        return np.array([sum(sorted([known(one, unseen) for one in tokens(line)])[-RAREST:]) for line in lines])


class TemplateRarity:
    """How rare is the template that Drain3 finds in an event? Needs ``drain3``."""

    def fit(self, lines: Lines) -> "TemplateRarity":
        config = optional("drain3.template_miner_config").TemplateMinerConfig()
        config.profiling_enabled = False
        self.miner, self.n = optional("drain3").TemplateMiner(config=config), len(lines)
        for line in lines:
            self.miner.add_log_message(text(line)[:400])
        self.sizes = {cluster.cluster_id: cluster.size for cluster in self.miner.drain.clusters}
        return self

    def score(self, lines: Lines) -> np.ndarray:
        found = [self.miner.match(text(line)[:400]) for line in lines]
        sizes = [self.sizes.get(one.cluster_id, 0) if one else 0 for one in found]
        return -np.log((np.array(sizes) + 0.5) / (self.n + 1))


def weighted_ngrams() -> Pipeline:
    """Return hashed, weighted character n-grams."""
    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=2**16, alternate_sign=False)
    return make_pipeline(hashing, TfidfTransformer())


class NGrams:
    """Both parts along the main directions of their n-grams, and what that took."""

    def __init__(self, learned: Lines, scored: Lines) -> None:
        started = time.process_time()
        pipeline = make_pipeline(weighted_ngrams(), TruncatedSVD(DIRECTIONS, random_state=0))
        self.learned = pipeline.fit_transform([text(line) for line in learned])
        self.fit_s = time.process_time() - started
        started = time.process_time()
        self.scored = pipeline.transform([text(line) for line in scored])
        self.score_s = time.process_time() - started


def isolation(learned: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Score by how early an event is isolated."""
    return np.asarray(-IsolationForest(n_estimators=200, random_state=0).fit(learned).score_samples(scored))


def components(learned: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Score by the distance along each principal component, in its own spread."""
    found = PCA(random_state=0).fit(learned)
    return np.asarray(np.square(found.transform(scored) / np.sqrt(found.explained_variance_ + 1e-12)).sum(axis=1))


def neighbours(learned: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Score by the mean distance to the nearest of a sample."""
    sample = np.random.default_rng(0).choice(len(learned), min(REFERENCES, len(learned)), replace=False)
    return np.asarray(NearestNeighbors(n_neighbors=NEIGHBOURS).fit(learned[sample]).kneighbors(scored)[0].mean(axis=1))


def histogram(learned: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Score by how thin the histogram of each direction is where the event lies."""
    total = np.zeros(len(scored))
    for column, values in zip(learned.T, scored.T, strict=True):
        counts, edges = np.histogram(column, bins=10)
        inside = np.searchsorted(edges, values, side="right") - 1
        count = np.where((inside >= 0) & (inside < len(counts)), counts[inside.clip(0, len(counts) - 1)], 0)
        total -= np.log((count + 0.5) / (len(column) + 1))
    return total


def tails(learned: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Score by the smaller empirical tail of each direction."""
    total = np.zeros(len(scored))
    for column, values in zip(np.sort(learned, axis=0).T, scored.T, strict=True):
        below = np.searchsorted(column, values, side="right")
        above = len(column) - np.searchsorted(column, values, side="left")
        total -= np.log((np.minimum(below, above) + 1) / (len(column) + 1))
    return total


class CalibratedMaximum:
    """The largest of three calibrated scores: value rarity, nearest neighbours, and what the n-grams leave over."""

    def fit(self, lines: Lines) -> "CalibratedMaximum":
        order = np.random.default_rng(1).permutation(len(lines)).tolist()
        cut = int(len(lines) * FITTING_SHARE)
        fitting, calibrating = ([lines[i] for i in part] for part in (order[:cut], order[cut:]))
        self.rarity, self.ngrams = ValueRarity().fit(fitting), weighted_ngrams()
        matrix = self.ngrams.fit_transform([text(line) for line in fitting])
        self.directions = TruncatedSVD(DIRECTIONS, random_state=0).fit(matrix)
        sample = np.random.default_rng(0).choice(len(fitting), min(REFERENCES, len(fitting)), replace=False)
        self.nearest = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(self.directions.transform(matrix)[sample])
        self.calibration = np.sort(self._parts(calibrating), axis=1)
        return self

    def _parts(self, lines: Lines) -> np.ndarray:
        """Return the three scores, shape ``(3, n)``."""
        matrix = self.ngrams.transform([text(line) for line in lines])
        along = self.directions.transform(matrix)
        lengths = np.maximum(1e-9, np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        left_over = 1.0 - np.square(along).sum(axis=1) / lengths
        return np.array([self.rarity.score(lines), self.nearest.kneighbors(along)[0].mean(axis=1), left_over])

    def score(self, lines: Lines) -> np.ndarray:
        found = []
        for known, values in zip(self.calibration, self._parts(lines), strict=True):
            tail = (1 + len(known) - np.searchsorted(known, values)) / (len(known) + 1)
            middle, high = np.quantile(known, [0.5, 0.99])
            found.append(-np.log(tail) + np.maximum(0.0, (values - known[-1]) / max(high - middle, 1e-9)))
        return np.asarray(np.max(found, axis=0))


def installed_judges() -> dict[str, Judge]:
    """Return PyOD's detectors, where it is installed."""
    if importlib.util.find_spec("pyod") is None:
        return {}

    def judge(make: Callable[[], Any], limit: int = 0) -> Judge:
        return lambda learned, scored: make().fit(learned[: limit or len(learned)]).decision_function(scored)

    return {
        "PyOD ECOD": judge(optional("pyod.models.ecod").ECOD),
        "PyOD HBOS": judge(optional("pyod.models.hbos").HBOS),
        "PyOD PCA": judge(optional("pyod.models.pca").PCA),
        "PyOD kNN": judge(lambda: optional("pyod.models.knn").KNN(n_neighbors=NEIGHBOURS), REFERENCES),
    }


def optional(name: str) -> Any:
    """Return a module that the project does not require."""
    return importlib.import_module(name)


def missing() -> list[str]:
    """Return what is not installed, so that no table leaves it out in silence."""
    return [name for name in ("drain3", "pyod") if importlib.util.find_spec(name) is None]


def run(learned: Lines, scored: Lines) -> list[Timed]:
    """Return every reference that can run here."""
    alone: dict[str, Any] = {"field-value rarity": ValueRarity()}
    if "drain3" not in missing():
        alone["Drain3 template rarity"] = TemplateRarity()
    alone["calibrated maximum of three"] = CalibratedMaximum()
    found = [_time(name, reference, learned, scored) for name, reference in alone.items()]
    ngrams = NGrams(learned, scored)
    judges: dict[str, Judge] = {
        "IsolationForest on n-grams": isolation, "PCA on n-grams": components, "kNN on n-grams": neighbours,
        "histogram on n-grams": histogram, "empirical tails on n-grams": tails, **installed_judges(),
    }  # fmt: skip
    for name, judge in judges.items():
        started = time.process_time()
        scores = judge(ngrams.learned, ngrams.scored)
        # Learning is not timed apart from scoring here; both are small beside the n-grams.
        found.append(Timed(name, ngrams.fit_s, ngrams.score_s + time.process_time() - started, scores))
    return found


def _time(name: str, reference: Any, learned: Lines, scored: Lines) -> Timed:
    started = time.process_time()
    reference.fit(learned)
    fitted = time.process_time()
    scores = reference.score(scored)
    return Timed(name, fitted - started, time.process_time() - fitted, scores)

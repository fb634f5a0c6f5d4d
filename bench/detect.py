"""How fast is detection on one core? ``bench/detect.py [--json] [--quick]``

Makes its own events (about 400 bytes, seven kinds of users and hosts, a fifth of them with text never seen
before), then measures in one process: scoring in batches of 1,000, one event alone, explaining, fitting, and
beside them scikit-learn's IsolationForest on character n-grams of the same events. Ratios come first. Every
figure is the median of several runs. Parsing is measured apart, by ``bench/parse.py``.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from triage.contracts import ParsedEvent
from triage.detectors.baseline_forest import BaselineForest
from triage.registry import artefact

BATCH = 1_000
PATHS = ("/", "/index.html", "/api/orders", "/api/users", "/login", "/static/app.js", "/search")
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


def make_events(n: int, seed: int) -> list[ParsedEvent]:
    """Return ``n`` synthetic web requests; every fifth carries a search text of its own."""
    rng = random.Random(seed)
    events = []
    for i in range(n):
        user = f"user{min(int(rng.expovariate(0.05)), 300)}"
        fields = {
            "event.dataset": "shop.access", "event.action": "request", "host.name": f"web-{rng.randrange(8)}",
            "user.name": user, "source.ip": f"10.1.{rng.randrange(20)}.{rng.randrange(250)}",
            "http.request.method": rng.choice(("GET", "GET", "GET", "POST")), "url.path": rng.choice(PATHS),
            "http.response.status_code": rng.choice((200, 200, 200, 304, 404)), "user_agent.original": AGENT,
            "http.response.body.bytes": int(rng.lognormvariate(8, 1)), "event.id": f"{rng.getrandbits(128):032x}",
        }  # fmt: skip
        if i % 5 == 0:
            words = " ".join("".join(rng.choices("abcdefghij", k=rng.randrange(3, 9))) for _ in range(3))
            fields["url.query"] = f"q={words}&page={rng.randrange(9)}"
        events.append(ParsedEvent(1.7e9 + i, "event", "web_access", "", fields))
    return events


def median_seconds(work: Callable[[], object], runs: int) -> float:
    """Return the median processor time of several runs."""
    taken = []
    for _ in range(runs):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def score_rate(detector: BaselineForest, parts: list[list[ParsedEvent]]) -> float:
    """Return events per second over runs that each see events of their own, so that caches do not help twice."""
    rates = []
    for part in parts:
        batches = [part[i : i + BATCH] for i in range(0, len(part), BATCH)]
        started = time.process_time()
        for batch in batches:
            detector.score(batch)
        rates.append(len(part) / (time.process_time() - started))
    return statistics.median(rates)


def reference(train: list[ParsedEvent], test: list[ParsedEvent]) -> tuple[float, float]:
    """Return seconds to fit and events per second to score of IsolationForest on n-gram SVD."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.ensemble import IsolationForest
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import make_pipeline

    texts = [[" ".join(f"{k}={v}" for k, v in event.fields.items()) for event in part] for part in (train, test)]
    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=2**16, alternate_sign=False)
    pipeline = make_pipeline(
        hashing, TfidfTransformer(), TruncatedSVD(32, random_state=0), IsolationForest(n_estimators=200, random_state=0)
    )
    fit_s = median_seconds(lambda: pipeline.fit(texts[0]), 1)
    return fit_s, len(test) / median_seconds(lambda: pipeline.score_samples(texts[1]), 3)


def measure(*, quick: bool) -> dict[str, object]:
    """Return every figure."""
    n_fit = 20_000 if quick else 1_000_000
    detector = BaselineForest()
    train = make_events(n_fit, 0)
    fit_s = median_seconds(lambda: detector.fit(train, alert_budget=0.01, random_state=0), 1)
    n_score = 5_000 if quick else 20_000
    rate = score_rate(detector, [make_events(n_score, seed) for seed in range(1, 6)])
    later = make_events(2_000, 9)
    each = []
    for event in later[:500]:
        started = time.perf_counter()
        detector.score([event])
        each.append(time.perf_counter() - started)
    explain_s = median_seconds(lambda: detector.explain(later[:1_000]), 3)
    small = train[:5_000]
    reference_fit_s, reference_rate = reference(small, later)
    own_fit_s = median_seconds(lambda: BaselineForest().fit(small, alert_budget=0.01, random_state=0), 3)
    with tempfile.TemporaryDirectory() as folder:
        sha256 = artefact.save(Path(folder), "v1", detector.state(), {})
        size = (Path(folder) / "v1" / artefact.PIPELINE).stat().st_size
        load_s = median_seconds(lambda: BaselineForest.from_state(artefact.load(Path(folder), "v1", sha256)), 3)
    return {
        "ratio_score_to_ngram_forest": round(rate / reference_rate, 1),
        "ratio_fit_to_ngram_forest": round(reference_fit_s / own_fit_s, 1),
        "events_per_s_per_core": round(rate),
        "single_event_ms": round(1_000 * statistics.median(each), 3),
        "explain_ms": round(explain_s, 3),
        "fit_1m_s": round(fit_s * 1_000_000 / n_fit, 1),
        "fit_events": n_fit,
        "fit_is_extrapolated": n_fit < 1_000_000,
        "artefact_mib": round(size / 2**20, 2),
        "load_s": round(load_s, 3),
        "event_bytes": round(statistics.mean(len(orjson.dumps(event.fields)) for event in later)),
        "reference_events_per_s": round(reference_rate),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="fit on 20,000 events and extrapolate; under a minute")
    options = parser.parse_args()
    found = measure(quick=options.quick)
    for name, value in found.items():
        print(f"{name:30s} {value}")
    if options.json:
        print(orjson.dumps(found).decode())


if __name__ == "__main__":
    main()

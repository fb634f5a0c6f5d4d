"""How fast is detection on one core? ``python bench/detect.py [--json] [--quick]``

Makes its own raw JSON lines (about 400 bytes, web requests of some hundred users, a fifth of them with text never seen
before) and measures processor time, never the clock: from the raw line to the score in batches of 1,000, one event
alone, explaining; and in the same run, on the same lines, the references of ``bench/peers.py``, learning included.
Learning is measured in a process of its own per size (10,000 to 1,000,000 events), which also says how much memory the
events take, the peak while learning, the artefact's size, its loading time, and what an event costs to score once that
much has been learned. ``--quick`` learns 20,000 and 40,000 events, extrapolates, and ends within a minute.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import datetime as dt
import gc
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import peers
from triage import parsers
from triage.contracts import ParsedEvent, Record
from triage.detectors.baseline_forest import BaselineForest
from triage.registry import artefact, sealed

BATCH, RUNS, CHUNK = 1_000, 5, 10_000
NOW = 1_795_300_000.0
MIB = 2**20
PATHS = ("/", "/index.html", "/api/orders", "/api/users", "/login", "/static/app.js", "/search")
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
Found = dict[str, Any]


def raw_lines(n: int, seed: int) -> list[bytes]:
    """Return ``n`` web requests as JSON lines, a second apart; every fifth carries a search text of its own."""
    rng = random.Random(seed)
    return [orjson.dumps(_document(rng, i, NOW - n + i)) for i in range(n)]


def _document(rng: random.Random, number: int, when: float) -> dict[str, Any]:
    fields = {
        "@timestamp": dt.datetime.fromtimestamp(when, dt.UTC).isoformat(),
        "event.dataset": "shop.access", "event.action": "request", "host.name": f"web-{rng.randrange(8)}",
        "user.name": f"user{min(int(rng.expovariate(0.05)), 300)}",
        "source.ip": f"10.1.{rng.randrange(20)}.{rng.randrange(250)}",
        "http.request.method": rng.choice(("GET", "GET", "GET", "POST")), "url.path": rng.choice(PATHS),
        "http.response.status_code": rng.choice((200, 200, 200, 304, 404)), "user_agent.original": AGENT,
        "http.response.body.bytes": int(rng.lognormvariate(8, 1)), "event.id": f"{rng.getrandbits(128):032x}",
    }  # fmt: skip
    if number % 5 == 0:
        words = " ".join("".join(rng.choices("abcdefghij", k=rng.randrange(3, 9))) for _ in range(3))
        fields["url.query"] = f"q={words}&page={rng.randrange(9)}"
    return fields


def parse(lines: list[bytes]) -> list[ParsedEvent]:
    """Return the events of lines, through the pipeline's door."""
    memory: dict[str, str] = {}
    batches = (lines[i : i + BATCH] for i in range(0, len(lines), BATCH))
    records = ([Record(orjson.loads(line)) for line in batch] for batch in batches)
    return [event for batch in records for event in parsers.parse(batch, NOW, memory=memory)]


def fitted(events: list[ParsedEvent]) -> BaselineForest:
    """Return a detector that has learned events."""
    return BaselineForest().fit(events, alert_budget=0.01, random_state=0)


def settle() -> None:
    """Take what stays out of the collector's walks, as a worker does once its model is loaded."""
    gc.collect()
    gc.freeze()


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def median_seconds(work: Callable[[], object], runs: int) -> float:
    """Return the median processor time of several runs."""
    return statistics.median(seconds(work) for _ in range(runs))


def per_event(detector: BaselineForest, n: int) -> tuple[float, float]:
    """Return microseconds per event to parse and to score, batch by batch, as medians over lines never seen before."""
    settle()
    found = []
    for seed in range(1, RUNS + 1):
        lines = raw_lines(n, seed)
        parsing = scoring = 0.0
        for start in range(0, n, BATCH):
            started = time.process_time()
            events = parse(lines[start : start + BATCH])
            parsed = time.process_time()
            detector.score(events)
            parsing, scoring = parsing + parsed - started, scoring + time.process_time() - parsed
        found.append((1e6 * parsing / n, 1e6 * scoring / n))
    return statistics.median(one for one, _ in found), statistics.median(one for _, one in found)


def score(detector: BaselineForest, lines: list[bytes]) -> None:
    """Score lines in batches."""
    for start in range(0, len(lines), BATCH):
        detector.score(parse(lines[start : start + BATCH]))


def alone_ms(detector: BaselineForest, lines: list[bytes]) -> tuple[float, float]:
    """Return milliseconds for one line alone, parsed and scored: the median, and the 99th percentile."""
    taken = []
    for line in lines:
        started = time.process_time()
        detector.score(parse([line]))
        taken.append(1_000 * (time.process_time() - started))
    taken.sort()
    return statistics.median(taken), taken[int(0.99 * (len(taken) - 1))]


def memory_mib(field: str) -> float:
    """Return a line of this process's ``/proc`` status: ``VmRSS`` (now) or ``VmHWM`` (the peak)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no {field} in /proc/self/status: memory is measured on Linux")


def learn(n: int, n_score: int) -> Found:
    """Return what learning ``n`` events takes, and scoring afterwards."""
    before = memory_mib("VmRSS")
    events: list[ParsedEvent] = []
    for start in range(0, n, CHUNK):
        events += parse(raw_lines(min(CHUNK, n - start), 1_000 + start))
    held = memory_mib("VmRSS")
    started = time.process_time()
    detector = fitted(events)
    fit_s = time.process_time() - started
    peak = memory_mib("VmHWM")
    del events
    with tempfile.TemporaryDirectory() as folder:
        sha256 = artefact.save(Path(folder), "v1", detector.state(), {})
        size = (Path(folder) / "v1" / sealed.PIPELINE).stat().st_size
        load_s = median_seconds(lambda: BaselineForest.from_state(artefact.load(Path(folder), "v1", sha256)), 3)
    parse_us, score_us = per_event(detector, n_score)
    return {
        "events": n, "fit_s": round(fit_s, 1), "fit_us_per_event": round(1e6 * fit_s / n, 1),
        "events_mib": round(held - before), "peak_mib": round(peak), "learning_mib": round(peak - held),
        "artefact_mib": round(size / MIB, 2), "load_s": round(load_s, 3),
        "parse_us": round(parse_us, 1), "score_us": round(score_us, 1),
    }  # fmt: skip


def learn_apart(n: int, n_score: int) -> Found:
    """Learn in a process of its own: a peak of memory belongs to one size alone."""
    command = [sys.executable, __file__, "--learn", str(n), str(n_score)]
    found: Found = orjson.loads(subprocess.run(command, check=True, capture_output=True).stdout.splitlines()[-1])
    return found


def fit_of_a_million(learned: list[Found]) -> float:
    """Return the seconds for a million events: measured, or what the last two sizes say about each further event.

    A part of learning is the same for any history (the decompositions use a sample), so a share of the whole would
    say too much.
    """
    *_, before, last = [{"fit_s": 0.0, "events": 0}, *learned]
    each = max(0.0, last["fit_s"] - before["fit_s"]) / (last["events"] - before["events"])
    return float(last["fit_s"] + each * (1_000_000 - last["events"]))


def compare(n_learned: int, n_scored: int) -> list[Found]:
    """Return our own time and each reference's on the same lines; ``times`` is how much longer it takes than we do."""
    learned, scored = raw_lines(n_learned, 77), raw_lines(n_scored, 78)
    settle()
    made: list[BaselineForest] = []
    fit_s = seconds(lambda: made.append(fitted(parse(learned))))
    score_s = seconds(lambda: score(made[0], scored))
    rows = [("Winnow", fit_s, score_s)] + [(one.name, one.fit_s, one.score_s) for one in peers.run(learned, scored)]
    return [
        {
            "name": name,
            "fit_s": round(fit, 2),
            "events_per_s": round(n_scored / scoring),
            "with_fit_events_per_s": round(n_scored / (fit + scoring)),
            "times_scoring": round(scoring / score_s, 2),
            "times_with_fit": round((fit + scoring) / (fit_s + score_s), 2),
        }
        for name, fit, scoring in rows
    ]


def measure(*, sizes: tuple[int, ...], n_score: int, n_compare: int) -> Found:
    """Return every figure; the last size is the one that is learned for the goal of a million events."""
    compared = compare(n_compare, n_compare)
    learned = [learn_apart(n, n_score) for n in sizes]
    detector = fitted(parse(raw_lines(min(20_000, sizes[-1]), 0)))
    lines = raw_lines(1_000, 9)
    median, slow = alone_ms(detector, lines[:500])
    parse_us, score_us = per_event(detector, n_score)
    events = parse(lines)
    explain_ms = median_seconds(lambda: detector.explain(events), 3)
    largest = learned[-1]
    return {
        "events_per_s_per_core": round(1e6 / (parse_us + score_us)),
        "score_events_per_s": round(1e6 / score_us),
        "parse_us": round(parse_us, 1),
        "score_us": round(score_us, 1),
        "single_event_ms": round(median, 3),
        "single_event_p99_ms": round(slow, 3),
        "explain_ms": round(explain_ms, 3),
        "fit_1m_s": round(fit_of_a_million(learned), 1),
        "fit_events": largest["events"],
        "fit_is_extrapolated": largest["events"] < 1_000_000,
        "artefact_mib": largest["artefact_mib"],
        "load_s": largest["load_s"],
        "event_bytes": round(statistics.mean(map(len, lines))),
        "learned": learned,
        "compared": compared,
        "not_installed": peers.missing(),
    }


def show(found: Found) -> None:
    """Print the figures for people, ratios first."""
    heads = ("learn s", "score/s", "x score", "with fit/s", "x all")
    print(f"{'same lines, one core':30s} {heads[0]:>8s} {heads[1]:>9s} {heads[2]:>8s} {heads[3]:>11s} {heads[4]:>7s}")
    for row in found["compared"]:
        print(
            f"{row['name']:30s} {row['fit_s']:8.2f} {row['events_per_s']:9,} {row['times_scoring']:8.2f}"
            f" {row['with_fit_events_per_s']:11,} {row['times_with_fit']:7.2f}"
        )
    print("x: how many times as long as Winnow; all from the raw JSON line, Winnow's parsing included")
    for name in found["not_installed"]:
        print(f"NOT INSTALLED, so not compared: {name}")
    print()
    for row in found["learned"]:
        print("  ".join(f"{name} {value:,}" for name, value in row.items()))
    print()
    for name, value in found.items():
        if name not in ("compared", "learned", "not_installed"):
            print(f"{name:30s} {value}")


def main() -> None:
    """Measure and print."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--json", action="store_true", help="end with one JSON object")
    command.add_argument("--quick", action="store_true", help="learn at most 40,000 events; under a minute")
    command.add_argument("--learn", nargs=2, type=int, metavar=("N", "SCORED"), help="only learn N events, as JSON")
    asked = command.parse_args()
    if asked.learn:
        print(orjson.dumps(learn(*asked.learn)).decode())
        return
    sizes = (20_000, 40_000) if asked.quick else (10_000, 100_000, 200_000, 1_000_000)
    found = measure(sizes=sizes, n_score=3_000 if asked.quick else 20_000, n_compare=2_000 if asked.quick else 20_000)
    show(found)
    if asked.json:
        print(orjson.dumps(found).decode())


if __name__ == "__main__":
    main()

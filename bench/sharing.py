"""How many questions does sharing explanations save on a day of alerts, and how often would the suggestion be another?

    python bench/sharing.py [DIR ...] [--budget R] [--shifts N] [--limit N] [--seed N]

Without a DIR two days are measured: that of the invented company of ``bench/company`` (two days learned, the third
scored, with every intrusion in it) and that of the logins of ``bench/streams.py`` (with two password sprays). A DIR is
a labelled set (see ``bench/quality.py``). What the detector flags goes through Winnow's own grouping and evidence in a
database of its own. The day has shifts; at the end of each all alerts are closed, so that what comes again is a new
alert. ``budget`` is the share of events that is flagged.

An alert is asked about when it has no key, when it is the first of its key, or when the shared answer does not fit it.
The answers are those of a stand-in: its claims repeat the evidence, and its suggestion is a sum over the whole question
as a model would get it: every word has a weight of its own, every number counts by its logarithm and the word before
it, and so does the hour of every time. Divided by its spread over random words it falls into one of five equal parts of
the normal distribution. ``changed`` is how often an alert that took an answer over would have got another suggestion,
with its Wilson interval; ``by template`` is the same when all alerts of one template share, for comparison, and
``suggested`` how often each is suggested: a stand-in that always says the same could not change. ``without`` says how
many keys there were without parts of the key.
"""

import argparse
import datetime as dt
import hashlib
import json
import math
import os
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
DATA = tempfile.TemporaryDirectory(prefix="winnow-sharing-")
os.environ["WINNOW_DATA_DIR"] = DATA.name
os.environ["DJANGO_SETTINGS_MODULE"] = "triage.settings"
os.environ.pop("DATABASE_URL", None)

import django  # noqa: E402 - settings read the environment prepared above

django.setup()

from django.core.management import call_command  # noqa: E402 - as above

from alerts import grouping as kinds  # noqa: E402 - as above
from alerts.models import Alert  # noqa: E402 - as above
from alerts.services import evidence, grouping  # noqa: E402 - as above
from bench import quality, streams  # noqa: E402 - as above
from bench.company.stories import tell  # noqa: E402 - as above
from bench.company.stream import Stream  # noqa: E402 - as above
from bench.rank import flagged_event  # noqa: E402 - as above
from triage import detectors, documents, ecs, parsers, partitions, store  # noqa: E402 - as above
from triage.contracts import Envelope, ExplanationAnswer, ExplanationRequest, ParsedEvent, Reason, Record  # noqa: E402
from triage.explainers import clusters, grounding, prompting  # noqa: E402 - as above
from triage.explainers.evidence import EvidenceExplainer  # noqa: E402 - as above
from triage.explainers.pseudonyms import Pseudonyms  # noqa: E402 - as above
from triage.features.windows import Windows  # noqa: E402 - as above
from triage.learning.statistics import wilson  # noqa: E402 - as above
from triage.models import Event, Source, event_id  # noqa: E402 - as above

NOW = 1_780_000_000.0
RECORDS, DAYS = 8_000, 3
SUGGESTIONS = ("fp_logic", "benign_tp", "undetermined", "tp_no_impact", "tp_impact")
#: Quintiles of the normal distribution.
EDGES = (-0.8416, -0.2533, 0.2533, 0.8416)
_HOUR = re.compile(r"[T ](\d\d):\d\d:\d\d")
#: What a model takes for a name of something and weighs no further: times, addresses, anything with letters and digits.
_UNIQUE = re.compile(r"[\w.:-]*\d[\w:-]*[A-Za-z:][\w.:-]*|[A-Za-z][\w:-]*\d[\w.:-]*|\d+\.\d+\.\d+\.\d+|\d+-\d+-\d+")
_WORD = re.compile(r"[A-Za-z]{2,}|\d+")
Day = tuple[list[ParsedEvent], np.ndarray, np.ndarray, np.ndarray, list[tuple[Reason, ...]]]


def company_day(seed: int) -> tuple[list[ParsedEvent], list[ParsedEvent]]:
    """Return the events of two ordinary days, and those of a third one with intrusions."""
    stream = Stream(seed)
    messages = stream.history(now=NOW, count=RECORDS * DAYS)
    learned = RECORDS * (DAYS - 1)
    start = messages[learned].time
    stories = tell(stream.company, seed, start=start, seconds=NOW - start)
    later = messages[learned:] + [message for story in stories for message in story.messages]
    later.sort(key=lambda message: message.time)
    events = []
    for part in (messages[:learned], later):
        records = [Record(message.content, Envelope(time=message.time, host=message.host)) for message in part]
        memory: dict[str, str] = {}
        batches = (records[i : i + quality.BATCH] for i in range(0, len(records), quality.BATCH))
        events.append([event for batch in batches for event in parsers.parse(batch, NOW, memory=memory)])
    return events[0], events[1]


def logins_day(seed: int) -> tuple[list[ParsedEvent], list[ParsedEvent]]:
    """Return two days of logins, and a third with password sprays and brute force (``bench/streams.py``)."""
    raw, later = streams.logins(random.Random(seed))
    raw.sort(key=lambda row: row[0])
    memory: dict[str, str] = {}
    records = [Record(content) for _, content, _ in raw]
    batches = (records[i : i + quality.BATCH] for i in range(0, len(records), quality.BATCH))
    events = [event for batch in batches for event in parsers.parse(batch, NOW, memory=memory)]
    learned = sum(at < later for at, *_ in raw)
    return events[:learned], events[learned:]


def scored(history: list[ParsedEvent], later: list[ParsedEvent], budget: float) -> Day:
    """Return the later events with scores, p-values, what is flagged, and the reasons of that."""
    stream = Windows()
    around, around_later = stream.observe(history), stream.observe(later)
    detector = detectors.get(detectors.DEFAULT)().fit(history, alert_budget=budget, random_state=0, windows=around)
    slices = [slice(i, i + quality.BATCH) for i in range(0, len(later), quality.BATCH)]
    parts = [detector.score(later[part], around_later[part]) for part in slices]
    scores, p_values = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    flagged = np.flatnonzero(detector.flag(scores, p_values))
    reasons = detector.explain([later[place] for place in flagged], around_later[flagged])
    return later, scores, p_values, flagged, reasons


def alerts_of(day: Day, source: Source, shifts: int) -> Iterator[Alert]:
    """Yield the alerts that Winnow makes of a day's flagged events, shift by shift."""
    later, scores, p_values, flagged, reasons = day
    for number in range(shifts):
        first, last = (len(later) * n // shifts for n in (number, number + 1))
        mine = [n for n, place in enumerate(flagged) if first <= place < last]
        for start in range(0, len(mine), 1_000):
            chosen = mine[start : start + 1_000]
            _insert(source, [(later[flagged[n]], scores[flagged[n]], p_values[flagged[n]], reasons[n]) for n in chosen])
        while grouping.group_flagged():
            pass
        found = list(Alert.objects.filter(status="open").order_by("id"))
        yield from found
        Alert.objects.filter(pk__in=[alert.pk for alert in found]).update(status="closed")


_BATCHES = iter(range(1, 1 << 40))


def _insert(source: Source, rows: list[tuple[ParsedEvent, float, float, tuple[Reason, ...]]]) -> None:
    """Store flagged events with their documents."""
    batch = next(_BATCHES)
    received = store.timestamp_texts([NOW])[0]
    partitions.ensure([received[:10]])
    documents.insert(list(documents.chunk_rows(batch, received, [event for event, *_ in rows])))
    Event.objects.bulk_create(
        [
            Event(
                id=event_id(batch, place),
                source=source,
                received_at=dt.datetime.fromtimestamp(NOW, dt.UTC),
                timestamp=dt.datetime.fromtimestamp(event.timestamp, dt.UTC),
                timestamp_origin=event.timestamp_origin,
                parser=event.parser,
                entity=ecs.entity(event.fields),
                message=event.message[:200],
                score=float(score),
                p_value=float(p_value),
                flagged=True,
                reasons=json.dumps([asdict(reason) for reason in told]),
                **dict(zip(ecs.COLUMNS.values(), ecs.columns(event.fields), strict=True)),
            )
            for place, (event, score, p_value, told) in enumerate(rows)
        ],
        batch_size=500,
    )


def opinion(request: ExplanationRequest) -> float:
    """Return how bad an alert looks to the stand-in; the same question always gets the same answer."""
    texts = [line.text for line in request.evidence]
    names = Pseudonyms(request.identifiers, texts)
    question = prompting.messages(request, nonce="", hide=names.hide)[1]["content"]
    total, before = 0.0, ""
    for hour in _HOUR.findall(question):
        total += _weight("hour") * math.cos(int(hour) * math.pi / 12) / 10
    seen = set()
    for match in _WORD.finditer(_UNIQUE.sub(" ", question)):
        word = match.group().lower()
        if word.isdigit():
            total += _weight(before) * math.log10(1 + int(word[:15])) / 3
        elif word not in seen:
            total += _weight(word)
            seen.add(word)
        before = word
    # The variance of a weight is a third.
    return total / max(math.sqrt(len(seen) / 3), 1.0)


def _weight(word: str) -> float:
    """Return the weight of a word, from -1 to 1."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") / 2**31 - 1.0


def suggestion(request: ExplanationRequest) -> str:
    """Return what the stand-in suggests."""
    return SUGGESTIONS[sum(opinion(request) > edge for edge in EDGES)]


def answer_of(request: ExplanationRequest) -> ExplanationAnswer:
    """Return the stand-in's claims: they repeat the evidence."""
    return grounding.apply(request, EvidenceExplainer().explain(request))


Explained = list[tuple[Alert, ExplanationRequest, str]]


def play(alerts: Explained, policy: str) -> dict[str, Any]:
    """Explain every alert in order, sharing what may be shared."""
    shared: dict[str, tuple[dict[str, Any], str]] = {}
    asked = {"no key": 0, "first of its key": 0, "not handed on": 0, "does not fit": 0}
    inherited = changed = 0
    for alert, request, mine in alerts:
        key = clusters.cluster_key(
            request, kind=alert.kind, events=alert.event_count, model="m", policy=policy, prompt_sha256="p",
            suspected=alert.injection_suspected,
        )  # fmt: skip
        if not key or key not in shared:
            held = clusters.slotted(request, answer_of(request)) if key else {}
            asked["no key" if not key else "first of its key" if held else "not handed on"] += 1
            if held:
                shared[key] = held, mine
            continue
        filled = clusters.fill(shared[key][0], request)
        if filled is None or grounding.check(request, filled).struck:
            asked["does not fit"] += 1
            continue
        inherited += 1
        changed += shared[key][1] != mine
    calls = sum(asked.values())
    return {"alerts": len(alerts), "calls": calls, "ratio": round(len(alerts) / max(calls, 1), 2), "asked": asked,
            "inherited": inherited, "changed": rate(changed, inherited)}  # fmt: skip


def rate(successes: int, n: int) -> dict[str, float] | None:
    """Return a share with its n and interval, None of nothing."""
    return {name: round(value, 4) for name, value in asdict(wilson(successes, n)).items()} if n else None


def by_template(alerts: Explained) -> dict[str, Any]:
    """Return the calls and the changed suggestions when all alerts of a template share."""
    first: dict[str, str] = {}
    changed = inherited = 0
    for alert, _, mine in alerts:
        kind = alert.kind["template"]
        if kind in first:
            inherited += 1
            changed += first[kind] != mine
        first.setdefault(kind, mine)
    return {"calls": len(first), "changed": rate(changed, inherited)}


def without(alerts: Explained) -> dict[str, int]:
    """Return how many keys there are, and how many without each part: what stands in the way of fewer questions."""
    parts = [
        clusters.key_parts(request, kind=alert.kind, events=alert.event_count, roles=False)
        for alert, request, _ in alerts
    ]
    for part in parts:
        lines = part.pop("lines")
        for origin in ("score", "context", "receipt"):
            part[f"{origin} lines"] = [row for row in lines if row[0].startswith(f"{origin}:")]
        part["message"] = [row for row in lines if row[0] == "message"]
        told = ("score:", "context:", "receipt:", "message")
        part["fields"] = [row for row in lines if not row[0].startswith(told)]
    found = {"nothing left out": _distinct(parts, ())}
    groups: list[tuple[str, ...]] = [(name,) for name in parts[0]] if parts else []
    around = ("context lines", "receipt lines", "events")
    groups += [around, ("reasons", "score lines"), ("reasons", "score lines", *around, "severity")]
    return found | {" + ".join(group): _distinct(parts, group) for group in groups}


def _distinct(parts: list[dict[str, Any]], left_out: tuple[str, ...]) -> int:
    return len({json.dumps({name: part[name] for name in part if name not in left_out}) for part in parts})


def measure(name: str, day: Day, shifts: int) -> dict[str, Any]:
    """Return the figures of one day."""
    source = Source.objects.create(name=name, token_hash=name.ljust(64, "0"))
    found_alerts = [(alert, evidence.build_request(alert)) for alert in alerts_of(day, source, shifts)]
    told = [suggestion(request) for _, request in found_alerts]
    alerts = [(*pair, mine) for pair, mine in zip(found_alerts, told, strict=True)]
    fingerprints = {kinds.fingerprint(flagged_event(day[0][place], 0.0)) for place in day[3]}
    found = {"set": name, "events": len(day[0]), "flagged": len(day[3]), "fingerprints": len(fingerprints)}
    found |= {policy: play(alerts, policy) for policy in ("pseudonymise", "raw")}
    found["suggested"] = dict(Counter(told))
    return found | {"by template": by_template(alerts), "without": without(alerts)}


def main() -> int:
    """Measure the company's day, or each labelled set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR")
    parser.add_argument("--budget", type=float, default=0.02)
    parser.add_argument("--shifts", type=int, default=3)
    parser.add_argument("--limit", type=int, default=20_000, help="events of a labelled set that are scored")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    call_command("migrate", verbosity=0)
    days = {folder.name: quality.read(folder, 0.01)[:2] for folder in asked.folders}
    for name, (history, later) in (
        days or {"company": company_day(asked.seed), "logins": logins_day(asked.seed)}
    ).items():
        day = scored(history, later[: asked.limit], asked.budget)
        print(json.dumps(measure(name, day, asked.shifts), indent=1), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

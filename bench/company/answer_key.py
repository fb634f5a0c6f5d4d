"""The answer key: what was hidden in the stream, and how much of it Winnow brought to the queue.

Handed: the stories, and Winnow's read API. Hands on: the key as a JSON file that is never sent anywhere, and
a :class:`Report`. An alert or event belongs to a story only when it holds one of the story's markers.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.company.client import Reader
from bench.company.stories.base import Story, carries

#: Parts of an alert that speak of other events or of the people who review it.
NOT_THE_ALERT = frozenset({"explanation", "history", "verdicts", "timeline", "context", "reasons"})


def write_key(path: Path, *, seed: int, stories: Sequence[Story]) -> None:
    """Write the key, readable by its owner only."""
    document = {"seed": seed, "stories": [_entry(number, story) for number, story in enumerate(stories, start=1)]}
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)


def _entry(number: int, story: Story) -> dict[str, Any]:
    decisive = set(map(id, story.decisive()))
    events = [
        {"time": round(m.time, 3), "host": m.host, "sourcetype": m.sourcetype, "decisive": id(m) in decisive,
         "text": m.text()}
        for m in story.messages
    ]  # fmt: skip
    return {
        "id": f"S{number:02d}", "kind": story.kind, "title": story.title, "technique": story.technique,
        "markers": list(story.markers), "events": events,
    }  # fmt: skip


@dataclass(slots=True)
class Finding:
    """What was found of one story: flagged events by id, with their entity and time, and ids of open alerts."""

    story: Story
    events: dict[int, tuple[str, float]] = field(default_factory=dict)
    alerts: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Report:
    """Every story's finding, and how many of this run's open alerts belong to any story."""

    findings: tuple[Finding, ...]
    open_alerts: int
    matched_alerts: int

    @property
    def surfaced(self) -> list[Finding]:
        """Stories with at least one open alert."""
        return [found for found in self.findings if found.alerts]

    @property
    def missed(self) -> list[Finding]:
        """Stories without one."""
        return [found for found in self.findings if not found.alerts]


def look_up(reader: Reader, stories: Sequence[Story], *, since: float) -> Report:
    """Ask Winnow for flagged events and open alerts, and match them with the stories by markers alone.

    Only what is from ``since`` (epoch seconds) or later counts: an earlier run of the same seed left the same
    addresses and names behind.
    """
    since -= 1  # syslog writes whole seconds
    findings = tuple(Finding(story) for story in stories)
    for event in reader.flagged(since=since):
        for found in _holders(findings, event):
            found.events[event["id"]] = (event.get("entity", ""), _seconds(event["timestamp"]))
    matched, total = 0, 0
    for summary in reader.alerts():
        if _seconds(summary["last_seen_at"]) < since:
            continue
        total += 1
        owners = _owners(findings, reader.alert(summary["id"]))
        matched += bool(owners)
        for found in owners:
            found.alerts.add(summary["id"])
    return Report(findings, open_alerts=total, matched_alerts=matched)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _holders(findings: Sequence[Finding], document: dict[str, Any]) -> list[Finding]:
    """Return the findings one of whose markers is in the document."""
    text = "\n".join(_texts(document, NOT_THE_ALERT))
    return [found for found in findings if carries(text, found.story.markers)]


def _owners(findings: Sequence[Finding], alert: dict[str, Any]) -> list[Finding]:
    """Return the findings an alert belongs to: by a marker, or by a flagged event in it."""
    by_marker = _holders(findings, alert)
    shown = {event["id"] for event in alert["events"]}
    cut_off = alert["event_count"] > len(shown)
    return [
        found
        for found in findings
        if found in by_marker or found.events.keys() & shown or (cut_off and _spans(alert, found))
    ]


def _spans(alert: dict[str, Any], found: Finding) -> bool:
    """Tell whether a flagged event of the story is about the alert's entity and within its time.

    The API shows the highest events of a long alert only, so the others can't be matched by id.
    """
    first, last = _seconds(alert["first_seen_at"]), _seconds(alert["last_seen_at"])
    return any(entity and entity == alert["entity"] and first <= at <= last for entity, at in found.events.values())


def _texts(value: Any, skip: frozenset[str]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in skip:
                yield from _texts(inner, skip)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, skip)


def report_lines(report: Report) -> list[str]:
    """Return the report as short lines for people."""
    n, m = len(report.surfaced), len(report.findings)
    found = [f"{n} of {m} hidden intrusions surfaced in the queue"]
    for finding in report.findings:
        state = f"surfaced, {len(finding.alerts)} alerts" if finding.alerts else "MISSED"
        detail = f"{len(finding.events)} of {len(finding.story.decisive())} telling records flagged"
        found.append(f"  {finding.story.technique:<10} {finding.story.title:<40} {state} ({detail})")
    missed = ", ".join(finding.story.title for finding in report.missed) or "none"
    found.append(f"missed: {missed}")
    found.append(f"{report.matched_alerts} of {report.open_alerts} open alerts of this run belong to one of them")
    return found

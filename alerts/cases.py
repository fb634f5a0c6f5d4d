"""An alert as a case for other programs: plain JSON, TheHive's form, DFIR-IRIS's form.

Handed: a :class:`Case`. Hands on: what their APIs take (``POST /api/v1/alert`` of TheHive 5, ``POST /alerts/add`` of
IRIS 2.4). Values for programs are exact. What those products show as Markdown is written so that it formats nothing and
links to nothing but Winnow, because attackers wrote parts of it (:func:`alerts.exports.webhook_text`).

IRIS numbers its severities and types of things; the numbers here are those of a fresh installation.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerts.exports import webhook_text
from alerts.indicators import DOMAIN, EMAIL, FILENAME, HASHES, IP, MD5, SHA1, SHA256, URL, Indicator

MAX_TITLE = 500
#: TLP and PAP amber, as both products number them: for those who need to know.
AMBER = 2
HIVE_SEVERITY = {"info": 1, "low": 1, "medium": 2, "high": 3, "critical": 4}
HIVE_TYPES = {IP: "ip", DOMAIN: "domain", URL: "url", EMAIL: "mail", FILENAME: "filename"} | dict.fromkeys(
    HASHES, "hash"
)
IRIS_SEVERITY = {"medium": 1, "info": 3, "low": 4, "high": 5, "critical": 6}
IRIS_TYPES = {IP: 79, DOMAIN: 20, URL: 141, EMAIL: 31, FILENAME: 37, MD5: 90, SHA1: 111, SHA256: 113}
IRIS_DESTINATION_IP = 77
IRIS_ACCOUNT, IRIS_LINUX, IRIS_WINDOWS = 1, 3, 9
IRIS_NEW = 2


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict that stands. ``malicious`` is what it says about the events, None = nothing."""

    value: str
    label: str
    note: str
    by: str
    at: dt.datetime
    malicious: bool | None


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One of the strongest events. ``fields`` and ``message`` are gone with the retention period."""

    id: int
    timestamp: dt.datetime
    score: float | None
    p_value: float | None
    message: str | None
    fields: Mapping[str, Any]
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Case:
    """An alert with everything that is handed over. What is unknown is None or empty."""

    id: int
    url: str
    status: str
    title: str
    severity: str
    source: str
    entity: str
    host: str
    user: str
    source_ip: str
    process: str
    score: float | None
    p_value: float | None
    model_version: str
    event_count: int
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime
    created_at: dt.datetime
    exported_at: dt.datetime
    techniques: Sequence[tuple[str, str]] = ()
    injection_suspected: bool = False
    decision: Decision | None = None
    #: Headings with their sentences, who wrote them, and the evidence lines they rest on.
    explanation: Sequence[tuple[str, Sequence[str]]] = ()
    explained_by: str = ""
    evidence: Sequence[str] = ()
    next_checks: Sequence[str] = ()
    events: Sequence[CaseEvent] = ()
    indicators: Sequence[Indicator] = field(default_factory=list)


def plain(case: Case) -> dict[str, Any]:
    """Return the case as JSON that belongs to no product."""
    decision = case.decision
    return {
        "format": "winnow.alert",
        "version": 1,
        "exported_at": iso(case.exported_at),
        "id": case.id,
        "url": case.url or None,
        "status": case.status,
        "severity": case.severity,
        "title": case.title,
        "source": case.source,
        "entity": case.entity or None,
        "host": case.host or None,
        "user": case.user or None,
        "source_ip": case.source_ip or None,
        "process": case.process or None,
        "score": case.score,
        "p_value": case.p_value,
        "model_version": case.model_version or None,
        "event_count": case.event_count,
        "first_seen_at": iso(case.first_seen_at),
        "last_seen_at": iso(case.last_seen_at),
        "created_at": iso(case.created_at),
        "techniques": [{"id": number, "name": name} for number, name in case.techniques],
        "injection_suspected": case.injection_suspected,
        "verdict": None
        if decision is None
        else {"value": decision.value, "note": decision.note, "by": decision.by, "at": iso(decision.at)},
        "explanation": {
            "by": case.explained_by or None,
            "sections": [{"heading": heading, "claims": list(claims)} for heading, claims in case.explanation],
            "evidence": list(case.evidence),
            "next_checks": list(case.next_checks),
        },
        "events": [_event(one) for one in case.events],
        "indicators": [{"kind": one.kind, "value": one.value, "field": one.field} for one in case.indicators],
    }


def _event(one: CaseEvent) -> dict[str, Any]:
    return {
        "id": one.id,
        "timestamp": iso(one.timestamp),
        "score": one.score,
        "p_value": one.p_value,
        "reasons": list(one.reasons),
        "message": one.message,
        "fields": dict(one.fields),
    }


def thehive(case: Case) -> dict[str, Any]:
    """Return TheHive's ``InputAlert``; ``sourceRef`` is the alert's number, so that a second one is recognised."""
    told: dict[str, Any] = {
        "type": "winnow",
        "source": "Winnow",
        "sourceRef": f"winnow-{case.id}",
        "title": webhook_text(case.title)[:MAX_TITLE],
        "description": description(case),
        "severity": HIVE_SEVERITY[case.severity],
        "date": int(case.first_seen_at.timestamp() * 1000),
        "tags": _tags(case),
        "flag": False,
        "tlp": AMBER,
        "pap": AMBER,
        "observables": [
            {"dataType": HIVE_TYPES[one.kind], "data": one.value, "message": one.field, "tags": []}
            for one in case.indicators
        ],
        "procedures": [
            {"patternId": number, "occurDate": int(case.first_seen_at.timestamp() * 1000)}
            for number, _ in case.techniques
        ],
    }
    for value, kind in ((case.host, "hostname"), (case.user, "other")):
        if value:
            told["observables"].append({"dataType": kind, "data": value, "message": "", "tags": []})
    return told | ({"externalLink": case.url} if case.url else {})


def iris(case: Case, *, customer: int = 1) -> dict[str, Any]:
    """Return what IRIS takes as an alert of a customer (1 is its first one)."""
    windows = any("winlog.channel" in one.fields or one.fields.get("host.os.type") == "windows" for one in case.events)
    machine = IRIS_WINDOWS if windows else IRIS_LINUX
    assets = [(case.host, machine), (case.user, IRIS_ACCOUNT)]
    return {
        "alert_title": webhook_text(case.title)[:MAX_TITLE],
        "alert_description": description(case),
        "alert_source": "Winnow",
        "alert_source_ref": f"winnow-{case.id}",
        "alert_source_link": case.url,
        "alert_source_content": plain(case),
        "alert_source_event_time": case.first_seen_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"),
        "alert_severity_id": IRIS_SEVERITY[case.severity],
        "alert_status_id": IRIS_NEW,
        "alert_customer_id": customer,
        "alert_tags": ",".join(_tags(case)),
        "alert_iocs": [
            {
                "ioc_value": one.value,
                "ioc_description": one.field,
                "ioc_tlp_id": AMBER,
                "ioc_type_id": _iris_type(one),
                "ioc_tags": "",
            }
            for one in case.indicators
        ],
        "alert_assets": [
            {
                "asset_name": name,
                "asset_description": "",
                "asset_type_id": kind,
                "asset_ip": "",
                "asset_domain": "",
                "asset_tags": "",
            }
            for name, kind in assets
            if name
        ],
    }


def _iris_type(one: Indicator) -> int:
    towards = one.kind == IP and one.field.startswith(("destination.", "server.", "dns."))
    return IRIS_DESTINATION_IP if towards else IRIS_TYPES[one.kind]


def description(case: Case) -> str:
    """Return the case in words, as Markdown in which nothing but its own headings is formatted."""
    lines = [
        f"Winnow alert {case.id}: {case.event_count} events, {iso(case.first_seen_at)} to {iso(case.last_seen_at)}."
    ]
    if case.url:
        lines.append(case.url)
    if case.injection_suspected:
        lines.append("Text in its events speaks to whoever reads them: suspected injection.")
    if case.decision:
        note = f": {webhook_text(case.decision.note)}" if case.decision.note else ""
        lines.append(f"Verdict: {case.decision.label}, by {webhook_text(case.decision.by)}{note}")
    for heading, claims in case.explanation:
        if claims:
            lines += [f"### {heading}", *(f"- {webhook_text(claim)}" for claim in claims)]
    if case.explained_by:
        lines.append(f"Written by: {webhook_text(case.explained_by)}")
    if case.evidence:
        lines += ["### Evidence", *(f"{n}. {webhook_text(line)}" for n, line in enumerate(case.evidence, start=1))]
    return "\n\n".join(lines)


def _tags(case: Case) -> list[str]:
    tags = ["winnow", f"winnow-severity-{case.severity}", *(number for number, _ in case.techniques)]
    return [*tags, f"winnow-verdict-{case.decision.value}"] if case.decision else tags


def iso(moment: dt.datetime) -> str:
    """Return a time as programs read it, in UTC."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

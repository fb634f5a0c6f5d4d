"""An alert in the forms of other programs: what they ask for is there, and nothing an attacker wrote does anything."""

import datetime as dt
import json
from dataclasses import replace

import pytest

from alerts import cases, stix
from alerts.cases import Case, CaseEvent, Decision
from alerts.indicators import indicators
from tests.alerts.rows import HOSTILE

pytestmark = pytest.mark.once
AT = dt.datetime(2026, 3, 2, 12, 30, tzinfo=dt.UTC)
FIELDS = {
    "source.ip": "8.8.8.8", "destination.ip": "10.0.0.5", "dns.question.name": "evil.example",
    "url.full": "https://evil.example/a'b\\c", "file.hash.sha256": "a" * 64, "file.name": "beacon.exe",
    "email.from.address": "eve@evil.example", "host.os.type": "windows",
}  # fmt: skip
MALICIOUS = Decision("tp_impact", "True positive, with impact", "seen before", "alice", AT, malicious=True)


def case(**fields: object) -> Case:
    """Return a case with everything."""
    told = {
        "id": 12, "url": "https://w.example/alerts/12/", "status": "closed", "title": "eve logged in to db-1",
        "severity": "high", "source": "edge", "entity": "user:eve", "host": "db-1", "user": "eve",
        "source_ip": "8.8.8.8", "process": "", "score": 7.5, "p_value": 0.0005, "model_version": "v3",
        "event_count": 3, "first_seen_at": AT, "last_seen_at": AT + dt.timedelta(minutes=5), "created_at": AT,
        "exported_at": AT + dt.timedelta(hours=1), "techniques": (("T1078", "Valid Accounts"), ("T1110.003", "x")),
        "decision": MALICIOUS, "explanation": (("What happened", ("Eve came in.",)), ("Why it matters", ())),
        "explained_by": "Winnow, from the evidence", "evidence": ("user.name=eve",), "next_checks": ("Ask eve.",),
        "events": (CaseEvent(1, AT, 7.5, 0.0005, "eve logged in", FIELDS, ("rare user",)),),
        "indicators": indicators([FIELDS]),
    }  # fmt: skip
    return Case(**(told | fields))


def test_plain_json_has_every_part_and_unknown_is_null():
    told = json.loads(json.dumps(cases.plain(case(user="", score=None, decision=None))))
    assert (told["format"], told["version"], told["id"], told["severity"]) == ("winnow.alert", 1, 12, "high")
    assert (told["user"], told["score"], told["verdict"], told["process"]) == (None, None, None, None)
    assert told["first_seen_at"] == "2026-03-02T12:30:00.000Z"
    assert told["events"][0]["fields"] == FIELDS
    assert {"kind": "domain", "value": "evil.example", "field": "dns.question.name"} in told["indicators"]
    assert told["explanation"]["evidence"] == ["user.name=eve"]


def test_thehive_gets_an_input_alert():
    told = cases.thehive(case())
    assert {name: told[name] for name in ("type", "source", "sourceRef", "severity", "tlp", "pap", "flag")} == {
        "type": "winnow", "source": "Winnow", "sourceRef": "winnow-12", "severity": 3, "tlp": 2, "pap": 2,
        "flag": False,
    }  # fmt: skip
    assert (told["externalLink"], told["date"]) == ("https://w.example/alerts/12/", 1772454600000)
    assert told["procedures"] == [
        {"patternId": number, "occurDate": 1772454600000} for number in ("T1078", "T1110.003")
    ]
    kinds = {(one["dataType"], one["data"]) for one in told["observables"]}
    assert kinds == {
        ("ip", "8.8.8.8"), ("ip", "10.0.0.5"), ("domain", "evil.example"), ("url", "https://evil.example/a'b\\c"),
        ("hash", "a" * 64), ("filename", "beacon.exe"), ("mail", "eve@evil.example"), ("hostname", "db-1"),
        ("other", "eve"),
    }  # fmt: skip
    assert told["tags"] == ["winnow", "winnow-severity-high", "T1078", "T1110.003", "winnow-verdict-tp_impact"]
    assert "externalLink" not in cases.thehive(case(url=""))


def test_iris_gets_its_own_numbers():
    told = cases.iris(case())
    assert (told["alert_severity_id"], told["alert_status_id"], told["alert_customer_id"]) == (5, 2, 1)
    assert (told["alert_source_ref"], told["alert_source_event_time"]) == ("winnow-12", "2026-03-02T12:30:00.000000")
    kinds = {(one["ioc_value"], one["ioc_type_id"]) for one in told["alert_iocs"]}
    assert kinds == {
        ("8.8.8.8", 79), ("10.0.0.5", 77), ("evil.example", 20), ("https://evil.example/a'b\\c", 141), ("a" * 64, 113),
        ("beacon.exe", 37), ("eve@evil.example", 31),
    }  # fmt: skip
    assert [(one["asset_name"], one["asset_type_id"]) for one in told["alert_assets"]] == [("db-1", 9), ("eve", 1)]
    assert told["alert_source_content"] == cases.plain(case())
    assert cases.iris(case(events=()))["alert_assets"][0]["asset_type_id"] == 3


@pytest.mark.parametrize("severity", ["info", "low", "medium", "high", "critical"])
def test_every_severity_has_a_number_in_both(severity: str):
    assert 1 <= cases.thehive(case(severity=severity))["severity"] <= 4
    assert cases.iris(case(severity=severity))["alert_severity_id"] in {1, 3, 4, 5, 6}


def test_what_an_attacker_wrote_formats_and_links_nothing():
    evil = f"{HOSTILE} [x](https://evil.example) ![y](http://evil.example/z.png) # head\n- item `code` @here"
    whole = case(
        title=evil, explanation=(("What happened", (evil,)),), evidence=(evil,), explained_by=evil,
        decision=replace(MALICIOUS, note=evil, by=evil),
    )  # fmt: skip
    for text in (cases.description(whole), cases.thehive(whole)["title"], cases.iris(whole)["alert_title"]):
        kept = text.replace("https://w.example/alerts/12/", "")
        assert [mark for mark in ("<", ">", "](", "`", "http://", "https://", "@here", "\u202e") if mark in kept] == []
    lines = [line for line in cases.description(whole).splitlines() if line]
    assert [line for line in lines if line.startswith("#")] == ["### What happened", "### Evidence"]


# STIX


def test_a_bundle_holds_the_indicators_that_mean_the_same_elsewhere():
    told = json.loads(stix.bundle(case(), installation="one"))
    by_type: dict[str, list[dict[str, object]]] = {}
    for one in told["objects"]:
        by_type.setdefault(one["type"], []).append(one)
    assert {kind: len(rows) for kind, rows in by_type.items()} == {
        "identity": 1, "marking-definition": 1, "indicator": 5, "attack-pattern": 2, "relationship": 10,
    }  # fmt: skip
    assert {one["pattern"] for one in by_type["indicator"]} == {
        "[ipv4-addr:value = '8.8.8.8']",
        "[domain-name:value = 'evil.example']",
        "[url:value = 'https://evil.example/a\\'b\\\\c']",
        f"[file:hashes.'SHA-256' = '{'a' * 64}']",
        "[email-addr:value = 'eve@evil.example']",
    }
    indicator = by_type["indicator"][0]
    assert (indicator["valid_from"], indicator["created"]) == ("2026-03-02T12:30:00Z", "2026-03-02T12:30:00.000Z")
    assert indicator["object_marking_refs"] == [by_type["marking-definition"][0]["id"]]
    assert {one["external_references"][0]["external_id"] for one in by_type["attack-pattern"]} == {"T1078", "T1110.003"}
    assert {one["relationship_type"] for one in by_type["relationship"]} == {"indicates"}


def test_a_bundle_can_be_read_back_and_its_patterns_are_valid():
    import stix2
    from stix2patterns.validator import run_validator

    text = stix.bundle(case(), installation="one")
    bundle = stix2.parse(text)
    assert [run_validator(one.pattern, "2.1") for one in bundle.objects if one.type == "indicator"] == [[]] * 5


def test_the_same_indicator_has_one_id_per_installation():
    def ids(installation: str, number: int) -> set[str]:
        told = json.loads(stix.bundle(case(id=number), installation=installation))
        return {one["id"] for one in told["objects"] if one["type"] == "indicator"}

    assert ids("one", 1) == ids("one", 2)
    assert not ids("one", 1) & ids("two", 1)
    assert stix.bundle(case(), installation="one") == stix.bundle(case(), installation="one")


@pytest.mark.parametrize("decision", [None, replace(MALICIOUS, malicious=False), replace(MALICIOUS, malicious=None)])
def test_nothing_but_a_malicious_alert_has_indicators(decision: Decision | None):
    with pytest.raises(ValueError, match="found malicious"):
        stix.bundle(case(decision=decision), installation="one")


def test_own_addresses_and_file_names_are_no_indicators():
    inside = indicators([{"source.ip": "10.0.0.1", "file.name": "a.exe", "url.full": "http://192.168.0.1/"}])
    assert stix.told(case(indicators=inside)) == []

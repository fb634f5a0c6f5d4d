"""The parser bench judges as it says: hits, misses, wrong, invented, and truth that stands in no raw record."""

import gzip
import json
from pathlib import Path

import pytest

from bench import parse as bench
from triage.contracts import ParsedEvent

RAW = bench.Raw(
    '{"message":"user \\"Bob\\" from ::FFFF:203.0.113.9 ran C:\\\\x\\\\cmd.exe 6964 saddr=020001BBC6336407"}'
)


def event(**fields: str) -> ParsedEvent:
    return ParsedEvent(0.0, "event", "x", "m", {name.replace("__", "."): value for name, value in fields.items()})


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("user", "bob"),
        ("source", "203.0.113.9"),
        ("source", "198.51.100.7"),
        ("process", "cmd.exe"),
        ("process", "id"),
    ],
)
def test_a_value_stands_in_the_record_in_any_of_its_forms(fact: str, value: str) -> None:
    assert RAW.has(fact, bench.normal(fact, value))


def test_a_value_that_stands_nowhere_is_no_truth() -> None:
    assert bench.truth_of("user", {"user.name": "carol"}, RAW) == set()
    assert bench.truth_of("user", {"user.name": "Bob"}, RAW) == {"bob"}
    assert bench.truth_of("outcome", {"log_type": "ssh_failed-auth"}, RAW) == {"failure"}
    assert bench.truth_of("outcome", {"log_type": "http_access-log"}, RAW) == set()
    assert bench.truth_of("outcome", {"event.outcome": "unknown"}, RAW) == set()


@pytest.mark.parametrize(
    ("truth", "ours", "verdict"),
    [
        ({"bob"}, ["bob"], "hits"),
        ({"bob"}, ["root", "bob"], "other_role"),
        ({"bob"}, [], "misses"),
        ({"bob"}, ["root"], "wrong"),
        (set(), ["root"], "invented"),
        (set(), ["bob"], ""),
        (set(), [], ""),
    ],
)
def test_verdicts(truth: set[str], ours: list[str], verdict: str) -> None:
    assert bench.judge("user", truth, ours, RAW) == verdict


def test_a_set_gives_counts_and_rates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        "Dec 27 11:02:49 web-1 sshd[9]: Failed password for root from 203.0.113.9 port 4000 ssh2",
        "nothing that anybody understands",
    ]
    truths = [
        {
            "idx": 0,
            "format": "ssh",
            "expected": {"target_user": "root", "source_ip": "203.0.113.9", "machine": "web-1"},
        },
        {"idx": 1, "format": "odd", "expected": {"target_user": "anybody"}},
    ]
    for name, rows in (("events", [{"message": line} for line in lines]), ("expected", truths)):
        with gzip.open(tmp_path / f"{name}.ndjson.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    found = bench.measure(tmp_path, 10)
    assert found["facts"]["user"] == {
        "n": 2,
        "hits": 1,
        "misses": 1,
        "wrong": 0,
        "invented": 0,
        "other_role": 0,
        "recall": {"value": 0.5, "n": 2, "low": 0.0945, "high": 0.9055},
        "precision": {"value": 1.0, "n": 1, "low": 0.2065, "high": 1.0},
    }
    assert found["facts"]["source"]["hits"] == found["facts"]["host"]["hits"] == 1
    assert found["fallback"] == 1
    assert "odd #1 user misses" in capsys.readouterr().out


def test_records_of_one_audit_event_are_looked_at_together() -> None:
    lines = ["audit(1.2:3): a", "audit(1.2:4): b", "audit(1.2:3): c", "d"]
    assert bench.together(lines) == [
        "audit(1.2:3): a\naudit(1.2:3): c",
        lines[1],
        "audit(1.2:3): a\naudit(1.2:3): c",
        "d",
    ]


def test_without_a_set_it_says_that_nothing_was_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "measure_golden", dict)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.delenv(bench.SETS, raising=False)
    monkeypatch.setattr("sys.argv", ["parse.py", "--json"])
    assert bench.main() == 0
    said = capsys.readouterr().out
    assert "Recall and precision are NOT measured" in said
    assert json.loads(said.splitlines()[-1]) == {"golden": {}, "sets": []}

"""Golden pairs: one file per parser of the table, each raw record with the exact event it must become."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from triage import parsers
from triage.contracts import Record

RECEIVED_AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z
FOLDER = Path(__file__).parent / "golden"


def pairs(parser: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = orjson.loads((FOLDER / f"{parser}.json").read_bytes())
    return loaded


#: Formats inside others: a device's line may come bare or inside syslog, and its pairs say which parser took it.
FORMATS = ("cef", "fortigate", "palo_alto")
ALL = [(name, pair) for name in parsers.TABLE for pair in pairs(name)]
ALL += [(pair["parser"], pair) for name in FORMATS for pair in pairs(name)]


@pytest.mark.parametrize(("parser", "pair"), ALL, ids=[f"{name}: {pair['case']}" for name, pair in ALL])
def test_record_becomes_exactly_this_event(parser: str, pair: dict[str, Any]) -> None:
    (event,) = parsers.parse([Record(pair["content"])], RECEIVED_AT, memory={})
    assert event.parser == parser
    assert event.fields == pair["fields"]
    assert event.message == pair.get("message", pair["content"])
    assert event.timestamp == pytest.approx(pair["timestamp"], abs=1e-5)
    assert event.timestamp_origin == pair.get("timestamp_origin", "event")
    assert event.fallback_reason == pair.get("fallback_reason", "")


@pytest.mark.parametrize(("parser", "pair"), ALL, ids=[f"{name}: {pair['case']}" for name, pair in ALL])
def test_numbers_and_flags_have_the_type_they_had(parser: str, pair: dict[str, Any]) -> None:
    (event,) = parsers.parse([Record(pair["content"])], RECEIVED_AT)
    assert {name: type(value) for name, value in event.fields.items()} == {
        name: type(value) for name, value in pair["fields"].items()
    }


@pytest.mark.parametrize("parser", sorted(parsers.TABLE))
def test_every_parser_has_golden_pairs(parser: str) -> None:
    assert len(pairs(parser)) >= 4


@pytest.mark.parametrize(("parser", "pair"), ALL, ids=[f"{name}: {pair['case']}" for name, pair in ALL])
def test_the_same_record_as_json_text_gives_the_same_event(parser: str, pair: dict[str, Any]) -> None:
    if isinstance(pair["content"], str):
        content = orjson.dumps({"message": pair["content"]}).decode()
    else:
        content = orjson.dumps(pair["content"]).decode()
    (event,) = parsers.parse([Record(content)], RECEIVED_AT)
    if pair["content"] in ("",):
        assert event.fields == {}
        return
    assert event.parser == parser
    assert event.fields == pair["fields"]

"""The room as its callers see it: order, choice, memory, envelopes, wrapping, broken parsers."""

from dataclasses import replace
from types import SimpleNamespace

import orjson
import pytest

from triage import parsers
from triage.contracts import Envelope, ParsedEvent, Record
from triage.plugins import PluginError

RECEIVED_AT = 1_767_225_600.0
SSH = "Dec 27 11:02:49 web-1 sshd[9]: Failed password for root from 203.0.113.9 port 4000 ssh2"
ACCESS = '203.0.113.9 - - [27/Dec/2025:11:02:49 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'
CONN = {"_path": "conn", "ts": 1766833369.0, "uid": "C1", "id.orig_h": "192.0.2.7", "id.resp_h": "192.0.2.8"}


class Counting:
    """A parser that understands everything and counts what it is asked."""

    def __init__(
        self, name: str, claim: int, answer: ParsedEvent | None = None, error: Exception | None = None
    ) -> None:
        self.name = name
        self.calls = SimpleNamespace(claim=0, parse=0)
        self._claim = claim
        self._answer = answer
        self._error = error

    def claim(self, record: Record) -> int:
        self.calls.claim += 1
        return self._claim

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        self.calls.parse += 1
        if self._error is not None:
            raise self._error
        return self._answer


def event_of(name: str) -> ParsedEvent:
    return ParsedEvent(RECEIVED_AT, "received", name, "x", {})


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch):
    """Replace the loaded parsers by the given ones."""

    def use(*plugins: Counting) -> None:
        monkeypatch.setattr(parsers, "load", lambda: {plugin.name: plugin for plugin in plugins})

    return use


def test_one_event_per_record_in_order() -> None:
    records = [Record(SSH), Record(CONN), Record("?"), Record(ACCESS), Record({})]
    events = parsers.parse(records, RECEIVED_AT)
    assert [event.parser for event in events] == ["syslog", "zeek", "fallback", "web_access", "fallback"]


def test_no_records_no_events() -> None:
    assert parsers.parse([], RECEIVED_AT) == []


def test_a_remembered_parser_is_asked_first_and_nobody_claims_again(room) -> None:
    one, other = Counting("one", 90, event_of("one")), Counting("other", 95, event_of("other"))
    room(one, other)
    memory: dict[str, str] = {}
    parsers.parse([Record("abc 1")], RECEIVED_AT, memory=memory)
    assert list(memory.values()) == ["other"]
    assert (one.calls.claim, other.calls.claim) == (1, 1)
    parsers.parse([Record("xyz 7"), Record("abc 2")], RECEIVED_AT, memory=memory)
    assert (one.calls.claim, other.calls.claim) == (1, 1)
    assert (one.calls.parse, other.calls.parse) == (0, 3)


def test_a_remembered_parser_that_declines_is_replaced_by_claim(room) -> None:
    one, other = Counting("one", 90, None), Counting("other", 60, event_of("other"))
    room(one, other)
    memory = {"aaa 0": "one"}
    (event,) = parsers.parse([Record("abc 1")], RECEIVED_AT, memory=memory)
    assert event.parser == "other"
    assert memory == {"aaa 0": "other"}
    assert one.calls.parse == 1


def test_a_remembered_name_that_is_gone_does_no_harm() -> None:
    (event,) = parsers.parse([Record("abc 1")], RECEIVED_AT, memory={"aaa 0": "removed"})
    assert (event.parser, event.fallback_reason) == ("fallback", "unknown_format")


def test_memory_never_grows_without_end() -> None:
    memory: dict[str, str] = {}
    parsers.parse([Record({**CONN, f"key{number}": 1}) for number in range(3000)], RECEIVED_AT, memory=memory)
    assert len(memory) == parsers.MAX_REMEMBERED


def test_unknown_text_is_not_remembered() -> None:
    memory: dict[str, str] = {}
    parsers.parse([Record("words only")], RECEIVED_AT, memory=memory)
    assert memory == {}


def test_a_guess_is_not_remembered_so_that_order_never_decides() -> None:
    odd, real = Record({"winlog": "not an object"}), Record({"winlog": {"event_id": 1, "channel": "Security"}})
    memory: dict[str, str] = {}
    events = parsers.parse([odd, real], RECEIVED_AT, memory=memory)
    assert [event.parser for event in events] == ["ecs_json", "windows"]
    assert list(memory.values()) == ["windows"]


def test_memory_does_not_change_what_a_record_means() -> None:
    records = [Record(SSH), Record(ACCESS), Record(CONN), Record({"a": 1}), Record("words only")] * 3
    fresh = [parsers.parse([record], RECEIVED_AT)[0] for record in records]
    assert parsers.parse(records, RECEIVED_AT, memory={}) == fresh


def test_an_error_in_a_parser_becomes_a_counted_reason(room) -> None:
    broken = Counting("broken", 90, error=KeyError("boom"))
    room(broken, Counting("other", 20, event_of("other")))
    memory: dict[str, str] = {}
    events = parsers.parse([Record("abc"), Record({"a": 1})], RECEIVED_AT, memory=memory)
    assert [event.fallback_reason for event in events] == ["parser_error:broken"] * 2
    assert [event.message for event in events] == ["abc", '{"a":1}']
    assert [event.parser for event in events] == ["fallback"] * 2
    assert memory == {}


def test_a_text_that_breaks_even_the_last_resort_is_kept(room, monkeypatch) -> None:
    def break_down(text: str, fields: dict[str, object]) -> None:
        raise ValueError("boom")

    monkeypatch.setattr("triage.parsers.phrases.read_failed_login", break_down)
    room(Counting("broken", 90, error=KeyError("boom")))
    (event,) = parsers.parse([Record("ERROR abc", Envelope(host="web-1"))], RECEIVED_AT)
    assert (event.message, event.fields) == ("ERROR abc", {})
    assert (event.parser, event.fallback_reason) == ("fallback", "parser_error:broken")


@pytest.mark.parametrize("port", ["%s", "\u0665\u0665", "99999"])
def test_what_follows_an_address_is_a_port_only_as_a_number(port: str) -> None:
    (event,) = parsers.parse([Record(f'[alice] FAIL LOGIN: Client "::ffff:{port}"')], RECEIVED_AT)
    assert not event.fallback_reason.startswith("parser_error")
    assert "source.port" not in event.fields


def test_an_error_in_a_claim_stops_nobody_else(room) -> None:
    class Rude(Counting):
        def claim(self, record: Record) -> int:
            raise RuntimeError("no")

    rude = Rude("rude", 99, event_of("rude"))
    room(rude, Counting("other", 20, event_of("other")))
    (event,) = parsers.parse([Record("abc")], RECEIVED_AT)
    assert event.parser == "other"
    assert rude.calls.parse == 0


def test_running_out_of_stack_is_a_reason_too(room) -> None:
    room(Counting("deep", 90, error=RecursionError()))
    (event,) = parsers.parse([Record("abc")], RECEIVED_AT)
    assert event.fallback_reason == "parser_error:deep"


def test_a_pinned_parser_is_used_whatever_others_claim() -> None:
    (event,) = parsers.parse([Record(CONN)], RECEIVED_AT, pinned="ecs_json")
    assert event.parser == "ecs_json"
    assert event.fields["id.orig_h"] == "192.0.2.7"


def test_a_pinned_parser_that_declines_does_not_lose_the_record() -> None:
    (event,) = parsers.parse([Record(SSH)], RECEIVED_AT, pinned="zeek")
    assert event.parser == "syslog"


def test_an_unknown_pin_is_as_no_pin() -> None:
    assert parsers.parse([Record(SSH)], RECEIVED_AT, pinned="nope")[0].parser == "syslog"


def test_every_name_can_be_pinned() -> None:
    assert parsers.names() == list(parsers.TABLE)


def test_an_outsider_cannot_replace_a_built_in_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(name="syslog", load=lambda: Counting("syslog", 100))
    monkeypatch.setattr("triage.plugins.entry_points", lambda group: [fake])
    parsers.load.cache_clear()
    try:
        with pytest.raises(PluginError, match="syslog"):
            parsers.load()
    finally:
        monkeypatch.undo()
        parsers.load.cache_clear()


ENVELOPE = Envelope(
    time=1766833000.5,
    host="hec-host",
    source="/var/log/x.log",
    sourcetype="x:log",
    index="main",
    fields={"site": "north", "rack": 4, "deep": {"a": True}},
)


def test_the_envelope_fills_what_the_record_leaves_out() -> None:
    (event,) = parsers.parse([Record({"a": 1}, ENVELOPE)], RECEIVED_AT)
    assert event.fields == {
        "a": 1,
        "host.name": "hec-host",
        "log.file.path": "/var/log/x.log",
        "winnow.sourcetype": "x:log",
        "winnow.index": "main",
        "labels.site": "north",
        "labels.rack": 4,
        "labels.deep.a": True,
    }
    assert (event.timestamp, event.timestamp_origin) == (1766833000.5, "envelope")


def test_the_record_wins_over_the_envelope() -> None:
    (event,) = parsers.parse([Record(SSH, ENVELOPE)], RECEIVED_AT)
    assert event.fields["host.name"] == "web-1"
    assert (event.timestamp, event.timestamp_origin) == (1766833369.0, "event")


@pytest.mark.parametrize("time", [0.0, -5.0, 1e12, float("nan"), float("inf")])
def test_an_absurd_envelope_time_is_not_believed(time: float) -> None:
    (event,) = parsers.parse([Record({"a": 1}, replace(ENVELOPE, time=time))], RECEIVED_AT)
    assert (event.timestamp, event.timestamp_origin) == (RECEIVED_AT, "received")


def test_a_wrapped_line_is_parsed_as_the_line_and_keeps_what_is_beside_it() -> None:
    (event,) = parsers.parse([Record({"message": SSH, "service": "auth", "log_source": "linux"})], RECEIVED_AT)
    (bare,) = parsers.parse([Record(SSH)], RECEIVED_AT)
    assert event == replace(bare, fields={**bare.fields, "service": "auth", "log_source": "linux"})


def test_a_wrapped_line_without_a_time_takes_the_time_beside_it() -> None:
    wrapped = {"message": "plain words", "@timestamp": "2025-12-27T11:02:49Z", "host": {"name": "web-1"}}
    (event,) = parsers.parse([Record(wrapped)], RECEIVED_AT)
    assert (event.timestamp, event.timestamp_origin) == (1766833369.0, "event")
    assert (event.parser, event.message, event.fields) == ("fallback", "plain words", {"host.name": "web-1"})
    assert event.fallback_reason == "unknown_format"


def test_a_line_that_is_json_inside_a_wrapping_is_parsed_as_that_json() -> None:
    inner = '{"_path":"conn","ts":1766833369.0,"uid":"C1","id.orig_h":"192.0.2.7","id.resp_h":"192.0.2.8"}'
    (event,) = parsers.parse([Record({"message": inner, "tags": ["a", "b"]})], RECEIVED_AT)
    assert event.parser == "zeek"
    assert event.fields["tags"] == ["a", "b"]


def test_json_wrapped_deeper_than_shippers_do_is_kept_as_it_is() -> None:
    content = "inmost"
    for _ in range(6):
        content = orjson.dumps({"message": content}).decode()
    (event,) = parsers.parse([Record(content)], RECEIVED_AT)
    assert "inmost" in event.message
    assert event.message != "inmost"


def test_generic_json_is_found_by_any_of_its_words() -> None:
    (event,) = parsers.parse([Record({"needle": "haystack-77", "n": 12.5})], RECEIVED_AT)
    assert event.message == '{"needle":"haystack-77","n":12.5}'


def test_generic_json_text_is_cut() -> None:
    (event,) = parsers.parse([Record({"long": "é" * 5000})], RECEIVED_AT)
    assert len(event.message) == 2000
    assert event.fields["long"] == "é" * 5000

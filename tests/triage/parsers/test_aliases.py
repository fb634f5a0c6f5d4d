"""Keys that everybody uses, levels as numbers, addresses and numbers as vendors write them."""

from typing import Any

import pytest

from triage import parsers
from triage.contracts import Record
from triage.parsers.aliases import meaning, time_rank
from triage.parsers.finish import is_sound
from triage.parsers.layouts import as_number, as_port, named_values, outcome_of, put, split_address
from triage.parsers.levels import level_of


@pytest.mark.parametrize(
    ("name", "ecs"),
    [
        ("client_ip", "source.ip"),
        ("clientIp", "source.ip"),
        ("ClientIP", "source.ip"),
        ("request.remote_ip", "source.ip"),
        ("Properties.ClientIp", "source.ip"),
        ("req.headers.x-forwarded-for", "source.ip"),
        ("userName", "user.name"),
        ("user.login", "user.name"),
        ("MachineName", "host.name"),
        ("fields.hostname", "host.name"),
        ("RequestMethod", "http.request.method"),
        ("request.headers.User-Agent", "user_agent.original"),
        ("dest_port", "destination.port"),
    ],
)
def test_a_key_is_known_in_any_spelling(name: str, ecs: str) -> None:
    found = meaning(name)
    assert found is not None
    assert found[0] == ecs


@pytest.mark.parametrize(
    "name",
    [
        "event.id",
        "client.ip",
        "source.ip",
        "error.code",
        "request.host.x",
        "labels.ip",
        "kubernetes.pod.ip",
        "path",
        "status",
        "name",
        "id",
        "colour",
        "",
        ".",
        "a." * 100,
        "x" * 500,
    ],
)
def test_a_key_that_may_mean_anything_means_nothing(name: str) -> None:
    assert meaning(name) is None


def test_beside_a_request_some_keys_mean_more() -> None:
    assert meaning("path", True) == ("url.original", 0)
    assert meaning("status", True) == ("http.response.status_code", 0)
    assert meaning("request.size", True) == ("http.response.body.bytes", 100)


def test_the_better_key_of_two_is_taken() -> None:
    ranks = [meaning(name) for name in ("client_ip", "remote_addr", "x_forwarded_for", "request.client_ip")]
    assert None not in ranks
    assert [rank for _, rank in ranks if rank is not None] == sorted(rank for _, rank in ranks if rank is not None)  # type: ignore[misc]


@pytest.mark.parametrize(("name", "rank"), [("@timestamp", 0), ("Timestamp", 0), ("ts", 2), ("colour", None)])
def test_names_of_times(name: str, rank: int | None) -> None:
    assert time_rank(name) == rank


@pytest.mark.parametrize(
    ("value", "document", "level"),
    [
        (10, {}, "trace"),
        (40, {}, "warning"),
        (60, {}, "critical"),
        (250, {}, "notice"),
        (0, {"short_message": "x"}, "emergency"),
        (7, {"short_message": "x"}, "debug"),
        (7, {}, ""),
        (45, {}, ""),
        (True, {}, ""),
        (-10, {"short_message": "x"}, ""),
        ("WARN", {}, "WARN"),
        ("30", {}, ""),
        ("x" * 50, {}, ""),
        (None, {}, ""),
        ([], {}, ""),
    ],
)
def test_levels(value: Any, document: dict[str, Any], level: str) -> None:
    assert level_of(value, document) == level


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.7", "192.0.2.7", None),
        ("192.0.2.7:443", "192.0.2.7", 443),
        ("192.0.2.7:99999", "192.0.2.7", None),
        ("[2001:db8::1]:53", "2001:db8::1", 53),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("2001:db8::1", "2001:db8::1", None),
        ("::ffff:192.0.2.7", "192.0.2.7", None),
        ("192.0.2.7, 10.0.0.1", "192.0.2.7", None),
        (" 192.0.2.7 ", "192.0.2.7", None),
        ("192.0.2.700", "", None),
        ("1.2.3", "", None),
        ("gateway", "", None),
        ("", "", None),
        (":::", "", None),
        ("1" * 100, "", None),
    ],
)
def test_addresses(text: str, address: str, port: int | None) -> None:
    assert split_address(text) == (address, port)


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), ("5", 5), (5.0, 5), (-1, None), ("-1", None), ("²", None), ("9" * 30, None), (True, None), (1.5, None)],
)
def test_numbers(value: Any, number: int | None) -> None:
    assert as_number(value) == number


def test_a_port_has_sixteen_bits() -> None:
    assert (as_port(65_535), as_port(65_536), as_port("443")) == (65_535, None, 443)


@pytest.mark.parametrize(
    ("name", "value", "used_up", "kept"),
    [
        ("source.ip", "192.0.2.7:80", True, {"source.ip": "192.0.2.7", "source.port": 80}),
        ("source.ip", ["192.0.2.7", "10.0.0.1"], False, {"source.ip": "192.0.2.7"}),
        ("source.ip", "gateway", False, {}),
        ("source.ip", 7, False, {}),
        ("source.port", "70000", False, {}),
        ("process.pid", "12", True, {"process.pid": 12}),
        ("user.name", "-", False, {}),
        ("user.name", ["alice"], True, {"user.name": "alice"}),
        ("user.name", [], False, {}),
        ("user.name", True, False, {}),
        ("event.code", 4624, True, {"event.code": "4624"}),
    ],
)
def test_a_value_that_cannot_be_one_is_not_put(name: str, value: Any, used_up: bool, kept: dict[str, Any]) -> None:
    fields: dict[str, Any] = {}
    assert put(fields, name, value) is used_up
    assert fields == kept


def test_named_values_are_read_by_name() -> None:
    pairs = [{"Name": "a", "Value": 1}, {"Name": "a", "Value": 2}, {"Name": 3, "Value": 4}, "x", {"Name": "b"}]
    assert named_values(pairs, "Name", ("Value",)) == {"a": 1}
    assert named_values("x", "Name", ("Value",)) == {}


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("Success", "success"),
        ("Succeeded.", "success"),
        (False, "failure"),
        ("DENY", "failure"),
        ("maybe", ""),
        (1, ""),
    ],
)
def test_words_for_an_outcome(value: Any, outcome: str) -> None:
    assert outcome_of(value) == outcome


def parsed(content: dict[str, Any]) -> dict[str, Any]:
    (event,) = parsers.parse([Record(content)], 1_767_225_600.0)
    assert event.parser == "ecs_json"
    return event.fields


def test_the_best_key_that_holds_a_value_of_the_kind_wins() -> None:
    fields = parsed({"client_ip": "unknown", "remote_addr": "192.0.2.7", "x": 1})
    assert fields == {"client_ip": "unknown", "source.ip": "192.0.2.7", "x": 1}


def test_a_document_s_own_ecs_name_wins() -> None:
    fields = parsed({"source": {"ip": "192.0.2.7"}, "client_ip": "192.0.2.8", "x": 1})
    assert fields == {"source.ip": "192.0.2.7", "client_ip": "192.0.2.8", "x": 1}


def test_a_protocol_of_the_web_is_no_transport() -> None:
    assert parsed({"proto": "HTTP/2.0", "x": 1}) == {"proto": "HTTP/2.0", "x": 1}
    assert parsed({"proto": "TCP", "x": 1}) == {"network.transport": "tcp", "x": 1}


@pytest.mark.parametrize(
    ("message", "fields", "sound"),
    [
        ("x", {"zone": "null", "other": "nullable"}, True),
        ("null", {}, True),
        ("x", {"a": float("nan")}, False),
        ("x", {"a": [float("inf"), 1]}, False),
        ("x", {"a": [1, float("nan")]}, False),
        ("a\x00", {}, False),
        ("x", {"a": "\ud800"}, False),
        ("x", {"a": "v" * 9000}, False),
    ],
)
def test_only_what_needs_it_is_cleaned(message: str, fields: dict[str, Any], sound: bool) -> None:
    assert is_sound(message, fields) is sound


def test_an_ecs_document_is_not_renamed() -> None:
    content = {"ecs": {"version": "8.17"}, "src_ip": "192.0.2.7", "user": "alice", "level": "info"}
    assert parsed(content) == {"ecs.version": "8.17", "src_ip": "192.0.2.7", "user": "alice", "level": "info"}

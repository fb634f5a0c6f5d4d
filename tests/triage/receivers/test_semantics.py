import pytest

from triage.receivers import semantics


def split(attributes):
    ecs, rest = {}, {}
    semantics.split(attributes, ecs, rest)
    return ecs, rest


@pytest.mark.parametrize(
    ("number", "level"),
    [(1, "trace"), (4, "trace"), (5, "debug"), (8, "debug"), (9, "info"), (12, "info"), (13, "warning"),
     (16, "warning"), (17, "error"), (20, "error"), (21, "critical"), (24, "critical"), (0, ""), (25, ""), (-1, "")],
)  # fmt: skip
def test_a_severity_number_has_a_level(number, level):
    assert semantics.level_of(number, "") == level


def test_without_a_number_the_text_is_the_level():
    assert semantics.level_of(0, "WARN") == "warning"
    assert semantics.level_of(0, "Notice") == "notice"
    assert semantics.level_of(99, "x" * 1000) == "x" * 32


def test_attributes_with_an_ecs_name_move_there():
    ecs, rest = split(
        {
            "service.name": "shop", "http.status_code": 404, "process.parent_pid": 7,
            "process.command_args": ["a", "b"],
            "client.address": "192.0.2.7", "server.address": "shop.example", "enduser.id": "u1", "my.own": 1,
        }
    )  # fmt: skip
    assert ecs == {
        "service.name": "shop", "http.response.status_code": 404, "process.parent.pid": 7, "process.args": ["a", "b"],
        "source.ip": "192.0.2.7", "destination.domain": "shop.example", "user.id": "u1",
    }  # fmt: skip
    assert rest == {"my.own": 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("process.pid", "12"), ("process.pid", True), ("process.pid", 1.5), ("service.name", 7),
        ("service.name", ["a"]),
        ("host.name", {"a": 1}), ("client.address", 5), ("client.address", "x" * 256),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_keeps_its_name(name, value):
    assert split({name: value}) == ({}, {name: value})


def test_nothing_is_no_value():
    assert split({"a": None, "service.name": None}) == ({}, {})


def test_the_first_of_several_labels_for_one_field_counts():
    ecs, rest = {}, {}
    semantics.split_labels({"host": "a", "hostname": "b", "level": "WARN", "job": "x", "pod": ""}, ecs, rest)
    assert ecs == {"host.name": "a", "log.level": "warning"}
    assert rest == {"hostname": "b", "job": "x", "pod": ""}

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.env import Environment, EnvironmentValueError


def test_text_returns_the_value_then_the_default():
    assert Environment({"NAME": "value"}).text("NAME", "default") == "value"
    assert Environment({}).text("NAME", "default") == "default"
    assert Environment({"NAME": ""}).text("NAME", "default") == "default"


def test_a_file_variable_is_read_and_stripped(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("  s3cret\n")
    assert Environment({"LLM_API_KEY_FILE": str(secret)}).text("LLM_API_KEY") == "s3cret"


def test_a_variable_and_its_file_together_are_refused(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    with pytest.raises(EnvironmentValueError, match="NAME and NAME_FILE are both set"):
        Environment({"NAME": "a", "NAME_FILE": str(secret)}).text("NAME")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"], ids=["missing", "not UTF-8"])
def test_an_unreadable_file_names_the_variable(tmp_path: Path, content: bytes | None):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentValueError, match=r"^NAME_FILE: cannot read "):
        Environment({"NAME_FILE": str(path)}).text("NAME")


def test_required_names_what_is_missing():
    assert Environment({"NAME": "x"}).required("NAME") == "x"
    with pytest.raises(EnvironmentValueError, match=r"^NAME must be set$"):
        Environment({}).required("NAME")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("TRUE", True), ("yes", True), ("On", True), ("0", False), ("False", False), ("no", False)],
)
def test_boolean_reads_the_usual_words(value: str, expected: bool):
    assert Environment({"DEBUG": value}).boolean("DEBUG", not expected) is expected


def test_boolean_falls_back_to_its_default_only_when_empty():
    assert Environment({}).boolean("DEBUG", True) is True
    with pytest.raises(EnvironmentValueError, match="DEBUG: 'maybe' is not a boolean"):
        Environment({"DEBUG": "maybe"}).boolean("DEBUG", True)


def test_integer_accepts_its_limits_and_nothing_beyond():
    read = Environment({"LOW": "1", "HIGH": "9", "UNDER": "0", "OVER": "10"}).integer
    assert [read(name, 5, minimum=1, maximum=9) for name in ("LOW", "HIGH", "ABSENT")] == [1, 9, 5]
    for name, value in (("UNDER", 0), ("OVER", 10)):
        with pytest.raises(EnvironmentValueError, match=f"^{name}: {value} is outside 1 to 9$"):
            read(name, 5, minimum=1, maximum=9)


@pytest.mark.parametrize("value", ["ten", "1.5", "1e3", "--1"])
def test_integer_refuses_what_is_not_a_whole_number(value: str):
    with pytest.raises(EnvironmentValueError, match=r"^RETENTION_DAYS: .* is not a whole number$"):
        Environment({"RETENTION_DAYS": value}).integer("RETENTION_DAYS", 30)


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "many"])
def test_decimal_refuses_what_is_not_a_number_in_range(value: str):
    with pytest.raises(EnvironmentValueError, match=r"^BUDGET: "):
        Environment({"BUDGET": value}).decimal("BUDGET", 5.0)


def test_decimal_reads_fractions():
    assert Environment({"BUDGET": "0.25"}).decimal("BUDGET", 5.0) == 0.25
    assert Environment({}).decimal("BUDGET", 5.0) == 5.0


def test_choice_accepts_listed_words_only():
    assert Environment({}).choice("POLICY", "off", ("off", "raw")) == "off"
    assert Environment({"POLICY": "raw"}).choice("POLICY", "off", ("off", "raw")) == "raw"
    with pytest.raises(EnvironmentValueError, match=r"^POLICY: 'RAW' is not one of off, raw$"):
        Environment({"POLICY": "RAW"}).choice("POLICY", "off", ("off", "raw"))


def test_words_drops_blanks():
    assert Environment({"HOSTS": " a, b ,,c "}).words("HOSTS") == ["a", "b", "c"]
    assert Environment({}).words("HOSTS", ["z"]) == ["z"]


@given(st.text())
def test_numbers_either_parse_or_name_the_variable(value: str):
    for read in (Environment({"N": value}).integer, Environment({"N": value}).decimal):
        try:
            outcome = str(read("N", 3) >= 0)
        except EnvironmentValueError as error:
            outcome = str(error)[:3]
        assert outcome in {"True", "N: "}

"""Names that must not leave: hidden, restored, never guessed."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from triage.explainers.pseudonyms import GENERIC, Pseudonyms
from triage.explainers.redaction import redact


@given(
    name=st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{5,20}[a-z]", fullmatch=True),
    before=st.text(max_size=30),
    after=st.text(max_size=30),
)
def test_a_known_name_never_survives_and_always_returns(name, before, after):
    assume(name.lower() not in GENERIC)
    assume("@" not in before + after)
    text = f"{before} {name} {after}"
    names = Pseudonyms([("user", name)], [text])
    hidden = names.hide(text)
    assert name.lower() not in hidden.lower()
    assert names.restore("Ask USER_1") in (f"Ask {name}", "Ask USER_1")
    assert name in names.mapping.values()


def test_names_are_numbered_by_first_mention_and_stay_the_same():
    identifiers = [("user", "alice"), ("user", "bob"), ("host", "db-1"), ("user", "ALICE")]
    text = "alice bob db-1 Alice 192.0.2.1 2001:db8::7 carol@example.org"
    hidden = Pseudonyms(identifiers, [text]).hide(text)
    assert hidden == "USER_1 USER_2 HOST_1 USER_1 IP_EXT_1a IP_EXT_2a MAIL_1"
    assert Pseudonyms(identifiers, [text]).hide(text) == hidden


def test_short_names_are_replaced_only_where_they_stand_alone():
    names = Pseudonyms([("user", "bo")], ["bo"])
    assert names.hide("bo books bo. bo@x /home/bo/") == "USER_1 books USER_1. USER_1@x /home/USER_1/"


def test_the_short_form_of_a_host_is_hidden_too():
    assert Pseudonyms([("host", "web7.corp.example")], []).hide("web7 web7.corp.example") == "HOST_2 HOST_1"


@pytest.mark.parametrize("name", ["root", "SYSTEM", "", " ", "0", "x", "1000", "-"])
def test_what_identifies_nobody_stays(name):
    assert Pseudonyms([("user", name)], []).hide(f"0 of 1000 by {name} x") == f"0 of 1000 by {name} x"


def test_a_pseudonym_that_the_log_contains_is_not_used():
    text = "alice wrote USER_1"
    names = Pseudonyms([("user", "alice")], [text])
    assert names.hide(text) == "USER_2 wrote USER_1"
    assert names.restore("USER_1 and USER_2 and USER_22") == "USER_1 and alice and USER_22"


def test_a_name_that_a_cap_cut_through_is_hidden():
    names = Pseudonyms([("user", "verylongcanary")], [])
    assert names.hide("the end verylongcan…") == "the end …"
    assert names.hide("the end ver…") == "the end ver…"


def test_times_and_versions_are_no_addresses():
    text = "at 12:34:56 version 1.2.3"
    assert Pseudonyms([], [text]).hide(text) == text


def test_letters_that_fold_oddly_do_not_break_or_leak():
    names = Pseudonyms([("user", "mississippi")], [])
    assert names.hide("mi\u017fsissippi") == "HIDDEN"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: hunter2, next", "password: [secret], next"),
        ("api_key='abc' x", "api_key='[secret]' x"),
        ("postgres://bob:pw@db/x", "postgres://bob:[secret]@db/x"),
        ("Authorization: Bearer abcdefgh.1", "Authorization: Bearer [secret]"),
        ("ghp_" + "a" * 36, "[secret]"),
        ("eyJhbGciOiJI.eyJzdWIi.c2ln", "[secret]"),
        ("-----BEGIN RSA PRIVATE KEY----- MIIE", "[secret]"),
        ("Failed password for bob", "Failed password for bob"),
        ("the token was fine", "the token was fine"),
    ],
)
def test_secrets(text, expected):
    assert redact(text) == expected
    assert redact(expected) == expected


@given(st.text(max_size=2000))
def test_redaction_never_raises(text):
    redact(text)

"""Free text of programs nobody listed: what a sentence says is read, and nothing it does not say."""

from typing import Any

import pytest

from triage import parsers
from triage.contracts import Record
from triage.parsers import addresses, people, phrases

RECEIVED_AT = 1_767_225_600.0
LOGIN_FACTS = (
    "user.name",
    "user.domain",
    "source.ip",
    "source.port",
    "destination.ip",
    "event.action",
    "event.outcome",
)


def facts(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    phrases.read(text, fields)
    return {name: fields[name] for name in LOGIN_FACTS if name in fields}


def failed(user: str | None = None, address: str | None = None, port: int | None = None) -> dict[str, Any]:
    said = {"user.name": user, "source.ip": address, "source.port": port}
    return {
        "event.action": "login",
        "event.outcome": "failure",
        **{name: value for name, value in said.items() if value is not None},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failed login for user 'x' from 203.0.113.9", failed("x", "203.0.113.9")),
        ("from 203.0.113.9: failed login for user x", failed("x", "203.0.113.9")),
        ("Failed login attempt for username \"bob\" from ip 203.0.113.9 (no password)", failed("bob", "203.0.113.9")),
        ("authentication failure; user=bob ip=203.0.113.9", failed("bob", "203.0.113.9")),
        ("ip=203.0.113.9 user=bob error=invalid_credentials login_failed", failed("bob", "203.0.113.9")),
        ("Invalid credentials for account <bob>, client: [2001:db8::9]:4000", failed("bob", "2001:db8::9", 4000)),
        ("(1) Login incorrect (mschap: wrong): [bob/x] (from client nas-1 port 0)", failed("bob")),
        ("Auth Username/Password verification failed for peer", failed()),
        ("Anmeldung fehlgeschlagen für Benutzer bob von 203.0.113.9", failed("bob", "203.0.113.9")),
        ("Login failed: bob (Remote IP: 2001:db8::9)", failed("bob", "2001:db8::9")),
        ("bob 203.0.113.9 failed to login", failed("bob", "203.0.113.9")),
        ("bob was not found in LDAP directory (203.0.113.9)", failed("bob", "203.0.113.9")),
        ("Bad password for bob (203.0.113.9)", failed("bob", "203.0.113.9")),
        ("Authentication attempt from [203.0.113.9, 192.0.2.1] for user \"bob\" failed.", failed("bob", "203.0.113.9")),
        ("Authentication request for \"bob\" has been denied (IP: \"203.0.113.9\").", failed("bob", "203.0.113.9")),
        ("Failed login attempt. 203.0.113.9", failed(None, "203.0.113.9")),
        ("invalid authentication from localhost (127.0.0.1). (Mozilla/5.0)", failed(None, "127.0.0.1")),
        ("SecurityEvent=\"InvalidPassword\",AccountID=\"6001\",RemoteAddress=\"IPV4/UDP/203.0.113.9/5060\"",
         failed("6001", "203.0.113.9", 5060)),
        ("login authenticator failed for mail.example ([192.0.2.1]) [203.0.113.9]:55379: 535 (set_id=bob)",
         failed("bob", "203.0.113.9", 55379)),
        ("198.51.100.2 (mail.example[203.0.113.9]) - USER bob (Login failed): Incorrect password",
         failed("bob", "203.0.113.9")),
        ("[203.0.113.9:4000] authentication for user \"bob\" failed", failed("bob", "203.0.113.9", 4000)),
        ("Access denied for user 'user'@'203.0.113.9' (using password: YES)", failed("user", "203.0.113.9")),
        ("authentication failed for CORP\\bob from 203.0.113.9", failed("CORP\\bob", "203.0.113.9")),
        ("login failure for user bob@corp from ::ffff:203.0.113.9",
         {**failed("bob", "203.0.113.9"), "user.domain": "corp"}),
    ],
)  # fmt: skip
def test_a_failed_login_names_who_and_from_where(text: str, expected: dict[str, Any]) -> None:
    assert facts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('User "bob" logged in successfully from 203.0.113.9', ("bob", "203.0.113.9", "login", "success")),
        ("Successful login for bob from 203.0.113.9", ("bob", "203.0.113.9", "login", "success")),
        ("imap-login: Login: user=<bob>, rip=203.0.113.9", ("bob", "203.0.113.9", "login", "success")),
        ("session opened for bob, ip 203.0.113.9", ("bob", "203.0.113.9", "login", "success")),
        ("user bob changed a rule from 203.0.113.9", ("bob", "203.0.113.9", None, None)),
        ("user bob logged out", ("bob", None, "logout", None)),
        ("[203.0.113.9] [Could not retrieve user bob details] at auth.php", ("bob", "203.0.113.9", None, None)),
        ("AUDIT: MFA count is 1. (203.0.113.9 (bob@a.example) -> POST:http://b)", ("bob@a.example", None, None, None)),
        ('User is trying to login using "bob" (203.0.113.9 -> POST)', ("bob", "203.0.113.9", "login", None)),
    ],
)
def test_other_ends_of_a_login(text: str, expected: tuple[str | None, ...]) -> None:
    said = facts(text)
    assert (
        said.get("user.name"),
        said.get("source.ip"),
        said.get("event.action"),
        said.get("event.outcome"),
    ) == expected


@pytest.mark.parametrize(
    ("text", "source", "destination"),
    [
        ("Connection from 203.0.113.9 port 4000 to 192.0.2.5 port 22", "203.0.113.9", "192.0.2.5"),
        ("proto TCP, 203.0.113.9:4000->192.0.2.5:23, len 40", "203.0.113.9", "192.0.2.5"),
        ("New connection: 203.0.113.9:4000 (192.0.2.5:22) [session: 1]", "203.0.113.9", "192.0.2.5"),
        ("rip=203.0.113.9, lip=192.0.2.5", "203.0.113.9", "192.0.2.5"),
        ("to=<bob@example.net>, relay=mx.example.net[192.0.2.5]:25, status=sent", None, "192.0.2.5"),
        ("from=<bob@example.net>, relay=[203.0.113.9], reject=550", "203.0.113.9", None),
        ("ruleset=check_rcpt, relay=host.example [203.0.113.9], reject=550", "203.0.113.9", None),
        ("sending packet to 192.0.2.5", None, "192.0.2.5"),
    ],
)
def test_both_ends_of_a_connection(text: str, source: str | None, destination: str | None) -> None:
    said = facts(text)
    assert (said.get("source.ip"), said.get("destination.ip")) == (source, destination)


@pytest.mark.parametrize(
    "text",
    [
        "bound to 192.0.2.17 -- renewal in 1800 seconds",
        "version 1.2.3.4 installed",
        "listening on 0.0.0.0:22",
        "at 10:11:12 the queue was empty",
        "resolver 192.0.2.53 is slow",
        "address 300.1.2.3 is none",
        "",
    ],
)
def test_an_address_that_no_word_explains_is_nobodys(text: str) -> None:
    assert facts(text) == {}


@pytest.mark.parametrize(
    "text", ["0 authentication failures", "no login errors today", "user agent updated", "author failed"]
)
def test_a_login_that_nobody_speaks_of_is_not_read(text: str) -> None:
    assert facts(text) == {}


def test_a_login_at_a_server_does_not_make_the_server_the_peer() -> None:
    assert facts("login failed for user 'bob' at server ip 192.0.2.5") == {
        **failed("bob"),
        "destination.ip": "192.0.2.5",
    }


def test_a_name_that_looks_like_a_sentence_does_not_move_the_peer() -> None:
    said = facts("failed login for user 'x from 198.51.100.1' from 203.0.113.9")
    assert (said["user.name"], said["source.ip"]) == ("x from 198.51.100.1", "203.0.113.9")


def test_fields_that_are_known_stay() -> None:
    fields: dict[str, Any] = {"source.ip": "192.0.2.1", "user.name": "known", "event.outcome": "success"}
    assert phrases.read("login failed for user bob from 203.0.113.9", fields) is True
    assert (fields["source.ip"], fields["user.name"], fields["event.outcome"]) == ("192.0.2.1", "known", "success")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:DB8::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::1"),
        ("256.1.1.1", ""),
        ("203.", ""),
        ("1.2", ""),
        ("1..2.3", ""),
        ("1.2.3.\u00b2", ""),
        ("0001.2.3.4", ""),
        ("10:11:12", ""),
        ("shop.example", ""),
    ],
)
def test_canonical_addresses(text: str, expected: str) -> None:
    assert addresses.canonical(text) == expected


@pytest.mark.parametrize(
    "text", ["user with no rights", "user is unknown", "for user from", "user: -", "login: [FILTERED]"]
)
def test_words_are_no_names(text: str) -> None:
    assert people.named(text) == ""


def test_what_only_has_a_time_stays_unknown() -> None:
    (event,) = parsers.parse([Record("2025-12-27 11:02:49 something happened")], RECEIVED_AT)
    assert (event.parser, event.fallback_reason) == ("fallback", "unknown_format")
    assert event.timestamp == 1_766_833_369.0


def test_a_sentence_inside_a_document_fills_what_the_document_leaves_open() -> None:
    content = {"msg": "Login failed: bob (Remote IP: 203.0.113.9)", "user": "--", "level": "warn", "count": 3}
    (event,) = parsers.parse([Record(content)], RECEIVED_AT)
    assert event.parser == "ecs_json"
    assert {name: event.fields.get(name) for name in ("user.name", "source.ip", "event.outcome", "count")} == {
        "user.name": "bob",
        "source.ip": "203.0.113.9",
        "event.outcome": "failure",
        "count": 3,
    }


def test_a_container_line_is_read_as_the_line_in_it() -> None:
    line = '2025-12-27T11:02:49.25Z stdout F 203.0.113.9 - bob [27/Dec/2025:11:02:48 +0000] "GET / HTTP/1.1" 200 12'
    (event,) = parsers.parse([Record(line)], RECEIVED_AT)
    assert event.parser == "web_access"
    assert (event.fields["user.name"], event.fields["log.iostream"]) == ("bob", "stdout")
    assert event.timestamp == 1_766_833_368.0

"""Hostile text in every field of every table, asked of every path: no answer breaks, and in none does it do anything.

The paths come from the URL conf. What a browser makes of the pages is in ``tests/browser/test_every_page.py``; this
reads answers of every kind, fragments, CSV and JSON too, and runs on both databases.
"""

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from alerts.exports import _begins_formula
from tests import pages
from tests.estate import LONG, TEXT, make_estate

pytestmark = pytest.mark.django_db
#: Neither seen nor wanted: controls, bidirectional marks and overrides, zero-width characters. Line breaks are fine.
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
MARKS = ("window.hit", "calc'!A0")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")
HTMX = {"HX-Request": "true"}
#: Names that views read from an address; what stands there comes from whoever made the link.
PARAMETERS = (
    "q", "name", "cursor", "alert", "status", "severity", "source", "entity", "technique", "assignee", "model", "group",
    "range", "from", "to", "before", "after", "page", "kind", "field", "value", "so", "actor", "action", "since",
    "until", "query", "explanation", "start", "format", "bulk_do", "bulk_value", "bulk_selected",
)  # fmt: skip


class Inert(HTMLParser):
    """Notes what an answer holds that its template did not put there, or that can not be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._script = tag == "script" and given.get("type") == "application/json"
        if tag in {"iframe", "object", "embed", "base", "style"} or (
            tag == "img" and "/static/" not in given.get("src", "")
        ):
            self.wrong.append(f"<{tag}>")
        if tag == "script" and not self._script and not given.get("src", "").startswith("/static/"):
            self.wrong.append("<script>")
        for name, value in given.items():
            if name.startswith("on") or name == "style":
                self.wrong.append(f"{tag} {name}=")
            if re.match(r"\s*(javascript|data|vbscript):", value, re.IGNORECASE) and name in {"href", "src", "action"}:
                self.wrong.append(f"{tag} {name}={value[:40]}")
            if name in {"title", "aria-label", "alt", "placeholder", "content"} and UNSEEN.search(value):
                self.wrong.append(f"{tag} {name} holds what can not be seen")

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if not self._script and UNSEEN.search(data):
            self.wrong.append(f"text that can not be seen: {data.strip()[:60]!r}")


def wrong_in_html(text: str) -> list[str]:
    parser = Inert()
    parser.feed(text)
    parser.close()
    return sorted(set(parser.wrong))


def wrong_in_csv(text: str) -> list[str]:
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    formulas = [cell for cell in cells if _begins_formula(cell) and not NUMBER.fullmatch(cell) and cell[:1] != "'"]
    return [cell[:60] for cell in cells if UNSEEN.search(cell)] + formulas


def wrong_in_lines(text: str) -> list[str]:
    """Return the lines that are no JSON object or hold a raw control character; programs get the text as it was."""
    lines = text.split("\n")[:-1]
    return [line[:60] for line in lines if re.search("[\x00-\x1f]", line) or not isinstance(json.loads(line), dict)]


def wrong_in(response: Any) -> list[str]:
    """Return what is wrong with an answer, whatever its kind."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    kind, text = response.headers.get("Content-Type", "").split(";")[0], body.decode()
    if response.status_code >= 500 and not response.wsgi_request.path.startswith("/readyz"):
        return [f"status {response.status_code}"]
    if kind == "text/html":
        return wrong_in_html(text)
    if kind == "text/csv":
        return wrong_in_csv(text)
    if kind == "application/json":
        json.loads(text)
    return []


@pytest.fixture
def reader(dana: Any) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(dana)
    return client


def test_the_checks_notice_what_they_are_for():
    assert wrong_in_html(f"<p>{TEXT}</p>")[:3] == ["<img>", "<script>", "img onerror="]
    assert wrong_in_html("<p>a\u202eb</p>") == ["text that can not be seen: 'a\\u202eb'"]
    assert wrong_in_html('<a href=" JavaScript:x" title="a\u202eb">x</a>') == [
        "a href= JavaScript:x",
        "a title holds what can not be seen",
    ]
    assert wrong_in_csv('"=1+1","-7","ok"\n"+x","a\u202eb"\n') == ["a\u202eb", "=1+1", "+x"]


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_no_answer_breaks_or_does_what_a_log_says(reader: Client, headers: dict[str, str]):
    estate = make_estate(alerts=3)
    wrong, seen, kinds = {}, 0, set()
    for one in pages.addresses(estate):
        response = reader.get(one.url, headers=headers)
        if told := wrong_in(response):
            wrong[one.url[:80]] = told
        kinds.add(response.headers.get("Content-Type", "").split(";")[0])
        seen += not response.streaming and any(mark in response.text for mark in MARKS)
    assert wrong == {}
    assert seen > 10, "the hostile text is shown nowhere, so nothing was tested"
    assert {"text/html", "application/json"} <= kinds


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_no_export_holds_a_formula_or_what_can_not_be_seen(reader: Client, form: str):
    make_estate(alerts=3)
    # Files of many rows; one alert's file for another program has its own tests (test_case_exports.py).
    found = [pattern for pattern in pages.patterns() if "export" in str(pattern.name)]
    exports = [pattern for pattern in found if not pattern.pattern.converters]
    assert len(exports) >= 2
    wrong = {}
    for pattern in exports:
        response = reader.post(pages.address(pattern, {}), {"format": form, "from": "2026-01-01T00:00:00Z"})
        assert response.status_code == 200
        body = b"".join(response.streaming_content).decode()
        assert any(mark in body for mark in MARKS), f"{pattern.name} holds none of the hostile text"
        kind = response.headers["Content-Type"].split(";")[0]
        wrong[pattern.name] = wrong_in_csv(body) if kind == "text/csv" else wrong_in_lines(body)
    assert {name: told for name, told in wrong.items() if told} == {}


@pytest.mark.parametrize(
    "text", [TEXT, "\0\u202e", "9" * 4000, "(((", "-1"], ids=["all", "unseen", "long", "open", "small"]
)
def test_no_address_breaks_a_page(reader: Client, text: str):
    estate = make_estate("Accepted password for backup", alerts=1)
    together = dict.fromkeys(PARAMETERS, text)
    wrong = {}
    for pattern in pages.patterns():
        url = pages.address(pattern, estate)
        for asked in (together, {"q": text}, {"name": text}):
            if told := wrong_in(reader.get(url, asked)):
                wrong[f"{pattern.name} {len(asked)}"] = told
    assert wrong == {}


def test_a_line_of_a_hundred_thousand_characters_does_not_make_a_page_of_that_size(reader: Client):
    estate = make_estate(alerts=0)
    large = {
        one.url[:80]: len(response.content)
        for one in pages.addresses(estate)
        if pages.is_page(response := reader.get(one.url)) and len(response.content) > 5 * LONG
    }
    assert large == {}

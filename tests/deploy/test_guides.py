"""The guides for those who run Winnow keep up with it: snippets, commands and figures are those of the product."""

import html
import re

import pytest
from django.core.management import get_commands
from django.template.loader import render_to_string

from tests.deployment import ROOT

pytestmark = pytest.mark.once
GUIDES = ("install", "upgrade", "forward", "size", "extend", "operate", "backup")
DETAILS = re.compile(
    r'<summary>(.*?)</summary><p class="snippet-note muted">(.*?)</p><pre[^>]*><code id="s-\w+">(.*?)</code>', re.S
)


def snippets() -> list[tuple[str, str, str]]:
    """Return title, note and text of each snippet of the sources page, for a host behind TLS."""
    context = {
        "scheme": "https", "host": "winnow.example", "hostname": "winnow.example", "port": 443, "channel": "",
        "snippet_token": "YOUR_TOKEN",
    }  # fmt: skip
    found = DETAILS.findall(render_to_string("alerts/_snippets.html", context))
    return [(html.unescape(title), html.unescape(note), html.unescape(text)) for title, note, text in found]


def test_every_snippet_of_the_sources_page_is_in_the_guide_as_it_stands():
    guide = (ROOT / "docs/forward.md").read_text()
    parts = dict(re.findall(r"^### ([^\n]+)\n\n(.*?)(?=\n### |\Z)", guide, re.M | re.S))
    assert parts == {title: f"{note}\n\n```\n{text}\n```\n" for title, note, text in snippets()}
    assert len(parts) > 10


@pytest.mark.parametrize("name", GUIDES)
def test_every_command_of_a_guide_exists(name: str):
    text = (ROOT / f"docs/{name}.md").read_text()
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) - set(get_commands()) == set()


def test_every_path_of_the_guide_is_one_of_the_intake():
    from triage.intake.routes import endpoint_for

    guide = (ROOT / "docs/forward.md").read_text()
    named = set(re.findall(r"(?<=to `)(/[\w/]+)", guide)) | set(re.findall(r"winnow\.example(/[\w/]+)", guide))
    assert len(named) >= 6
    assert [path for path in named if endpoint_for(path.rstrip("/")) is None] == []


def test_every_variable_of_the_guide_is_one_that_settings_read():
    known = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    for name in ("install", "upgrade", "extend"):
        text = (ROOT / f"docs/{name}.md").read_text()
        named = set(re.findall(r"(?<!\w)([A-Z]{3,}(?:_[A-Z]+)+)(?!\w)", text))
        assert {one.removesuffix("_FILE") for one in named} - known == set(), name


def test_the_size_table_is_the_arithmetic_it_says():
    text = (ROOT / "docs/size.md").read_text()
    rows = re.findall(r"^\| ([\d,]+) \| ([\d.,]+) \| (\d+) \| ([\d.,]+) GB \| ([\d.,]+) GB \|", text, re.M)
    assert len(rows) >= 6
    for rate, millions, cores, raw, disk in ((float(x.replace(",", "")) for x in row) for row in rows):
        assert millions == round(rate * 86_400 / 1e6, 1)
        assert cores == max(2, -(-rate * 111e-6 * 1.5 // 1))
        assert raw == round(rate * 86_400 * 386 / 1e9, 1)
        assert disk == round(rate * 86_400 * 607 * 30 / 1e9)
    readme = (ROOT / "README.md").read_text()
    assert "18,021" in readme
    assert "PostgreSQL 607" in readme

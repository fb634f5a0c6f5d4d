"""Text in spreadsheets and chat messages does nothing."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import exports
from alerts.exports import csv_cell, webhook_text

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.example","x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1", " =1", "'=1",
        '"=1', "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20A", "\u22121+1", "\u2013cmd", "\u201c=1", "\u3000=1",
        "\u00a0=1", "\ufe63" + "1", "\u207a1", "-7",
    ],
)  # fmt: skip
def test_a_formula_is_led_by_an_apostrophe(text):
    (row,) = csv.reader(io.StringIO(csv_cell(text) + "\r\n"))
    (cell,) = row
    assert cell[0] in "'⟨"  # \r is spelled out, so that it leads nothing
    assert len(cell) > 1


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-7, '"-7"'),
        (1e-05, '"1e-05"'),
        (None, '""'),
        ("", '""'),
        ("alice", '"alice"'),
        ("a-b=c+d@e", '"a-b=c+d@e"'),
        ('say "x", y', '"say ""x"", y"'),
        ("a\nb\tc", '"a b c"'),
        ("a\u202eb\x00", '"a⟨U+202E⟩b⟨U+0000⟩"'),
    ],
)
def test_other_values_stay_what_they_are(value, cell):
    assert csv_cell(value) == cell


def test_a_long_cell_is_cut_with_a_note():
    assert len(csv_cell("x" * 3 * exports.MAX_CELL)) < exports.MAX_CELL + 60


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_cells_stay_cells_and_none_begins_a_formula(texts):
    (row,) = csv.reader(io.StringIO(",".join(csv_cell(text) for text in texts)))
    assert len(row) == len(texts)
    assert all(not cell or cell.lstrip(" ")[:1] not in tuple("=+-@\t\r") for cell in row)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("see https://evil.example/x", "see hxxps[:]//evil[.]example/x"),
        ("203.0.113.7 and 2001:db8::1", "203[.]0[.]113[.]7 and 2001[:]db8[:][:]1"),
        ("mail a@b.example", "mail a[@]b[.]example"),
        ("@here @channel <!everyone> <@U123>", "(at)here (at)channel ‹!everyone› ‹(at)U123›"),
        ("\uff20here evil\u3002example", "(at)here evil[.]example"),
        ("[click](https://evil.example)", "[click] (hxxps[:]//evil[.]example)"),
        ("*b* _i_ `c` ~s~ ssh_login", "∗b∗ ＿i＿ 'c' ∼s∼ ssh_login"),
        ("mailto:x javascript:alert(1)", "mailto[:]x javascript[:]alert(1)"),
        (r"\\evil\share", r"[\]evil\share"),
        ("# head\n> quote\nlast", " head › quote last"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("beacon.exe by user.name", "beacon.exe by user.name"),
    ],
)
def test_a_chat_message_is_inert(text, line):
    assert webhook_text(text) == line


@given(st.text(alphabet="ab.@:/<>!*_`[]()\\#h tps\n1", max_size=60))
def test_nothing_mentions_links_or_breaks_the_line(text):
    line = webhook_text(text)
    assert not re.search(r"@(?!\])|[<>`*~\n]|\]\(|://(?<!\]//)", line)
    assert len(line) < 8 * exports.MAX_WEBHOOK

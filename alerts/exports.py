"""Alert text on its way into other programs: spreadsheets and chat.

Handed: text that an attacker or a language model may have written. Hands on: the same text as one CSV cell that no
spreadsheet takes for a formula, or as one line of a chat message that mentions nobody, formats nothing and opens no
link. What was written can still be read. Pages have their own: :mod:`alerts.text`.
"""

import re
import unicodedata

from alerts.text import defanged, visible

MAX_CELL = 20_000
MAX_WEBHOOK = 3000
#: First characters that a spreadsheet reads as the beginning of a formula.
_FORMULA = frozenset("=+-@")
#: What looks like one of them and stays what it is under NFKC: hyphens, dashes, minus, plus and equals signs.
_LOOKALIKE = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2796\u2795\ua78a\u30a0\u02d7\u058a\u1806\u1427")
#: An import may take these away, so what comes after them stands first.
_LEADING = re.compile(r"[\s'\"`\u00b4\u2018\u2019\u201c\u201d]+")
#: Dots that names on the network may also be written with.
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_SCHEME = re.compile(r"\b(javascript|vbscript|data|mailto|tel|sms|file|smb|ms-[a-z-]{1,30}):", re.IGNORECASE)
#: Formatting signs -> signs that look alike and format nothing.
_FORMATTING = str.maketrans({"*": "\u2217", "`": "'", "~": "\u223c", "<": "\u2039", ">": "\u203a"})
#: Underscores inside a word (``ssh_login``) format nothing; around one they do.
_EDGE_UNDERSCORES = re.compile(r"(?<![A-Za-z0-9_])_+|_+(?![A-Za-z0-9_])")


def csv_cell(value: object) -> str:
    r"""Return a value as one quoted CSV cell: a formula is led by an apostrophe, what is unseen is spelled out.

    Numbers keep their sign, text that looks like one does not. Line breaks and tabs become spaces.

    >>> print(csv_cell("=1+1"), csv_cell(-7), csv_cell('a "b" '), csv_cell(None))
    "'=1+1" "-7" "a ""b"" " ""
    """
    if isinstance(value, int | float):
        return f'"{value}"'
    text = re.sub(r"[\t\n]", " ", visible("" if value is None else value, MAX_CELL))
    text = f"'{text}" if _begins_formula(text) else text
    return '"' + text.replace('"', '""') + '"'


def webhook_text(text: object) -> str:
    """Return one line for a chat message: no link opens or unfolds, nobody is mentioned, nothing is formatted.

    It is not yet escaped for JSON: whoever sends it writes JSON with a library.

    >>> webhook_text("@here *see* <https://evil.example|ours> ssh_login")
    '(at)here ∗see∗ ‹hxxps[:]//evil[.]example|ours› ssh_login'
    """
    line = " ".join(visible(text, MAX_WEBHOOK).split())
    line = _DOTS.sub(".", line).replace("\uff20", "@").replace("\\\\", "[\\]").lstrip("#")
    line = re.sub(r"@(?!\])", "(at)", defanged(_SCHEME.sub(r"\1[:]", line)))
    return _EDGE_UNDERSCORES.sub("\uff3f", line.replace("](", "] (")).translate(_FORMATTING)


def _begins_formula(text: str) -> bool:
    """Return whether a spreadsheet may run the text from its first character on that is no blank or quote."""
    blanks = _LEADING.match(text)
    first = text[blanks.end() if blanks else 0 :][:1]
    return bool(first) and (first in _LOOKALIKE or unicodedata.normalize("NFKC", first)[0] in _FORMULA)

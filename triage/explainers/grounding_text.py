"""Text as the grounding check reads it: one spelling for one thing, and what counts as a plain word.

Handed: a claim's or an evidence line's text. Hands on: the text without defanging, typographic quotes and thousands
separators of other countries; a :class:`Draft` from which whatever has been looked at is blotted out; and whether a
word is ordinary English, so that the other words can be told to be names.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from triage import attack

#: Stands where something was recognised; it is no letter, digit or punctuation that any pattern here looks for.
BLOT = "\u25a0"
#: The same where a number was.
NUMERAL = "\u25a1"
WORDS = Path(__file__).parent / "words.txt"
_REFANG: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bh(?:xx|XX|\*\*)p(?=s?\W)", re.IGNORECASE), "http"),
    (re.compile(r"[\[({]\s?(?:\.|dot)\s?[\])}]", re.IGNORECASE), "."),
    (re.compile(r"[\[({](:|://)[\])}]"), r"\1"),
    (re.compile(r"[\[({](?:@|at)[\])}]", re.IGNORECASE), "@"),
    (re.compile(r"(?<=\d)['_](?=\d{3}(?!\d))"), ","),
)
_NARROW = re.compile("(?<=\\d)[\u00a0\u2009\u202f](?=\\d{3}(?!\\d))")
_QUOTES = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"', "`": "'", "\u2013": "-",
     "\u2014": " - ", "\u2212": "-"}
)  # fmt: skip
_ENDINGS = (
    "tion", "sion", "ment", "ness", "ance", "ence", "able", "ible", "ously", "ically", "ising", "izing", "ised", "ized",
    "wards", "ability", "ibility",
)  # fmt: skip
#: Ending of a word and what stands in its place in the word it comes from.
_INFLECTED = (
    ("ies", "y"), ("ied", "y"), ("es", ""), ("es", "e"), ("s", ""), ("ed", ""), ("ed", "e"), ("d", ""), ("ing", ""),
    ("ing", "e"), ("ly", ""), ("er", ""), ("er", "e"), ("ers", ""), ("est", ""), ("ist", ""), ("al", ""),
    ("or", ""), ("or", "e"), ("ors", ""), ("ors", "e"),
)  # fmt: skip
#: First names that look like words, or like forms of words.
_FIRST_NAMES_WORDS = "james maria jack frank frances peter lawrence heather mason glen dean lily ivy penny ray drew"
_FIRST_NAMES = frozenset(_FIRST_NAMES_WORDS.split())
_PREFIXES = ("un", "de", "re", "non", "mis", "over", "out", "pre", "dis", "sub", "inter", "multi", "anti")


def normal(text: str) -> str:
    """Return the text in one spelling, addresses and links refanged.

    >>> normal("hxxps://evil[.]example from 192.0.2(.)7")
    'https://evil.example from 192.0.2.7'
    """
    text = unicodedata.normalize("NFKC", _NARROW.sub(",", text)).translate(_QUOTES)
    for pattern, replacement in _REFANG:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


@dataclass(slots=True)
class Draft:
    """A claim while it is checked: ``text`` as normalised, ``rest`` with what was looked at blotted out.

    ``facts`` counts the things that were recognised. Both texts have the same length.
    """

    text: str
    rest: str = ""
    facts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rest = self.rest or self.text

    def blot(self, start: int, end: int, mark: str = BLOT) -> None:
        """Take a span out of what is still to be looked at."""
        self.rest = self.rest[:start] + mark * (end - start) + self.rest[end:]

    def take(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Yield the matches in what is left, each blotted out once it was looked at."""
        for match in list(pattern.finditer(self.rest)):
            yield match
            self.blot(match.start(), match.end())


@cache
def words() -> frozenset[str]:
    """Return ordinary English words, those of the field (ATT&CK's names) among them."""
    rows = WORDS.read_text(encoding="utf-8").splitlines()
    held = {word for row in rows if not row.startswith("#") for word in row.split()}
    named = " ".join(row.name for row in attack.techniques().values())
    return frozenset(held | {word.lower() for word in re.findall(r"[A-Za-z]{3,}", named)})


@cache
def _is_word(word: str) -> bool:
    known = words()
    if word in known:
        return True
    for ending, instead in _INFLECTED:
        stem = word.removesuffix(ending) + instead
        doubled = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem
        if word.endswith(ending) and len(stem) >= 3 and (stem in known or doubled in known):
            return True
    return False


def is_plain(word: str) -> bool:
    """Tell whether a word is ordinary English in some form.

    >>> is_plain("logins"), is_plain("Tried"), is_plain("unremarkable"), is_plain("mallory"), is_plain("db-1")
    (True, True, True, False, False)
    """
    word = word.lower()
    if word in _FIRST_NAMES:
        return False
    if not word.isalpha():
        parts = [part for part in re.split(r"[-'/]", word) if part]
        return bool(parts) and all(part.isalpha() for part in parts) and all(is_plain(part) for part in parts)
    if len(word) == 1 or _is_word(word):
        return True
    if len(word) >= 7 and word.removesuffix("s").endswith(_ENDINGS):
        return True
    return any(word.startswith(prefix) and _is_word(word[len(prefix) :]) for prefix in _PREFIXES if len(word) > 5)


def occurs(needle: str, hay: str, *, domain: bool = False) -> bool:
    """Tell whether lower-case ``needle`` stands in lower-case ``hay`` as a whole, not as part of a longer name.

    A host's first label counts for the host, a directory for what is in it; ``evil.com`` is not in ``evil.com.au``.

    >>> occurs("db-1", "on db-1.corp"), occurs("db-1", "on db-12"), occurs("10.0.0.1", "10.0.0.10")
    (True, False, False)
    """
    structured = not needle.isalpha()
    start = hay.find(needle) if needle else -1
    while start >= 0:
        before, after = hay[start - 1 : start], hay[start + len(needle) : start + len(needle) + 2]
        if _ends(before, structured) and _ends(after[:1], structured) and not (domain and _dotted(after)):
            return True
        start = hay.find(needle, start + 1)
    return False


def _ends(character: str, structured: bool) -> bool:
    return not character or not (character.isalnum() or character == "_" or (structured and character == "-"))


def _dotted(after: str) -> bool:
    return len(after) == 2 and after[0] == "." and after[1].isalnum()

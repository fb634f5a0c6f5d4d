"""The language of the event search: text to conditions, and conditions back to text.

Handed: what a person wrote, at most :data:`MAX_LENGTH` characters. Hands on: a condition of
:mod:`triage.conditions`, or a :class:`QueryError` that says where it cannot be read and what would help. What
:func:`write` writes reads as the same condition again, so an address, a saved view and the search box agree.

::

    user:root -host:web-* source.ip:10.0.0.7 "failed password"      all of them, not that host
    (code:4625 OR code:4771) p:<0.001 timestamp:[2026-11-20 TO 2026-11-21}
"""

import datetime as dt
import re
from dataclasses import dataclass

from alerts.event_query_text import write
from triage import ecs
from triage.conditions import (
    EVERYTHING,
    NUMBER_FIELDS,
    OWN_FIELDS,
    TIME_FIELDS,
    Any,
    Bound,
    Condition,
    Match,
    Not,
    Present,
    Text,
    Within,
    both,
)

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "MAX_TERMS", "QueryError", "moment", "parse", "write"]

MAX_LENGTH = 2000
MAX_TERMS = 64
MAX_DEPTH = 12
#: Years of times that are asked for: far from where adding a day overflows.
FIRST_YEAR, LAST_YEAR = 1900, 2200
#: Short names; ``ip`` is either end of a connection.
SHORT: dict[str, tuple[str, ...]] = {
    "user": ("user.name",),
    "host": ("host.name",),
    "ip": ("source.ip", "destination.ip"),
    "src": ("source.ip",),
    "dst": ("destination.ip",),
    "process": ("process.name",),
    "code": ("event.code",),
    "action": ("event.action",),
    "category": ("event.category",),
    "outcome": ("event.outcome",),
    "level": ("log.level",),
    "domain": ("url.domain",),
    "time": ("timestamp",),
    "@timestamp": ("timestamp",),
    "feed": ("source",),
    "p_value": ("p",),
}
YES, NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<open>\() | (?P<close>\)) | (?P<minus>-(?=[^\s)])) |
        (?P<field>[A-Za-z_@][A-Za-z0-9_.@-]*:(?=\S)) |
        (?P<range>[\[{][^\]}\[{]{0,200}[\]}]) |
        (?P<compare>[<>]=?(?=[^\s)]{1,60})) |
        (?P<value>\*?"(?:[^"\\]|\\.)*"\*? | [^\s()"]+)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r'\\(?:(["\\])|u\{([0-9A-Fa-f]{1,6})\})')
_RANGE = re.compile(r"([\[{])\s*(\S+)\s+TO\s+(\S+)\s*([\]}])")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class QueryError(ValueError):
    """What was written cannot be read; ``position`` is the 0-based place of the first character that is wrong."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Condition:
    """Return what is asked for; nothing asks for every event. Raise :class:`QueryError`."""
    if len(text) > MAX_LENGTH:
        raise QueryError(f"longer than {MAX_LENGTH:,} characters", MAX_LENGTH)
    if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise QueryError("holds a character that no event has", 0)
    reader = _Reader(_tokens(text), len(text))
    return reader.whole()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise QueryError("a quotation mark is not closed" if text[at] in '"*' else "cannot be read", at)
        kind = str(match.lastgroup)
        before = found[-1].kind if found and found[-1].at + len(found[-1].text) == at else ""
        if _is_plain(kind, before):
            kind, end = _as_value(text, at)
        else:
            end = match.end()
        if kind != "space":
            found.append(_Token(kind, text[at:end], at))
        at = end
    return found


def _is_plain(kind: str, before: str) -> bool:
    """Whether a sign means nothing special behind the kind of token that it touches."""
    if before == "compare":
        return kind != "space"
    if kind in ("range", "compare"):
        return before != "field"
    return kind in ("minus", "field") and before == "field"


def _as_value(text: str, at: int) -> tuple[str, int]:
    """Return a sign or a colon that means nothing special here as the beginning of a plain value."""
    plain = re.compile(r'[^\s()"]+').match(text, at)
    return "value", plain.end() if plain else at + 1


class _Reader:
    """Reads tokens from left to right; ``OR`` binds less than standing side by side, which binds less than ``-``."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens, self._end = tokens, end
        self._at = self._depth = self._terms = 0

    def whole(self) -> Condition:
        if not self._tokens:
            return EVERYTHING
        found = self._either()
        if (token := self._peek()) is not None:
            raise QueryError("a bracket is closed that was not opened", token.at)
        return found

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _is_word(self, word: str) -> bool:
        token = self._peek()
        return token is not None and token.kind == "value" and token.text == word

    def _place(self) -> int:
        token = self._peek()
        return self._end if token is None else token.at

    def _either(self) -> Condition:
        parts = [self._side_by_side()]
        while self._is_word("OR"):
            self._take()
            parts.append(self._side_by_side())
        return _any(parts)

    def _side_by_side(self) -> Condition:
        parts = [self._one()]
        while (token := self._peek()) is not None and token.kind != "close" and not self._is_word("OR"):
            if self._is_word("AND"):
                self._take()
            parts.append(self._one())
        return both(*parts)

    def _one(self) -> Condition:
        token = self._peek()
        if token is None or token.kind == "close" or self._is_word("OR") or self._is_word("AND"):
            raise QueryError("something to look for is missing", self._place())
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError(f"nested deeper than {MAX_DEPTH}", token.at)
        found = self._nested(self._take())
        self._depth -= 1
        return found

    def _nested(self, token: _Token) -> Condition:
        if token.kind == "minus" or (token.kind == "value" and token.text == "NOT"):
            return _not(self._one())
        if token.kind == "open":
            found = self._either()
            if (closing := self._peek()) is None or closing.kind != "close":
                raise QueryError("a bracket is not closed", token.at)
            self._take()
            return found
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise QueryError(f"more than {MAX_TERMS} terms", token.at)
        return self._field(token) if token.kind == "field" else _text(token)

    def _field(self, token: _Token) -> Condition:
        names = _names(token)
        following = self._peek()
        if following is None or following.at != token.at + len(token.text):
            raise QueryError(f"what {token.text} should be is missing", token.at + len(token.text))
        if following.kind == "compare":
            return _any([_compared(name, self._take(), self._bound()) for name in names[:1]])
        if following.kind not in ("value", "range"):
            raise QueryError(f"what {token.text} should be is missing", following.at)
        value = self._take()
        return _any([_asked(name, value) for name in names])

    def _bound(self) -> _Token:
        token = self._peek()
        if token is None or token.kind != "value":
            raise QueryError("a number or a time is missing", self._place())
        return self._take()


def _names(token: _Token) -> tuple[str, ...]:
    name = token.text[:-1]
    if name.lower() in SHORT:
        return SHORT[name.lower()]
    if name in OWN_FIELDS or name in ecs.PLAIN_NAMES or ("." in name.strip(".") and not name.endswith(".")):
        return (name,)
    known = ", ".join(sorted(set(SHORT) - {"@timestamp", "p_value"} | (OWN_FIELDS - {"id"})))
    raise QueryError(
        f'no field is called "{name}"; put it in quotes to look for the text. Short names: {known}', token.at
    )


def _any(parts: list[Condition]) -> Condition:
    flat: list[Condition] = []
    for one in parts:
        flat.extend(one.parts if isinstance(one, Any) else (one,))
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else Any(unique)


def _not(part: Condition) -> Condition:
    return part.part if isinstance(part, Not) else Not(part)


def _unquoted(token: _Token) -> tuple[str, bool, bool]:
    """Return a value's text and whether anything may stand before and after it."""
    text = token.text
    if '"' in text:
        start, end = text.index('"'), text.rindex('"')
        inner = _ESCAPE.sub(lambda match: _unescaped(match, token.at + start + 1), text[start + 1 : end])
        return inner, start > 0, end < len(text) - 1
    bare = text.strip("*")
    if "*" in bare:
        raise QueryError(
            "* stands at an end only; put it in quotes to look for the sign", token.at + text.index("*", 1)
        )
    return bare, text.startswith("*"), text.endswith("*")


def _unescaped(match: re.Match[str], at: int) -> str:
    if match[1]:
        return match[1]
    code = int(match[2], 16)
    if not 0 < code < 0x110000 or 0xD800 <= code < 0xE000:
        raise QueryError("holds a character that no event has", at + match.start())
    return chr(code)


def _text(token: _Token) -> Condition:
    text, before, after = _unquoted(token)
    if token.text.endswith(":") and token.text[:-1].lower() in SHORT.keys() | OWN_FIELDS:
        raise QueryError(f"what {token.text} should be is missing", token.at + len(token.text))
    if text.strip():
        return Text(text, before, after)
    if before or after:
        return EVERYTHING
    raise QueryError("an empty text is in every event", token.at)


def _asked(name: str, token: _Token) -> Condition:
    if token.kind == "range":
        return _ranged(name, token)
    text, before, after = _unquoted(token)
    if not text and (before or after):
        return Present(name)
    if name == "flagged":
        return _flagged(text, token.at)
    if name in TIME_FIELDS:
        return _on_day(name, text, token.at)
    if name in NUMBER_FIELDS:
        number = _limit(name, text, token.at)
        return Within(name, number, number)
    if name == "message":
        return Text(text, before, after) if text.strip() else Not(Present(name))
    return Match(name, text, before, after) if text else Not(Present(name))


def _flagged(text: str, at: int) -> Condition:
    if text.lower() not in YES | NO:
        raise QueryError("flagged is yes or no", at)
    return Match("flagged", "true" if text.lower() in YES else "false")


def _on_day(name: str, text: str, at: int) -> Condition:
    if not _DATE.fullmatch(text):
        raise QueryError(f"{name} needs a day (2026-11-20), a comparison (>2026-11-20T10:00) or a range [.. TO ..]", at)
    day = _moment(text, at)
    return Within(name, day, day + dt.timedelta(days=1), high_included=False)


def _ranged(name: str, token: _Token) -> Condition:
    match = _RANGE.fullmatch(token.text)
    if match is None:
        raise QueryError("a range is written [from TO to], with * for an open end", token.at)
    opening, low, high, closing = match.groups()
    if low == high == "*":
        return Present(name)
    first = None if low == "*" else _limit(name, low.strip('"'), token.at)
    last = None if high == "*" else _limit(name, high.strip('"'), token.at)
    return Within(name, first, last, opening == "[" or first is None, closing == "]" or last is None)


def _compared(name: str, sign: _Token, bound: _Token) -> Condition:
    limit = _limit(name, _unquoted(bound)[0], bound.at)
    if sign.text[0] == ">":
        return Within(name, limit, None, low_included=sign.text == ">=")
    return Within(name, None, limit, high_included=sign.text == "<=")


def _limit(name: str, text: str, at: int) -> Bound:
    if name in TIME_FIELDS:
        return _moment(text, at)
    try:
        number = float(text)
    except ValueError:
        raise QueryError(f"{name} needs a number, not {text[:40]!r}", at) from None
    if not -1e300 < number < 1e300:
        raise QueryError("not a number that an event can have", at)
    return number


def _moment(text: str, at: int) -> dt.datetime:
    try:
        return moment(text)
    except ValueError:
        raise QueryError(f"not a time: {text[:40]!r}; write 2026-11-20 or 2026-11-20T10:12", at) from None


def moment(text: str) -> dt.datetime:
    """Return a time in UTC from ISO 8601, UTC where no zone is given; raise ValueError, also where no log has its year.

    >>> moment("2026-11-20T10:12+01:00").isoformat()
    '2026-11-20T09:12:00+00:00'
    """
    found = dt.datetime.fromisoformat(text)
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError("no year that logs have")
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)

"""Names in a claim: addresses, domains, hashes, paths, users, hosts, processes, and what is quoted.

Handed: a claim's draft and the evidence it cites, and all evidence. Hands on: a :class:`Trouble` for each name that
is not there. What looks like an identifier (digits, dots, backslashes, underscores, inner capitals) must be in the
evidence; a word made of letters only when it stands where a name stands and is no ordinary English.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from triage.explainers.grounding_index import V4, V6, Index, address
from triage.explainers.grounding_text import BLOT, Draft, is_plain, occurs


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a claim does not rest on what it cites; ``misplaced`` when a line that it does not cite would bear it."""

    text: str
    misplaced: bool = False


@dataclass(frozen=True, slots=True)
class Basis:
    """What a claim is held against: the lines it cites, and all lines of the alert."""

    cited: Index
    whole: Index

    def judge(self, what: str, test: Callable[[Index, str], bool], wanted: str) -> Iterator[Trouble]:
        """Yield nothing when the cited lines have what is wanted, otherwise what is wrong."""
        if test(self.cited, wanted):
            return
        if test(self.whole, wanted):
            yield Trouble(f"{what} is not in the cited lines", misplaced=True)
        else:
            yield Trouble(f"{what} is in no evidence line")


_QUOTED = re.compile(r"\"([^\"]{1,300})\"|(?<![\w])'([^']{1,300})'(?!\w)")
#: In front of a quotation: what follows is a value, or a part of one.
_TELLS = re.compile(
    r"\b(?:contain(?:s|ed|ing)?|named|called|titled|names?|folder|subject|words?|keywords?|values?|reads|"
    r"label(?:led)?|parameter|"
    r"string|password|action|category)\W*$",
    re.IGNORECASE,
)
_PART = re.compile(
    r"\b(?:suffix|prefix|extension|ending|begins? with|starts? with|ends? with|letters|part)\W*$", re.IGNORECASE
)
_URL = re.compile(r"\b[a-z][a-z0-9+]{1,9}://[^\s\"'<>]+", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}")
_WINDOWS = re.compile(r"(?<!\w)(?:[A-Za-z]:\\|\\\\|HK[A-Z_]{1,22}\\)[^\s\"'<>|*?,;()]+")
_UNIX = re.compile(r"(?<![\w./\u25a0])~?/[\w.@%+=:~-]+(?:/[\w.@%+=:~-]*)*")
_WILD = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){0,2})\.(?:x|\*)(?:\.(?:x|\*)){0,2}(?!\w)")
_DOES = re.compile(
    r"\s+(?:connected|connects|talked|talks|sent|reached out|contacted|contacts|scanned|scans|"
    r"attacked|probed|queried)\b",
    re.IGNORECASE,
)
_SUFFERS = re.compile(
    r"\s+(?:was|is|were|got|has been|had been)\s+(?:contacted|reached|hit|scanned|attacked|probed|"
    r"queried|targeted)\b",
    re.IGNORECASE,
)
_DIRECTED = re.compile(
    r"(?P<word>\bfrom|\bto|\btowards?|\bagainst|\b(?:bound|destined|headed) for|\bleft|(?:contacted|reached|hit|"
    r"scanned|attacked|probed|"
    r"queried|sent) by)\s+(?:the\s)?(?:address\s|host\s|ip\s|server\s|source\s|client\s)?$",
    re.IGNORECASE,
)
_TOWARDS = re.compile(r"to|against|bound|destined|headed", re.IGNORECASE)
_NAMED_SIDE = re.compile(
    r"[\s,]+(?:(?:is|was|being|as)\s+)?(?:the|an?)\s(?:\w+\s)?(?:(?P<source>caller|client|sender|source|origin|"
    r"initiator|"
    r"attacker)|callee|target|destination|receiver|recipient|victim|server)\b",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"\b(?:could|may|might|would|pivot|repl|respon|answer|return|receiv|fetch|download|read|got|came "
    r"back|moved|mov)\w*",
    re.IGNORECASE,
)


def troubles(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield what is wrong with the names of a claim, in the order in which they are looked for; blots them out."""
    yield from _quoted(draft, basis)
    yield from _urls(draft, basis)
    yield from _addresses(draft, basis)
    yield from _values(draft, basis)
    yield from _paths(draft, basis)


def take_repeated(draft: Draft, basis: Basis) -> None:
    """Take out what repeats a cited line word for word, also where the claim was cut at its end."""
    for sentence in basis.whole.sentences:
        said, start = sentence, draft.rest.lower().find(sentence)
        if start < 0 and draft.rest.endswith("..."):  # an ellipsis, as normalised
            start = draft.rest.lower().find(sentence[:60])
            cut = draft.rest[start:-3].lower().rstrip() if start >= 0 else ""
            said = cut if len(cut) >= 60 and sentence.startswith(cut) else sentence
        if start >= 0 and _stands_alone(draft.rest, start, start + len(said)) and said in basis.cited.text:
            draft.blot(start, start + len(said))


def _quoted(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Check quotations; a quoted ordinary word or two may be the writer's own."""
    for match in list(_QUOTED.finditer(draft.rest)):
        inner = (match[1] or match[2] or "").strip(" .,;:")
        words = inner.split()
        told = draft.text[: match.start()][-40:]
        if not inner or (len(words) <= 2 and all(is_plain(word) for word in words) and not _TELLS.search(told)):
            continue
        if _PART.search(told) and inner.lower() in basis.cited.text:
            continue
        if BLOT in inner and not any(c.isalnum() for c in inner):
            continue
        if BLOT in inner:  # part of it repeats a line; the rest is looked at below
            continue
        wanted = inner.lower()
        yield from basis.judge(f'"{_short(inner)}"', _has_text, wanted)
        draft.facts.append(wanted)
        draft.blot(match.start(), match.end())


def _urls(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    for match in list(_URL.finditer(draft.rest)):
        url = match.group().rstrip(".,;:!?)]")
        draft.blot(match.start(), match.start() + len(url))
        draft.facts.append(url)
        yield from basis.judge(url, _has_url, url.lower())
    for match in list(_MAIL.finditer(draft.rest)):
        mail = match.group().rstrip(".")
        draft.blot(match.start(), match.start() + len(mail))
        draft.facts.append(mail)
        yield from basis.judge(mail, _has_domain, mail.lower())


def _has_url(index: Index, url: str) -> bool:
    """Tell whether a URL is there as a whole, or its host and its path are."""
    if occurs(url.rstrip("/"), index.text):
        return True
    host, _, path = url.partition("://")[2].partition("/")
    found = occurs(host.partition(":")[0], index.text, domain=True)
    return found and (not path or f"/{path}" in index.text)


def _addresses(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    for match in list(V4.finditer(draft.rest)) + list(V6.finditer(draft.rest)):
        canonical = address(match[1])
        if not canonical and match.re is V6:
            continue
        before = draft.text[: match.start()]
        draft.blot(match.start(), match.end())
        draft.facts.append(canonical)
        if match[2]:
            yield from basis.judge(match[0], _in_network, f"{match[1]}/{match[2]}")
            continue
        yield from basis.judge(match[1], _has_address, canonical)
        yield from _direction(canonical, before, draft.text[match.end() :], basis)
        if match.re is V4 and match[3]:
            yield from basis.judge(f"port {match[3]}", _has_port, match[3])
    for match in draft.take(_WILD):
        yield from basis.judge(match[0], _has_neighbour, f"{match[1]}.")


def _has_text(index: Index, wanted: str) -> bool:
    return (" " in wanted and wanted in index.text) or occurs(wanted, index.text) or is_part(wanted, index)


def is_part(word: str, index: Index) -> bool:
    """Tell whether a longer word of letters stands between other characters, as "invoice" in "invoice_04.iso"."""
    return len(word) >= 5 and word.isalpha() and bool(re.search(rf"(?<![^\W\d_]){word}(?![^\W\d_])", index.text))


def _has_domain(index: Index, wanted: str) -> bool:
    return occurs(wanted, index.text, domain=True)


def _has_address(index: Index, canonical: str) -> bool:
    return canonical in index.addresses


def _has_neighbour(index: Index, start: str) -> bool:
    return any(held.startswith(start) for held in index.addresses)


def _has_port(index: Index, port: str) -> bool:
    return float(port) in index.numbers.roles.get("port", index.numbers.every)


def _in_network(index: Index, text: str) -> bool:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return text in index.text or (
        network.prefixlen >= 8 and any(ipaddress.ip_address(held) in network for held in index.addresses)
    )


def _direction(value: str, before: str, after: str, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble when a claim says "from" of what is only a destination, or "to" of what is only a source."""
    said = _said_side(before, after)
    sides = basis.whole.roles.get(value)
    if not said or not sides or _REPLY.search(before):
        return
    held = frozenset().union(*basis.whole.roles.values())
    if said == "source" and sides <= {"destination", "server"} and held & {"source", "client"}:
        yield Trouble(f"{value} is where it went to, not where it came from")
    if said == "destination" and sides <= {"source", "client"} and held & {"destination", "server"}:
        yield Trouble(f"{value} is where it came from, not where it went to")


def _said_side(before: str, after: str) -> str:
    """Return which side of the traffic the words around an address give it, empty when they say nothing."""
    found = _DIRECTED.search(before[-40:])
    if found:
        return "destination" if _TOWARDS.match(found["word"]) else "source"
    named = _NAMED_SIDE.match(after)
    if named:
        return "source" if named["source"] else "destination"
    if _DOES.match(after):
        return "source"
    return "destination" if _SUFFERS.match(after) else ""


def _values(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Take out field values of the evidence, longest first."""
    own = set(basis.cited.values)
    for value in basis.whole.values:
        if value.replace(",", "").replace(".", "").isdigit():
            continue
        start = draft.rest.lower().find(value)
        while start >= 0:
            if _stands_alone(draft.rest, start, start + len(value)):
                draft.blot(start, start + len(value))
                draft.facts.append(value)
                apart = " " in value and all(occurs(word, basis.cited.text) for word in value.split())
                if value not in own and not apart and not occurs(value, basis.cited.text):
                    yield Trouble(f"{_short(value)} is not in the cited lines", misplaced=True)
            start = draft.rest.lower().find(value, start + len(value))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether a span is not the part of a longer name or path."""
    before, after = text[start - 1 : start] if start else "", text[end : end + 2]
    if before and (before.isalnum() or before in "_-.\\/@"):
        return False
    if not after or not (after[0].isalnum() or after[0] in "_-\\/@.:$"):
        return True
    return after[0] in ".:-/" and not (len(after) == 2 and (after[1].isalnum() or after[1] in "_\\/"))


def _paths(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    for pattern in (_WINDOWS, _UNIX):
        for match in list(pattern.finditer(draft.rest)):
            path = match.group().rstrip(".,;:!?)")
            draft.blot(match.start(), match.start() + len(path))
            draft.facts.append(path)
            wanted = path.lower().rstrip("/\\")
            yield from basis.judge(path, _has_path, wanted)


def _has_path(index: Index, wanted: str) -> bool:
    return occurs(wanted, index.text) or occurs(wanted.replace("\\", "\\\\"), index.text)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}\u2026"

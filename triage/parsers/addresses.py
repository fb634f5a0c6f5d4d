"""Addresses in free text, by the word that says what they are.

Handed: a sentence of any program. Hands on: ``source.ip``/``source.port`` and ``destination.ip``/``destination.port``
when a word before the address says that it is the peer's (``from``, ``client``, ``rhost=``) or the machine's own
(``to``, ``server:``, ``lip=``), or an arrow stands between two. An address that no word explains stays unread.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from triage.contracts import Fields

MAX_READ = 2_000
V4 = r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)"
V6 = r"(?:[0-9A-Fa-f]{0,4}:){2,8}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,5})(?:%\w{1,16})?"
_ONE = rf"(?:{V4}|{V6})"
_PORT = r"(?:\]?(?::|#| port:? |/|\()(\d{1,5})(?!\d))?"
_ANY = re.compile(rf"{V4}|(?<![\w:.]){V6}")
#: What may stand between the word and the address: brackets, a name with the address behind it, an address family.
_BETWEEN = (
    r"[\"'\[(<]{0,3}(?:(?:the )?(?:ip|ips|ip[ -]?address|address|addr|host|hostname|client|user|peer|remote)[ :=]{1,2}"
    r"|@0x[0-9a-f]{1,16} |ipv[46][:/](?:\w{1,6}/)?|\d{1,9} |\[?af_inet6?\]|ip/|/"
    r"|(?:[\w.-]{1,128} )?\([^()\s]{0,128}\) \[|[^'\s]{0,64}' \((?:\w{3,4}:)?|[\w.+-]{1,128}(?:@| ?\[| ?\()\(?\[?)?"
    r"[\"'\[(<]{0,2}"
)
_PEER = re.compile(
    r"(?<![A-Za-z\d])(?P<word>from|clients?|client[ _-]?(?:ip|addr(?:ess)?|address)|c-ip|remote[ _]?(?:ip|addr"
    r"|address|host)"
    r"|(?:src|source)(?:[ _.]?(?:ip|addr|address|host))?|ip|ip[ _-]?addr(?:ess)?|rhost|rip|peer(?:[ _]?(?:ip|addr"
    r"|address))?"
    r"|addr|address|caller(?:[ _]?ip)?|visitor[ _]?ip|user[ _]?ip|host(?==)|oip|cip|origin|offender|attacker|laravel_ip"
    r"|(?:closed|reset|refused|sent|initiated|received|aborted|dropped|lost|terminated) by|connection|connect"
    r"|downstream|h(?==)|relay(?==)|failed for|detected|host(?= )|ban|unban|found|block(?:ed|ing)?|rejecting"
    r""
    r"|with)(?:[\"']?\s{0,2}[=:](?!:[^:])\s{0,2}| )"
    rf"{_BETWEEN}(?P<address>{_ONE}){_PORT}",
)
_SELF = re.compile(
    r"(?<![A-Za-z\d])(?:(?:server(?:[ _]?(?:ip|addr|address))?|lip|laddr|s-ip|target[ "
    r"_]?ip)[\"']?\s{0,2}[=:](?!:[^:])\s{0,2}"
    r"|(?:dst|dest|destination|(?:dst|dest|destination)[ _]?(?:ip|addr|address)|local[ _]?(?:ip|addr|address)"
    r"|server[ _](?:ip|addr|address))"
    rf"(?:[\"']?\s{{0,2}}[=:](?!:[^:])\s{{0,2}}| )){_BETWEEN}(?P<address>{_ONE}){_PORT}",
)
#: ``to`` means a connection's end after ``from`` or a word of sending; one can also be bound or renewed to an address.
_TO = re.compile(rf"(?<![a-z\d])to {_BETWEEN}(?P<address>{_ONE}){_PORT}")
_SENDING = re.compile(
    r"(?:connect\w{0,4}|connection|packets?|sent|sending|forward\w{0,4}|login|traffic|requests?|attempts?|access) \Z"
)
_END = rf"\[?((?:\d{{1,3}}\.){{3}}\d{{1,3}}|{V6})(?:\]?[:.,/](\d{{1,5}}))?\]?"
_ARROW = re.compile(rf"{_END} ?(?:->|=>|-->|>) ?{_END}(?!\d)")
#: ``192.0.2.1:5000 (198.51.100.2:22)``: both ends of a connection.
_PAIR = re.compile(rf"(?<![\w.:])({_ONE}):(\d{{1,5}}) \(({_ONE}):(\d{{1,5}})\)")
_MAY_PAIR = re.compile(r":\d{1,5} \([\d:a-fA-F]")
_QUICK = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d|::|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:")
#: ``host [192.0.2.1]:5000`` and ``(helo) [192.0.2.1]`` as exim, ``name (host[192.0.2.1])`` as proftpd writes the peer.
_MAIL = re.compile(
    rf"(?:for|H=\S{{0,255}}) (?:[^\s\[(]{{1,255}} )?(?:\(\S{{0,255}}\) )?\[(?P<address>{_ONE})\](?::(\d{{1,5}}))?"
)
_FTP = re.compile(rf" \([\w.:-]{{1,255}}\[(?P<address>{_ONE})()\]\)")
#: ``192.0.2.1 - alice "POST /`` and ``alice - 192.0.2.1 ``: the beginnings of access lines.
_COMMON = re.compile(rf"({_ONE}) - ([^\s\"\[]{{1,128}}) (?:\[[^\]]{{1,64}}\] )?\"[A-Z]{{3,9}} ")
_NAME_FIRST = re.compile(rf"([^\s\"\[\]:]{{1,64}}) - ({V4}|{V6}) \S")
#: A line that begins with its peer: ``192.0.2.1:5000 text``, ``[192.0.2.1] text``, ``192.0.2.1 - text``.
_FIRST = re.compile(
    rf"(?:(?:\w{{8,20}}: )?(?:[\w.-]{{1,255}} (?=\[))?(\[|<)({_ONE})(?:[:#](\d{{1,5}}))?[^\]>\s]{{0,40}}[\]>]"
    rf"|({_ONE})(?:[:#](\d{{1,5}}):?(?= )|(?= - )|(?=: )"
    rf"|(?= ->)))"
)
_ASCII_LOW = {code: code + 32 for code in range(65, 91)}
#: Words before a peer's word that turn it around.
_NOT_PEER = re.compile(
    r"(?:server|local|dest|destination|dst|nat|listen\w{0,3}|bind|public|virtual|gateway|assigned|lease|leased"
    r"|mapped|upstream"
    r"|to|own|released|external|internal)[ _.:-]{0,2}(?:(?:ip|addr|address)[ =:]{1,2})?\Z",
    re.IGNORECASE,
)


def _is_quad(parts: list[str]) -> bool:
    return len(parts) == 4 and all(part.isdigit() and len(part) < 4 and int(part) < 256 for part in parts)


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """Return an address as it is stored, an empty string when it is none; ``::ffff:`` and zones are taken off."""
    if "." in text and ":" not in text:
        parts = text.split(".") if text.isascii() else []
        return text if _is_quad(parts) else ""
    plain = text.partition("%")[0]
    try:
        found = IPv6Address(plain)
    except (AddressValueError, ValueError):
        return ""
    return str(found.ipv4_mapped) if found.ipv4_mapped else plain.lower()


def put(fields: Fields, side: str, text: str, port: str | None) -> bool:
    """Set one end of a connection; nothing when the text is no address or the end is known."""
    address = canonical(text)
    if not address and text.count(":") > 2:  # "::1:37752": an address without brackets takes its port in
        text, _, port = text.rpartition(":")
        address = canonical(text) if is_port(port) else ""
    if not address or f"{side}.ip" in fields:
        return False
    fields[f"{side}.ip"] = address
    if port and is_port(port):
        fields[f"{side}.port"] = int(port)
    return True


def is_port(text: str) -> bool:
    """Return whether a text is the number of a port."""
    return len(text) <= 5 and text.isascii() and text.isdigit() and int(text) < 65_536


def lowered(text: str) -> str:
    """Return the text in small letters, place by place; patterns that ignore case are several times slower."""
    low = text.lower()
    return low if len(low) == len(text) else text.translate(_ASCII_LOW)


def has_any(text: str) -> bool:
    """Return whether anything in the text looks like an address."""
    return _QUICK.search(text, 0, MAX_READ) is not None


def read_first(text: str, fields: Fields) -> bool:
    """Read the peer a line begins with."""
    match = _FIRST.match(text)
    if match is None:
        return False
    if match[1]:
        return put(fields, "source", match[2], match[3])
    return put(fields, "source", match[4], match[5])


def read_access(text: str, fields: Fields) -> bool:
    """Read peer and account of a line that begins like an access line."""
    if " - " not in text:
        return False
    match = _COMMON.search(text, 0, 400)
    if match is not None:
        address, name = match.groups()
    else:
        match = _NAME_FIRST.match(text)
        if match is None:
            return False
        name, address = match.groups()
    if not put(fields, "source", address, None):
        return False
    if name != "-":
        fields.setdefault("user.name", name)
    return True


def read(text: str, fields: Fields) -> bool:
    """Read both ends where words or an arrow name them; return whether one was found."""
    if not has_any(text):
        return False
    text = text[:MAX_READ]
    low = lowered(text)
    known = len(fields)
    arrow = _ARROW.search(text) if "->" in text or "> " in text or "=>" in text else None
    if arrow is None and _MAY_PAIR.search(text) is not None:
        arrow = _PAIR.search(text)
    if arrow is not None and "source.ip" not in fields and put(fields, "source", arrow[1], arrow[2]):
        put(fields, "destination", arrow[3], arrow[4])
    for form in (_MAIL, _FTP) if "[" in text else ():
        found = list(form.finditer(text))[:8] if "source.ip" not in fields else []
        if found:  # the last one: what stands before it may be the peer's own words
            put(fields, "source", found[-1]["address"], found[-1][2])
    if "source.ip" not in fields:
        _read_peer(low, fields)
    if "destination.ip" not in fields:
        _read_self(low, fields)
    return len(fields) > known


def _read_self(low: str, fields: Fields) -> None:
    for match in _SELF.finditer(low):
        if put(fields, "destination", match["address"], match[2]):
            return
    for match in _TO.finditer(low) if "to " in low else ():
        sent = "source.ip" in fields or _SENDING.search(low, max(0, match.start() - 16), match.start()) is not None
        if sent and put(fields, "destination", match["address"], match[2]):
            return


def _read_peer(low: str, fields: Fields) -> None:
    """The first address that a word explains; of several ``from``, the last: a name before it is its owner's choice."""
    candidates = []
    for match in _PEER.finditer(low):
        if match["word"] == "relay" and "to=<" in low[: match.start()]:
            put(fields, "destination", match["address"], match[3])  # a mail handed on: the relay is the next hop
        elif _NOT_PEER.search(low, max(0, match.start() - 24), match.start()) is None:
            candidates.append(match)
            if len(candidates) == 8:
                break
    candidates.sort(key=lambda match: _rank(match["word"]))
    froms = [match for match in candidates if match["word"] == "from"]
    first = [match for match in candidates[:1] if match["word"] != "from"]
    for match in (*first, *froms[-1:], *candidates):
        if put(fields, "source", match["address"], match[3]):
            return


def _rank(word: str) -> int:
    """Words that can only mean the peer come before those that might mean another address."""
    if word in ("connection", "connect", "with", "address", "addr", "ip", "host", "h", "found", "detected"):
        return 2
    return 1 if word == "from" else 0


def only_one(text: str) -> str:
    """Return the one address of a text that a word does not call the target, an empty string when there are more."""
    found = ""
    for match in _ANY.finditer(text[:MAX_READ]):
        if _NOT_PEER.search(text, max(0, match.start() - 24), match.start()) is not None:
            continue
        address = canonical(match[0].strip(".:") if match[0].count(":") == 2 and "::" not in match[0] else match[0])
        if not address or address == found:
            continue
        if found:
            return ""
        found = address
    return found

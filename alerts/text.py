"""Log text made safe to look at.

Handed: text an attacker or a language model may have written. Hands on: the same text with control, bidirectional
and invisible characters spelled out as ``⟨U+202E⟩``, so that what is seen is what is there, and, where it is asked
for, with addresses and links that nothing opens by mistake. HTML escaping is the template engine's job, not this
module's.
"""

import ipaddress
import re

from triage import ecs

MAX_CHARACTERS = 20_000
#: C0/C1 controls (without tab and newline), soft hyphen, bidirectional marks and overrides, zero-width
#: characters, line/paragraph separators, tag characters, lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: object, limit: int = MAX_CHARACTERS) -> str:
    r"""Return the text with every invisible character spelled out, cut at ``limit`` characters with a note.

    >>> visible("a\u202eb")
    'a⟨U+202E⟩b'
    """
    whole = str(text)
    shown = _UNSEEN.sub(lambda match: f"⟨U+{ord(match.group()):04X}⟩", whole[:limit])
    if len(whole) > limit:
        return f"{shown} … ({len(whole) - limit:,} more characters)"
    return shown


def elided(text: object, limit: int = 60) -> str:
    """Return the text with its middle left out when it is longer than ``limit`` characters.

    >>> elided("/usr/lib/very/long/path/to/tool", 13)
    '/usr/l…o/tool'
    """
    whole = visible(text)
    if len(whole) <= limit:
        return whole
    half = (limit - 1) // 2
    return f"{whole[:half]}…{whole[-half:]}"


#: Endings of file names that are no top-level domains: ``beacon.exe`` stays readable.
_FILES = frozenset(
    ("bat", "bin", "cfg", "cmd", "conf", "config", "cpp", "csv", "dat", "db", "dll", "doc", "docx", "elf", "exe", "gz",
     "hta", "htm", "html", "ini", "js", "json", "jsp", "key", "lnk", "log", "lua", "msi", "pdf", "pem", "php", "plist",
     "png", "ps1", "psm1", "sql", "sys", "tar", "tmp", "txt", "vbs", "xls", "xlsx", "xml", "yaml", "yml")
)  # fmt: skip
_SCHEME = re.compile(r"(?<![A-Za-z])h(tt)ps?(?=://)|(?<![A-Za-z])(f)tps?(?=://)", re.IGNORECASE)
#: A dotted name or number from its first character on, so that no part of a long one is looked at twice.
_DOTTED = re.compile(r"(?<![\w.-])[\w-]+(?:\.[\w-]+)+")
_COLONS = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?![\w:])")


def defanged(text: str) -> str:
    """Return the text with links, addresses, host names and mail addresses that nothing recognises as such any more.

    Names of ECS columns and of files stay as they are. Done twice it changes nothing more.

    >>> defanged("https://evil.example/x, 203.0.113.7, a@b.example, 2001:db8::1, beacon.exe, user.name, 7.5")
    'hxxps[:]//evil[.]example/x, 203[.]0[.]113[.]7, a[@]b[.]example, 2001[:]db8[:][:]1, beacon.exe, user.name, 7.5'
    """
    safe = _SCHEME.sub(_unusable_scheme, text).replace("://", "[:]//")
    safe = re.sub(r"(?<=\w)@(?=\w)", "[@]", safe)
    safe = _COLONS.sub(lambda match: _unless(match.group(), ":", _is_address(match.group())), safe)
    return _DOTTED.sub(lambda match: _unless(match.group(), ".", _is_reachable(match.group())), safe)


def _unusable_scheme(match: re.Match[str]) -> str:
    return match.group().replace("tt", "xx").replace("TT", "XX") if match[1] else f"{match[2]}x{match.group()[2:]}"


def _unless(token: str, mark: str, dangerous: bool) -> str:
    return token.replace(mark, f"[{mark}]") if dangerous else token


def _is_address(token: str) -> bool:
    try:
        ipaddress.ip_address(token)
    except ValueError:
        return False
    return True


def _is_reachable(token: str) -> bool:
    """Whether a dotted token may be an address or a host's name."""
    last = token.rsplit(".", 1)[1].lower()
    if token in ecs.COLUMNS or last in _FILES:
        return False
    return _is_address(token) or (len(last) > 1 and not last[0].isdigit())

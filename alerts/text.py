"""Log text made safe to look at.

Handed: text an attacker may have written. Hands on: the same text with control, bidirectional and
invisible characters spelled out as ``⟨U+202E⟩``, so that what is seen is what is there. HTML escaping is
the template engine's job, not this module's.
"""

import re

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

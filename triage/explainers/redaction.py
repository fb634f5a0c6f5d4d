"""Secrets in log text: replaced before anything else is done with it, under every policy.

Handed: text. Hands on: the same text with values that look like credentials replaced by ``[secret]``. The
patterns run on an engine without backtracking, so a hostile line costs no more than a friendly one.

Known shapes are found (keys, tokens, connection strings, passwords behind a name or an option, also
percent-encoded), and so is a password that somebody typed as the user name of a login that failed. Not found: a
password in free text without a name in front of it, and a secret that is encoded as a whole.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import re2

MARK = "[secret]"
_NAMES = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|client[_\-]?secret|api[_\-]?key|access[_\-]?key|account[_\-]?key"
    r"|shared[_\-]?access[_\-]?(?:key|signature)|private[_\-]?key|(?:[a-z]{2,12}[_\-]?)?token|credentials?|sessionid)"
)
#: Pattern and replacement, in this order.
_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)", MARK),
    (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", MARK),
    (r"\bAIza[\w\-]{35}", MARK),
    (r"\beyJ[\w\-]{8,}\.[\w\-]{4,}(?:\.[\w\-]*)?", MARK),
    (r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w\-]{16,}|xox[abeprs]-[\w\-]{10,}|npm_\w{20,})", MARK),
    (r"\b(?:sk|pk|rk)[-_](?:[a-z]+[-_])*[\w\-]{16,}", MARK),
    (r"\bhooks\.slack\.com/services/[\w/]+", f"hooks.slack.com/services/{MARK}"),
    (r"(://[^\s:/@]*:)[^\s@/]+(@)", rf"\1{MARK}\2"),
    (r"(?i)\b(bearer|basic|digest|negotiate)(\s+)[\w.~+/=\-]{8,}", rf"\1\2{MARK}"),
    (
        r"(?i)((?:proxy-)?authorization[\"']?\s*:\s*[\"']?(?:(?:bearer|basic|digest|negotiate)\s+)?)[^\s\"';,]{6,}",
        rf"\1{MARK}",
    ),
    (r"(?i)((?:cookie|x-api-key)[\"']?\s*:\s*[\"']?)[^\"']+", rf"\1{MARK}"),
    (rf"(?i)({_NAMES}[\"']?\s*[=:]\s*\")(?:[^\"\\]|\\.)+(\"|\z)", rf"\1{MARK}\2"),
    (rf"(?i)({_NAMES}[\"']?\s*[=:]\s*')[^']+('|\z)", rf"\1{MARK}\2"),
    (rf"(?i)({_NAMES}[\"']?\s*[=:]\s*)[^\s\"',;&]+", rf"\1{MARK}"),
    (rf"(?i)({_NAMES}%3D)[^\s\"',;&]+", rf"\1{MARK}"),
    (rf"(?i)(\s--?{_NAMES}\s+[\"']?)[^\s\"']+", rf"\1{MARK}"),
    (r"(?i)\b(sshpass\s+-p\s*|mysql\S*\s[^|;]*?-p|redis-cli\s[^|;]*?-a\s+)[^\s\"']+", rf"\1{MARK}"),
    (r"(?i)\b(curl\s[^|;]*?(?:-u|--user)\s+[\"']?[^\s:\"']+:)[^\s\"']+", rf"\1{MARK}"),
    (r"(?i)\b(net1?\s+user\s+\S+\s+)[^\s/\"']+", rf"\1{MARK}"),
)
_SURROGATE = re.compile("[\ud800-\udfff]")
#: A failed login in the words of common senders.
_FAILED = re.compile(r"(?i)event\.outcome: failure|failed password|invalid user|authentication failure|logon failure")
_MIN_PASSWORD, _MAX_PASSWORD = 8, 128


@lru_cache(maxsize=1)
def _compiled() -> tuple[tuple[Any, str], ...]:
    return tuple((re2.compile(pattern), replacement) for pattern, replacement in _PATTERNS)


def redact(text: str) -> str:
    """Return the text without what looks like a credential.

    >>> redact("login?user=bob&password=hunter2&x=1")
    'login?user=bob&password=[secret]&x=1'
    """
    text = _SURROGATE.sub("?", text)
    for pattern, replacement in _compiled():
        text = pattern.sub(replacement, text)
    return text


def looks_like_password(name: str) -> bool:
    """Tell whether what was typed as a user name is more like a password.

    >>> looks_like_password("Tr0ub4dor&3"), looks_like_password("alice.smith2"), looks_like_password("svc_backup-01")
    (True, False, False)
    """
    if not _MIN_PASSWORD <= len(name) <= _MAX_PASSWORD or "\\" in name or "@" in name.strip("@!")[1:-1]:
        return False
    mixed = any(c.islower() for c in name) and any(c.isupper() for c in name) and any(c.isdigit() for c in name)
    odd = any(not c.isalnum() and c not in "._-$ " for c in name)
    return (mixed and not name.isalnum()) or (odd and any(c.isalnum() for c in name)) or (mixed and len(name) >= 10)


def typed_passwords(identifiers: Iterable[tuple[str, str]], texts: Iterable[str]) -> tuple[str, ...]:
    """Return user names of a request that tells of a failed login and that look like passwords."""
    if not any(_FAILED.search(text) for text in texts):
        return ()
    names = (value.strip() for kind, value in identifiers if kind == "user")
    return tuple(dict.fromkeys(name for name in names if looks_like_password(name)))

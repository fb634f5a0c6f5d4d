"""Secrets in log text: replaced before anything is sent anywhere, under every policy.

Handed: text. Hands on: the same text with values that look like credentials replaced by ``[secret]``. The
patterns are bounded, so that a hostile line costs no more than a friendly one. It finds well-known shapes
only; a password in free text without a name in front of it is not found.
"""

import re

MARK = "[secret]"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MARK),
    (re.compile(r"\beyJ[\w\-]{8,2000}\.[\w\-]{4,4000}(?:\.[\w\-]{0,2000})?"), MARK),
    (re.compile(r"\b(?:gh[pousr]_\w{20,255}|xox[abprs]-[\w\-]{10,255}|sk-[\w\-]{16,255})"), MARK),
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.{0,8000}", re.DOTALL), MARK),
    (re.compile(r"(://[^\s:/@]{0,64}:)[^\s@/]{1,200}(?=@)"), rf"\1{MARK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s{1,4}[\w.~+/=\-]{8,4000}"), rf"\1 {MARK}"),
    (
        re.compile(
            r"(?i)((?:password|passwd|passphrase|pwd|secret|api[_\-]?key|access[_\-]?key|token)[\"']?\s{0,3}[=:]\s{0,3}[\"']?)"
            r"(?!\[secret\])[^\s\"',;&]{1,400}"
        ),
        rf"\1{MARK}",
    ),
)


def redact(text: str) -> str:
    """Return the text without what looks like a credential.

    >>> redact("login?user=bob&password=hunter2&x=1")
    'login?user=bob&password=[secret]&x=1'
    """
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text

"""Log levels that loggers write as numbers.

Handed: the value of a level field and the document beside it. Hands on: the level as a word, or an empty string when
the number's scale is not known. Scales: bunyan and pino (10 to 60), Monolog (100 to 600), syslog in GELF (0 to 7).
"""

from typing import Any

from triage.contracts import Fields

_PINO = {10: "trace", 20: "debug", 30: "info", 40: "warning", 50: "error", 60: "critical"}
_MONOLOG = {
    100: "debug",
    200: "info",
    250: "notice",
    300: "warning",
    400: "error",
    500: "critical",
    550: "alert",
    600: "emergency",
}
_SYSLOG = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
MAX_WORD = 16


def level_of(value: Any, document: Fields) -> str:
    """Return a level as a word; words stay as they were written.

    >>> level_of("WARN", {}), level_of(30, {}), level_of(3, {"short_message": "x"}), level_of(3, {})
    ('WARN', 'info', 'error', '')
    """
    if type(value) is str:
        return value if value and len(value) <= MAX_WORD and not value.isdigit() else ""
    if type(value) is not int:
        return ""
    if "short_message" in document and 0 <= value < len(_SYSLOG):
        return _SYSLOG[value]
    return _PINO.get(value) or _MONOLOG.get(value, "")

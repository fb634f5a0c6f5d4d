"""JSON in and out, for text that attackers write.

Handed: text that may be a JSON object, or a decoded object. Hands on: the object or ``None``; compact text.
"""

import json
from typing import Any

import orjson

from triage.parsers.finish import clean_text

MAX_SUMMARY = 2_000
MAX_LISTED = 64


def decode_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object a text is, or ``None`` (not JSON, not an object, too deep, bad characters)."""
    try:
        content = orjson.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if type(content) is dict else None


def compact(content: dict[str, Any]) -> str:
    """Return an object as compact JSON, cut to 2,000 characters."""
    try:
        written = orjson.dumps(content)
    except (TypeError, ValueError):
        return _compact_slowly(content)
    return written[: MAX_SUMMARY * 4].decode("utf-8", "ignore")[:MAX_SUMMARY]


def _compact_slowly(content: dict[str, Any]) -> str:
    """What the fast writer refuses: huge integers, lone surrogates, great depth."""
    try:
        return clean_text(json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str), MAX_SUMMARY)
    except (TypeError, ValueError, RecursionError):
        return clean_text(" ".join(map(str, list(content)[:MAX_LISTED])), MAX_SUMMARY)

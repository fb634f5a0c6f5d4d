"""What happened, in an analyst's words, for the kinds of event whose fields tell it: pure functions.

Handed: the flat ECS fields of an event. Hands on: one line, or nothing where the message says it better. A
title is made of the event's own values only; who, where and when stand beside it on the page.
"""

from collections.abc import Callable, Mapping
from typing import Any

Fields = Mapping[str, Any]


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if isinstance(value, list):
        value = value[0] if value else ""
    return "" if value is None else str(value)


def _web(fields: Fields) -> str:
    """``GET /cart answered 404``."""
    path = _text(fields, "url.original") or _text(fields, "url.path")
    method, status = _text(fields, "http.request.method"), _text(fields, "http.response.status_code")
    if not (path and method):
        return ""
    return f"{method} {path} answered {status}" if status else f"{method} {path}"


def _process(fields: Fields) -> str:
    """``winword.exe started powershell.exe -enc SQBFAFgA``."""
    name, parent = _text(fields, "process.name"), _text(fields, "process.parent.name")
    started = _text(fields, "process.command_line")
    if not (name and (parent or started)) or not _is_start(fields):
        return ""
    return f"{parent} started {started or name}" if parent else f"Started {started or name}"


def _is_start(fields: Fields) -> bool:
    category = fields.get("event.category")
    return category == "process" or (isinstance(category, list) and "process" in category)


def _login(fields: Fields) -> str:
    """``Failed login of deploy``, or ``Login of deploy``."""
    category = fields.get("event.category")
    categories = category if isinstance(category, list) else [category]
    outcome, user = _text(fields, "event.outcome"), _text(fields, "user.name")
    if "authentication" not in categories or not user or outcome not in {"success", "failure"}:
        return ""
    action = _text(fields, "event.action").lower()
    if not any(word in action for word in ("log", "auth", "session", "ssh", "sign")):
        return ""
    method = _text(fields, "sshd.method") or _text(fields, "winlog.event_data.LogonTypeName")
    return f"{'Failed login' if outcome == 'failure' else 'Login'} of {user}{f' ({method})' if method else ''}"


def _dns(fields: Fields) -> str:
    """``DNS TXT query for example.net``."""
    name = _text(fields, "dns.question.name")
    kind = _text(fields, "dns.question.type")
    return f"DNS {kind} query for {name}".replace("  ", " ") if name else ""


TELLERS: tuple[Callable[[Fields], str], ...] = (_web, _dns, _process, _login)


def told(fields: Fields) -> str:
    """Return a title, or an empty string when no fields tell one.

    >>> told({"http.request.method": "GET", "url.path": "/cart", "http.response.status_code": 404})
    'GET /cart answered 404'
    """
    return next((line for teller in TELLERS if (line := teller(fields))), "")

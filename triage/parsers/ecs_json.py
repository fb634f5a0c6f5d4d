"""JSON events: ECS documents, nested or dotted, and any other flat or nested object.

Handed: a decoded JSON object. Hands on: every scalar under its dotted path with its type. In a document that is not
ECS already, keys that everybody uses for the same thing (``src_ip``, ``hostname``) move to their ECS name; nothing
else is renamed.
"""

from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import linux_auth, times
from triage.parsers.aliases import meaning, time_rank
from triage.parsers.finish import finish, flatten
from triage.parsers.json_text import compact
from triage.parsers.layouts import as_number, outcome_of, put
from triage.parsers.levels import level_of
from triage.parsers.web_access import read_target

MESSAGE_NAMES = (
    "message",
    "msg",
    "log",
    "MESSAGE",
    "_raw",
    "line",
    "event.original",
    "short_message",
    "full_message",
    "@m",
    "RenderedMessage",
    "MessageTemplate",
    "@mt",
)
#: What an ECS document may call otherwise and still mean: (name, ECS name).
_ECS_TWINS = (
    ("host.hostname", "host.name"),
    ("client.ip", "source.ip"),
    ("client.port", "source.port"),
    ("client.address", "source.ip"),
    ("source.address", "source.ip"),
    ("destination.address", "destination.ip"),
    ("client.user.name", "user.name"),
    ("source.user.name", "user.name"),
    ("server.ip", "destination.ip"),
)
#: The best names of a time, in the order of their rank.
_USUAL_TIMES = ("@timestamp", "timestamp", "time", "ts")
_OUTCOME_NAMES = (
    "outcome",
    "result",
    "status",
    "event.result",
    "success",
    "succeeded",
    "Outcome",
    "Result",
    "Status",
    "event.action",
)


def rename(flat: Fields) -> Fields:
    """Move fields to their ECS names, in place; an ECS name the document has itself wins."""
    if "ecs.version" not in flat:
        _move(flat, web=False)
        if "http.request.method" in flat:
            _move(flat, web=True)
        if "aws.cloudwatch.log_group" in flat and type(flat.get("owner")) is str and "cloud.account.id" not in flat:
            flat["cloud.account.id"] = flat.pop("owner")
    for name, known in _ECS_TWINS:
        if name in flat and known not in flat:
            value = flat[name]
            if put(flat, known, value) and name == "host.hostname":
                del flat[name]
    return flat


def _move(flat: Fields, *, web: bool) -> None:
    """Give each ECS name the best key for it; the next best where that key's value cannot be one."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in flat:
        known = meaning(name, web)
        if known is not None and known[0] not in flat:
            found.setdefault(known[0], []).append((known[1], name))
    for known_name, candidates in found.items():
        if len(candidates) > 1:
            candidates.sort(key=lambda candidate: (_is_nobody(flat[candidate[1]]), candidate[0]))
        for _, name in candidates:
            if _put(flat, known_name, name):
                break


def _is_nobody(value: Any) -> bool:
    """Tell whether a value only says that nothing is known, so that a worse key may know better."""
    return type(value) is str and value.lower() in _NOBODY


_TRANSPORTS = frozenset({"tcp", "udp", "icmp", "icmpv6", "ipv6-icmp", "sctp", "gre", "esp", "ah", "igmp"})
#: Words for "nobody logged in", and Python's name for the only process it has.
_NOBODY = frozenset({"", "-", "--", "anonymous", "anonymoususer", "unknown", "none", "mainprocess"})
_TEXT_ONLY = frozenset(
    {"host.name", "user.name", "event.action", "process.name", "error.message", "rule.name", "url.original"}
)


def _put(flat: Fields, known: str, name: str) -> bool:
    """Move one value; return True when the ECS name is set."""
    value = flat[name]
    if value == "MainProcess":
        return False
    if known in _TEXT_ONLY and type(value) is not str and not (type(value) is list and type(value[0]) is str):
        return False
    if known == "log.level":
        level = level_of(value, flat)
        if level:
            flat[known] = level
            del flat[name]
        return bool(level)
    if known == "network.transport":
        if type(value) is not str or value.lower() not in _TRANSPORTS:
            return False
        flat[known] = value.lower()
        del flat[name]
        return True
    if known == "http.response.status_code":
        status = as_number(value)
        if status is None or not 100 <= status < 600:
            return False
    if put(flat, known, value):
        del flat[name]
    return known in flat


def take_time(fields: Fields) -> tuple[float | None, Any]:
    """Return the event's own time and how it wrote it; a time that could be read is removed."""
    for name in _USUAL_TIMES:
        value = fields.get(name)
        if type(value) is str or type(value) is float or type(value) is int:
            when = times.from_any(value)
            if when is not None:
                del fields[name]
                return when, value
    found = [(rank, name) for name in fields if (rank := time_rank(name)) is not None]
    unread: Any = None
    for rank, name in sorted(found) if len(found) > 1 else found:
        value = fields[name]
        if isinstance(value, bool | list):
            continue
        when = times.from_any(value)
        if when is not None:
            del fields[name]
            return when, value
        if unread is None and rank == 0:
            unread = value
    return _from_instant(fields), unread


def _from_instant(fields: Fields) -> float | None:
    """Log4j writes ``instant: {epochSecond, nanoOfSecond}``."""
    whole, part = fields.get("instant.epochSecond"), fields.get("instant.nanoOfSecond")
    if type(whole) is not int or not 0 < whole < 1e11:
        return None
    del fields["instant.epochSecond"]
    if type(part) is int and 0 <= part < 1_000_000_000:
        del fields["instant.nanoOfSecond"]
        return whole + part / 1e9
    return float(whole)


def _take_message(fields: Fields) -> str:
    for name in MESSAGE_NAMES:
        value = fields.get(name)
        if type(value) is str and value:
            del fields[name]
            return value
    said = fields.get("event")  # structlog's name for it, which is beside a level and a logger or a time
    if type(said) is str and said and "log.level" in fields:
        del fields["event"]
        return said
    return ""


def _settle(fields: Fields) -> None:
    """Fill what the document says in other words: outcome, URL parts, a code as text."""
    if "event.outcome" not in fields:
        _add_outcome(fields)
    target = fields.get("url.original")
    if type(target) is str and "url.path" not in fields:
        domain = fields.get("url.domain")
        read_target(target, fields)
        if domain is not None:
            fields["url.domain"] = domain
    pid = fields.get("process.pid")
    if type(pid) is str and len(pid) < 10 and pid.isascii() and pid.isdigit():
        fields["process.pid"] = int(pid)
    code = fields.get("event.code")
    if type(code) is int:
        fields["event.code"] = str(code)


def _add_outcome(fields: Fields) -> None:
    """A word for it, a truth value, or the status of an answer to a request."""
    for name in _OUTCOME_NAMES:
        # Most documents have none of these names, and asking is cheaper than calling.
        said = outcome_of(fields[name]) if name in fields else ""
        if said:
            fields["event.outcome"] = said
            return
    status = fields.get("http.response.status_code")
    if type(status) is int and "ecs.version" not in fields:
        fields["event.outcome"] = "success" if status < 400 else "failure"


class EcsJson:
    """Any JSON object."""

    name = "ecs_json"
    takes = dict

    def claim(self, record: Record) -> int:
        content = record.content
        if not isinstance(content, dict) or not content:
            return 0
        return 60 if "ecs" in content or "ecs.version" in content else 20

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content: Any = record.content
        if not isinstance(content, dict) or not content:
            return None
        flat: Fields = {}
        flatten(content, flat)
        when, stamp = take_time(flat)
        fields = rename(flat)
        message = _take_message(fields) or compact(content)
        _settle(fields)
        app = fields.get("process.name")
        if type(app) is str and app in linux_auth.APPS:
            said: Fields = {}
            if linux_auth.read(app, message, said):
                fields.update({name: value for name, value in said.items() if name not in fields})
        return finish(self.name, record, received_at, fields, message=message, when=when, stamp=stamp)

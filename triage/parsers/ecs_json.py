"""JSON events: ECS documents, nested or dotted, and any other flat or nested object.

Handed: a decoded JSON object. Hands on: every scalar under its dotted path with its type. Names that everybody
uses for the same thing (``src_ip``, ``hostname``) move to their ECS name; nothing else is renamed.
"""

from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import linux_auth, times
from triage.parsers.finish import finish, flatten
from triage.parsers.json_text import compact
from triage.parsers.web_access import read_target

#: Where an event's own time may be, best first.
TIME_NAMES = (
    "@timestamp",
    "timestamp",
    "_time",
    "time",
    "ts",
    "datetime",
    "eventTime",
    "event_time",
    "event.created",
    "date",
    "created_at",
    "__REALTIME_TIMESTAMP",
    "timeGenerated",
    "TimeGenerated",
)
MESSAGE_NAMES = ("message", "msg", "log", "MESSAGE", "_raw", "line", "event.original", "short_message")
#: Other people's name -> ECS name. Only names that mean the same everywhere.
ALIASES = {
    "host": "host.name",
    "hostname": "host.name",
    "host.hostname": "host.name",
    "_HOSTNAME": "host.name",
    "computer": "host.name",
    "computer_name": "host.name",
    "src_ip": "source.ip",
    "srcip": "source.ip",
    "source_ip": "source.ip",
    "sourceIp": "source.ip",
    "sourceIPAddress": "source.ip",
    "client_ip": "source.ip",
    "clientIp": "source.ip",
    "remote_ip": "source.ip",
    "remote_addr": "source.ip",
    "client.ip": "source.ip",
    "src_port": "source.port",
    "source_port": "source.port",
    "dst_ip": "destination.ip",
    "dstip": "destination.ip",
    "dest_ip": "destination.ip",
    "destination_ip": "destination.ip",
    "destinationIp": "destination.ip",
    "server.ip": "destination.ip",
    "dst_port": "destination.port",
    "dest_port": "destination.port",
    "destination_port": "destination.port",
    "src_bytes": "source.bytes",
    "dst_bytes": "destination.bytes",
    "user": "user.name",
    "username": "user.name",
    "user_name": "user.name",
    "userName": "user.name",
    "level": "log.level",
    "loglevel": "log.level",
    "log_level": "log.level",
    "severity": "log.level",
    "levelname": "log.level",
    "levelName": "log.level",
    "process_name": "process.name",
    "SYSLOG_IDENTIFIER": "process.name",
    "appname": "process.name",
    "program": "process.name",
    "_PID": "process.pid",
    "command_line": "process.command_line",
    "commandline": "process.command_line",
    "cmdline": "process.command_line",
    "pid": "process.pid",
    "user_agent": "user_agent.original",
    "userAgent": "user_agent.original",
    "http_user_agent": "user_agent.original",
    "url": "url.original",
    "uri": "url.original",
    "request_uri": "url.original",
    "method": "http.request.method",
    "http_method": "http.request.method",
    "request_method": "http.request.method",
    "status_code": "http.response.status_code",
    "http_status": "http.response.status_code",
    "action": "event.action",
    "event_id": "event.code",
    "rule.description": "rule.name",
}
_MUST_BE_TEXT = frozenset(
    {
        "host.name",
        "source.ip",
        "destination.ip",
        "user.name",
        "log.level",
        "process.name",
        "process.command_line",
        "user_agent.original",
        "url.original",
        "http.request.method",
        "event.action",
        "rule.name",
    }
)
_ALIAS_NAMES = frozenset(ALIASES)
_TEXT_CODES = frozenset({"event.code"})
_OUTCOMES = {
    "success": "success",
    "succeeded": "success",
    "successful": "success",
    "failure": "failure",
    "failed": "failure",
    "fail": "failure",
    "denied": "failure",
}
_OUTCOME_NAMES = ("outcome", "result", "status", "event.result")


def rename(flat: Fields) -> Fields:
    """Move fields to their ECS names, in place; an ECS name the document has itself wins."""
    if _ALIAS_NAMES.isdisjoint(flat):
        return flat
    for name in [name for name in flat if name in ALIASES]:
        known = ALIASES[name]
        value = flat[name]
        if known not in flat and (known not in _MUST_BE_TEXT or type(value) is str):
            del flat[name]
            flat[known] = str(value) if known in _TEXT_CODES else value
    return flat


def take_time(fields: Fields) -> tuple[float | None, Any]:
    """Return the event's own time and how it wrote it; a time that could be read is removed."""
    unread: Any = None
    for name in TIME_NAMES:
        value = fields.get(name)
        if value is None or isinstance(value, bool | list):
            continue
        when = times.from_any(value)
        if when is not None:
            del fields[name]
            return when, value
        if unread is None and name in ("@timestamp", "timestamp"):
            unread = value
    return None, unread


def _take_message(fields: Fields) -> str:
    for name in MESSAGE_NAMES:
        value = fields.get(name)
        if type(value) is str and value:
            del fields[name]
            return value
    return ""


def _settle(fields: Fields) -> None:
    """Fill what the document says in other words: outcome, URL parts, a code as text."""
    if "event.outcome" not in fields:
        for name in _OUTCOME_NAMES:
            value = fields.get(name)
            if type(value) is str and len(value) < 12:
                outcome = _OUTCOMES.get(value.lower())
                if outcome:
                    fields["event.outcome"] = outcome
                    break
    target = fields.get("url.original")
    if type(target) is str and "url.path" not in fields:
        read_target(target, fields)
    pid = fields.get("process.pid")
    if type(pid) is str and len(pid) < 10 and pid.isascii() and pid.isdigit():
        fields["process.pid"] = int(pid)
    code = fields.get("event.code")
    if type(code) is int:
        fields["event.code"] = str(code)


class EcsJson:
    """Any JSON object."""

    name = "ecs_json"

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
        fields = rename(flat)
        when, stamp = take_time(fields)
        message = _take_message(fields) or compact(content)
        _settle(fields)
        app = fields.get("process.name")
        if type(app) is str and app in linux_auth.APPS:
            said: Fields = {}
            if linux_auth.read(app, message, said):
                fields.update({name: value for name, value in said.items() if name not in fields})
        return finish(self.name, record, received_at, fields, message=message, when=when, stamp=stamp)

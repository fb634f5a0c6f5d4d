"""Entries of the systemd journal as JSON (``journalctl -o json``, and what shippers forward of it).

Handed: an object with the journal's own names (``__REALTIME_TIMESTAMP``, ``_SYSTEMD_UNIT``, ``MESSAGE``). Hands on:
host, program, severity, unit; the message goes on to the program's own format as in a syslog line.
"""

from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import syslog, times
from triage.parsers.finish import MAX_MESSAGE, finish
from triage.parsers.severities import SEVERITIES

_MARKS = (
    "__REALTIME_TIMESTAMP",
    "_SYSTEMD_UNIT",
    "__CURSOR",
    "_BOOT_ID",
    "SYSLOG_IDENTIFIER",
    "_TRANSPORT",
    "_MACHINE_ID",
)
_NAMES = {
    "_HOSTNAME": "host.name",
    "_MACHINE_ID": "host.id",
    "_SYSTEMD_UNIT": "systemd.unit",
    "_EXE": "process.executable",
    "_CMDLINE": "process.command_line",
    "_UID": "process.user.id",
    "_AUDIT_SESSION": "session.id",
    "_TRANSPORT": "systemd.transport",
    "CODE_FUNC": "log.origin.function",
    "CODE_FILE": "log.origin.file.name",
    "MESSAGE_ID": "event.code",
    "CONTAINER_NAME": "container.name",
    "CONTAINER_ID": "container.id",
}


def _text(value: Any) -> str:
    """The journal writes text that is not UTF-8 as a list of bytes, and repeated fields as a list of texts."""
    if isinstance(value, list):
        if value and all(type(item) is int and 0 <= item < 256 for item in value[:MAX_MESSAGE]):
            return bytes(value[:MAX_MESSAGE]).decode("utf-8", "replace")
        return str(value[0]) if value and isinstance(value[0], str) else ""
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


class Journald:
    """The systemd journal."""

    name = "journald"
    takes = dict

    def claim(self, record: Record) -> int:
        content = record.content
        if not isinstance(content, dict) or "MESSAGE" not in content:
            return 0
        return 92 if sum(name in content for name in _MARKS) >= 1 else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, dict) or not self.claim(record):
            return None
        fields: Fields = {}
        for key, name in _NAMES.items():
            value = _text(content.get(key))
            if value:
                fields[name] = value
        app = _text(content.get("SYSLOG_IDENTIFIER")) or _text(content.get("_COMM"))
        if app:
            fields["process.name"] = app
        pid = _text(content.get("_PID")) or _text(content.get("SYSLOG_PID"))
        if pid.isascii() and pid.isdigit() and len(pid) < 10:
            fields["process.pid"] = int(pid)
        priority = _text(content.get("PRIORITY"))
        if len(priority) == 1 and priority in "01234567":
            fields["log.level"] = SEVERITIES[int(priority)]
        message = _text(content["MESSAGE"])
        syslog.read_message(app, message, fields)
        stamp = (
            content.get("__REALTIME_TIMESTAMP")
            or content.get("_SOURCE_REALTIME_TIMESTAMP")
            or content.get("@timestamp")
        )
        return finish(self.name, record, received_at, fields, message=message, when=times.from_any(stamp), stamp=stamp)

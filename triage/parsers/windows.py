"""Windows events: as XML, as Snare's text, and as JSON in the shapes shippers make of them.

Handed: the XML the event log renders, Winlogbeat documents (``winlog.*``), the XML turned into JSON
(``{"Event": {"System": ..}}`` or without the outer ``Event``), and flat objects as NXLog and similar agents
write them. Hands on: one ECS shape; event data without an ECS home stays under ``winlog.event_data.``.
"""

from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import times, windows_snare, windows_xml
from triage.parsers.finish import finish
from triage.parsers.windows_codes import LEVELS, TARGET_ACTS, TARGET_IS_OTHER, meaning
from triage.parsers.windows_shapes import WindowsEvent, from_flat, from_winlogbeat, from_xml, text_of

_DATA = "winlog.event_data."
#: Event data with one ECS home whatever the event.
_NAMES = {
    "CommandLine": "process.command_line",
    "ProcessCommandLine": "process.command_line",
    "ParentCommandLine": "process.parent.command_line",
    "CurrentDirectory": "process.working_directory",
    "ProcessGuid": "process.entity_id",
    "ParentProcessGuid": "process.parent.entity_id",
    "IpPort": "source.port",
    "SourcePort": "source.port",
    "DestinationPort": "destination.port",
    "DestPort": "destination.port",
    "DestinationHostname": "destination.domain",
    "SourceHostname": "source.domain",
    "WorkstationName": "source.domain",
    "Workstation": "source.domain",
    "QueryName": "dns.question.name",
    "TargetFilename": "file.path",
    "TargetObject": "registry.path",
    "ScriptBlockText": "powershell.file.script_block_text",
    "RuleName": "rule.name",
    "LogonProcessName": "winlog.logon.process",
    "ServiceName": "service.name",
    "ShareName": "file.share",
    "TargetSid": "user.target.id",
}
_ADDRESSES = {
    "IpAddress": "source.ip",
    "SourceIp": "source.ip",
    "SourceAddress": "source.ip",
    "ClientAddress": "source.ip",
    "DestinationIp": "destination.ip",
    "DestAddress": "destination.ip",
}
_NUMBERS = frozenset({"source.port", "destination.port"})
_SYSMON_IMAGES = {
    "Image": "process.executable",
    "ParentImage": "process.parent.executable",
    "NewProcessName": "process.executable",
    "ParentProcessName": "process.parent.executable",
    "SourceImage": "process.executable",
    "ImageLoaded": "dll.path",
}
_NAMED_BY_PATH = {
    "process.executable": "process.name",
    "process.parent.executable": "process.parent.name",
    "dll.path": "dll.name",
}
_EMPTY = frozenset({"", "-", None})


def _integer(value: Any) -> int | None:
    """Windows writes numbers as decimal or hexadecimal text."""
    if type(value) is int:
        return value
    if isinstance(value, str) and 0 < len(value) < 12 and value.isascii():
        try:
            return int(value, 16 if value[:2] in ("0x", "0X") else 10)
        except ValueError:
            return None
    return None


def _base_name(path: str) -> str:
    return path[max(path.rfind("\\"), path.rfind("/")) + 1 :]


def _put_user(fields: Fields, name: Any, domain: Any, prefix: str = "user") -> None:
    if type(name) is not str or name in _EMPTY:
        return
    if domain is None and "\\" in name:
        domain, _, name = name.partition("\\")
    fields[f"{prefix}.name"] = name
    if type(domain) is str and domain not in _EMPTY:
        fields[f"{prefix}.domain"] = domain


def _name_users(code: str, data: dict[str, Any], fields: Fields) -> None:
    """Decide which of an event's accounts acted."""
    get = data.get
    subject, target = (
        (get("SubjectUserName"), get("SubjectDomainName")),
        (get("TargetUserName"), get("TargetDomainName")),
    )
    used: tuple[str, ...]
    if code in TARGET_ACTS:
        _put_user(fields, *target)
        used = ("TargetUserName", "TargetDomainName")
    elif type(subject[0]) is str and subject[0] not in _EMPTY:
        _put_user(fields, *subject)
        used = ("SubjectUserName", "SubjectDomainName")
        if code in TARGET_IS_OTHER:
            _put_user(fields, *target, prefix="user.target")
            used = ("SubjectUserName", "SubjectDomainName", "TargetUserName", "TargetDomainName")
    else:
        _put_user(fields, *target)
        _put_user(fields, get("User") or get("UserName"), None)
        used = ("TargetUserName", "TargetDomainName", "User")
    for key in used:
        data.pop(key, None)


def _name_data(data: dict[str, Any], fields: Fields) -> None:
    """Move event data to its ECS names, the rest under ``winlog.event_data.``."""
    for key, value in data.items():
        if type(value) is str and value in _EMPTY:
            continue
        name = _NAMES.get(key)
        if name is not None:
            number = _integer(value) if name in _NUMBERS else None
            if number or name not in _NUMBERS:
                fields.setdefault(name, number or value)
        elif key in _SYSMON_IMAGES and type(value) is str:
            name = _SYSMON_IMAGES[key]
            fields[name] = value
            fields[_NAMED_BY_PATH[name]] = _base_name(value)
        elif key in _ADDRESSES and type(value) is str:
            if value != "LOCAL":
                fields[_ADDRESSES[key]] = value[7:] if value.startswith("::ffff:") else value
        elif key == "Hashes" and type(value) is str:
            _add_hashes(value, fields)
        else:
            fields[_DATA + key] = value


def _add_hashes(text: str, fields: Fields) -> None:
    for pair in text.split(",", 8):
        kind, mark, digest = pair.partition("=")
        if mark and len(kind) < 16:
            name = "process.pe.imphash" if kind == "IMPHASH" else f"process.hash.{kind.lower()}"
            fields[name] = digest


def _name_process(code: str, channel: str, data: dict[str, Any], fields: Fields) -> None:
    """``ProcessId`` means the new process in Sysmon and the creator in 4688."""
    if channel == "Security" and code == "4688":
        own, parent = data.pop("NewProcessId", None), data.pop("ProcessId", None)
    else:
        own, parent = data.pop("ProcessId", None), data.pop("ParentProcessId", None)
        executable = data.get("ProcessName")
        if type(executable) is str and executable not in _EMPTY:
            data.pop("ProcessName")
            fields["process.executable"] = executable
            fields["process.name"] = _base_name(executable)
    for value, name in ((own, "process.pid"), (parent, "process.parent.pid")):
        number = _integer(value)
        if number is not None:
            fields[name] = number


def _outcome(found: WindowsEvent, known: str, status: Any) -> str:
    """The audit keyword decides where the code alone does not."""
    keywords = found.keywords
    words = " ".join(map(str, keywords)) if isinstance(keywords, list) else text_of(keywords)
    if words.lower().startswith("0x8010") or "Failure" in words:
        return "failure"
    if words.lower().startswith("0x8020") or "Success" in words:
        return known or "success"
    if not known and type(status) is str and status[:2] == "0x":
        return "success" if not status[2:].strip("0") else "failure"
    return known


def _summary(found: WindowsEvent, fields: Fields) -> str:
    """One line: channel, code, what it means, who, and the command, target or peer."""
    get = fields.get
    source = found.channel.removeprefix("Microsoft-Windows-").removesuffix("/Operational") or found.provider
    words = [source, found.code, str(get("event.action", ""))]
    for label, name in (
        ("user", "user.name"),
        ("from", "source.ip"),
        ("to", "destination.ip"),
        ("", "process.command_line"),
        ("process", "process.executable"),
        ("parent", "process.parent.name"),
        ("file", "file.path"),
        ("registry", "registry.path"),
        ("query", "dns.question.name"),
        ("service", "service.name"),
        ("script", "powershell.file.script_block_text"),
        ("", "winlog.event_data.Data"),
    ):
        value = get(name)
        if value:
            text = ("; ".join(map(str, value)) if isinstance(value, list) else str(value))[:1024]
            words.append(f"{label} {text}" if label else text)
    return " ".join(word for word in words if word)


def _build(found: WindowsEvent, fields: Fields) -> None:
    code, channel, data = found.code, found.channel, found.data
    known = meaning(channel or found.provider, code)
    status = data.get("Status")
    if known is not None:
        fields["event.category"], fields["event.action"] = known[:2]
    outcome = _outcome(found, known[2] if known else "", status)
    if outcome:
        fields["event.outcome"] = outcome
    level = text_of(found.level)
    for name, value in (
        ("event.code", code),
        ("event.provider", found.provider),
        ("winlog.channel", channel),
        ("host.name", found.computer),
        ("log.level", LEVELS.get(level.lower(), level.lower())),
    ):
        if value and (name != "host.name" or name not in fields):
            fields[name] = value
    fields["event.module"] = "windows"
    if found.record_id:
        fields["winlog.record_id"] = found.record_id
    if found.pid is not None:
        fields["winlog.process.pid"] = text_of(found.pid)
    _name_users(code, data, fields)
    _name_process(code, channel, data, fields)
    _name_data(data, fields)


class Windows:
    """Windows event log records."""

    name = "windows"

    def claim(self, record: Record) -> int:
        content = record.content
        if isinstance(content, str):
            return 95 if windows_xml.is_event(content) or windows_snare.MARK in content[:400] else 0
        if not isinstance(content, dict):
            return 0
        if isinstance(content.get("winlog"), dict):
            return 95
        event = content.get("Event")
        if (isinstance(event, dict) and "System" in event) or isinstance(content.get("System"), dict):
            return 95
        return (
            90
            if "EventID" in content and ("Channel" in content or "SourceName" in content or "ProviderName" in content)
            else 0
        )

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content: Any = record.content
        if self.claim(record) == 0:
            return None
        fields: Fields = {}
        if isinstance(content, str) and not windows_xml.is_event(content):
            return self._finish(windows_snare.decode(content), fields, record, received_at)
        if isinstance(content, str):
            content = windows_xml.decode(content)
        if content is None:
            return None
        winlog = content.get("winlog")
        found: WindowsEvent | None
        if isinstance(winlog, dict):
            found = from_winlogbeat(content, winlog, fields)
        elif "EventID" in content:
            found = from_flat(content)
        else:
            event = content.get("Event")
            found = from_xml(event if isinstance(event, dict) else content)
        return self._finish(found, fields, record, received_at)

    def _finish(
        self, found: WindowsEvent | None, fields: Fields, record: Record, received_at: float
    ) -> ParsedEvent | None:
        if found is None:
            return None
        _build(found, fields)
        stamp = found.time
        when = times.from_any(stamp)
        message = found.message or _summary(found, fields)
        return finish(self.name, record, received_at, fields, message=message, when=when, stamp=stamp)

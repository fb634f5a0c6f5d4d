"""The JSON shapes Windows events come in, brought down to one.

Handed: a decoded object of a known shape. Hands on: a :class:`WindowsEvent` with the head of the event and its
data by name, still in Windows' own words.
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.finish import MAX_DEPTH, flatten

_FLAT_ENVELOPE = frozenset(
    {
        "EventID",
        "Channel",
        "Hostname",
        "Computer",
        "SourceName",
        "ProviderName",
        "ProviderGuid",
        "EventTime",
        "TimeCreated",
        "UtcTime",
        "@timestamp",
        "timestamp",
        "EventReceivedTime",
        "Message",
        "message",
        "RecordNumber",
        "EventRecordID",
        "Severity",
        "SeverityValue",
        "Level",
        "Keywords",
        "ThreadID",
        "ExecutionProcessID",
        "Version",
        "Task",
        "OpcodeValue",
        "Opcode",
        "SourceModuleName",
        "SourceModuleType",
        "@version",
        "port",
        "host",
        "tags",
        "EventType",
        "Provider",
    }
)


class WindowsEvent:
    """What every shape comes down to before it is named: head, data and leftovers."""

    __slots__ = (
        "channel",
        "code",
        "computer",
        "data",
        "keywords",
        "level",
        "message",
        "pid",
        "provider",
        "record_id",
        "time",
    )

    def __init__(self) -> None:
        self.channel = self.code = self.computer = self.provider = self.message = ""
        self.level: Any = None
        self.keywords: Any = None
        self.time: Any = None
        self.pid: Any = None
        self.record_id: Any = None
        self.data: dict[str, Any] = {}


def text_of(value: Any) -> str:
    """XML-to-JSON writers give a value as text, number, ``{"#text": ..}`` or ``{"Value": ..}``."""
    if type(value) is str:
        return value
    if isinstance(value, dict):
        return text_of(value.get("#text", value.get("Value", value.get("$", ""))))
    return "" if value is None or isinstance(value, list) else str(value)


def _attribute(value: Any, *names: str) -> Any:
    """Return an XML attribute however the writer marked it: ``@Name``, ``Name``, ``#attributes.Name``."""
    if not isinstance(value, dict):
        return None
    inner = value.get("#attributes") or value.get("$") or value.get("@attributes")
    for name in names:
        found = value.get("@" + name, value.get(name, value.get("_" + name)))
        if found is None and isinstance(inner, dict):
            found = inner.get(name)
        if found is not None:
            return found
    return None


def _read_data(event_data: Any, into: dict[str, Any]) -> None:
    """Read EventData or UserData: a list of named values, a mapping, or unnamed texts."""
    if not isinstance(event_data, dict):
        return
    values = event_data.get("Data")
    if isinstance(values, list):
        _read_list(values, into)
    elif isinstance(values, dict):
        name = _attribute(values, "Name")
        if isinstance(name, str):
            into[name] = text_of(values)
        else:
            _add_plain(values, into)
    elif values is not None:
        into["Data"] = values
    if values is None or len(event_data) > 1:
        _add_plain({key: value for key, value in event_data.items() if key != "Data"}, into)


def _read_user_data(user_data: Any, into: dict[str, Any]) -> None:
    """UserData wraps its values in one element of the provider's own name."""
    if isinstance(user_data, dict):
        for value in list(user_data.values())[:4]:
            _read_data(value, into)


def _read_list(values: list[Any], into: dict[str, Any]) -> None:
    unnamed = []
    for value in values[:512]:
        name = None
        if type(value) is dict:
            name = value.get("@Name") or _attribute(value, "Name")
        if type(name) is str:
            text = value.get("#text")
            into[name] = text if type(text) is str else text_of(value)
        else:
            unnamed.append(text_of(value))
    if unnamed:
        into["Data"] = unnamed


def _add_plain(values: dict[str, Any], into: dict[str, Any]) -> None:
    part: Fields = {}
    flatten({key: value for key, value in values.items() if key[:1] not in ("@", "#")}, part, depth=MAX_DEPTH // 2)
    into.update(part)


def from_xml(event: dict[str, Any]) -> WindowsEvent | None:
    """Read ``System``, ``EventData``, ``UserData`` and ``RenderingInfo``."""
    system = event.get("System")
    if not isinstance(system, dict):
        return None
    get = system.get
    found = WindowsEvent()
    found.code = text_of(get("EventID"))
    found.channel = text_of(get("Channel"))
    found.computer = text_of(get("Computer"))
    found.provider = str(_attribute(get("Provider"), "Name", "EventSourceName") or text_of(get("Provider")))
    created = get("TimeCreated")
    found.time = _attribute(created, "SystemTime") if isinstance(created, dict) else created
    found.level = get("Level")
    found.keywords = get("Keywords")
    found.record_id = text_of(get("EventRecordID"))
    found.pid = _attribute(get("Execution"), "ProcessID")
    _read_data(event.get("EventData"), found.data)
    _read_user_data(event.get("UserData"), found.data)
    rendered = event.get("RenderingInfo")
    found.message = text_of(rendered.get("Message")) if isinstance(rendered, dict) else text_of(event.get("Message"))
    return found


def from_winlogbeat(content: dict[str, Any], winlog: dict[str, Any], fields: Fields) -> WindowsEvent:
    """Read Winlogbeat's own names; what ECS fields the document already has stay as they are."""
    found = WindowsEvent()
    get = winlog.get
    event = content.get("event")
    code = event.get("code") if isinstance(event, dict) else None
    found.code = text_of(code if code is not None else get("event_id"))
    found.channel = text_of(get("channel"))
    found.computer = text_of(get("computer_name"))
    found.provider = text_of(get("provider_name"))
    found.record_id = text_of(get("record_id"))
    found.keywords = get("keywords")
    found.message = text_of(content.get("message"))
    found.time = content.get("@timestamp")
    process = get("process")
    found.pid = process.get("pid") if isinstance(process, dict) else None
    log = content.get("log")
    found.level = log.get("level") if isinstance(log, dict) else get("level")
    for key in ("event_data", "user_data"):
        data = get(key)
        if isinstance(data, dict):
            _add_plain(data, found.data)
    rest = {
        key: value
        for key, value in content.items()
        if key not in ("winlog", "message", "@timestamp", "@version", "ecs")
    }
    flatten(rest, fields)
    for key in ("task", "opcode", "logon"):
        if get(key) is not None:
            flatten({key: get(key)}, fields, "winlog.")
    return found


def from_flat(content: dict[str, Any]) -> WindowsEvent:
    """Read an object that has head and data side by side."""
    get = content.get
    found = WindowsEvent()
    found.code = text_of(get("EventID"))
    found.channel = text_of(get("Channel"))
    found.computer = text_of(get("Hostname") or get("Computer"))
    found.provider = text_of(get("SourceName") or get("ProviderName") or get("Provider"))
    found.time = get("@timestamp") or get("EventTime") or get("TimeCreated") or get("UtcTime") or get("timestamp")
    found.level = get("Level") or get("Severity")
    found.keywords = get("Keywords")
    found.message = text_of(get("Message") or get("message"))
    found.pid = get("ExecutionProcessID")
    found.record_id = text_of(get("RecordNumber") or get("EventRecordID"))
    _add_plain({key: value for key, value in content.items() if key not in _FLAT_ENVELOPE}, found.data)
    return found

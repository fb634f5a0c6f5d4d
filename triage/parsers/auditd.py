"""Linux audit records: raw and enriched lines, one record a line, and the JSON documents laurel makes of them.

Handed: ``type=.. msg=audit(time:serial): key=value ..`` as auditd, audisp and the kernel write it, or laurel's
object. Hands on: who, what, with what outcome, in ECS terms; other keys under ``auditd.``. Records of one audit
event (same node, time and serial) stay one event each and share, within their batch, what only one of them says.
"""

import re
from typing import Any, Self

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import addresses
from triage.parsers.auditd_words import (
    CATEGORIES,
    NAMES,
    SHARED,
    SOCKET_SIDES,
    SYSCALLS,
    decode,
    socket_address,
    split_pairs,
)
from triage.parsers.finish import finish

_LINE = re.compile(
    r"(?:node=(?P<node>\S{1,255}) )?(?:audit: )?type=(?P<type>[\w\[\]]{1,48}) "
    r"(?:msg=)?audit\((?P<time>\d{1,12}(?:\.\d{1,6})?):(?P<serial>\d{1,12})\):?"
)
_SECTIONS = frozenset({"SYSCALL", "EXECVE", "CWD", "PATH", "PROCTITLE", "PARENT_INFO", "SOCKADDR", "LOGIN", "AVC"})
_UNSET = frozenset({"?", "", "(null)", "(none)", "unset", "4294967295", "-1"})
_OUTCOMES = {
    "success": "success",
    "yes": "success",
    "1": "success",
    "failed": "failure",
    "no": "failure",
    "0": "failure",
    "fail": "failure",
}
MAX_FIELDS = 120
MAX_GROUPS = 20_000


def read(text: str, fields: Fields) -> re.Match[str] | None:
    """Fill the fields of one record; return its head, or ``None`` when the text is none."""
    head = _LINE.match(text)
    if head is None:
        return None
    kind = head["type"]
    if head["node"]:
        fields["host.name"] = head["node"]
    _name(kind, split_pairs(text[head.end() :]), fields)
    return head


def _name(kind: str, pairs: dict[str, Any], fields: Fields) -> None:
    fields["auditd.record_type"] = kind.lower()
    fields["event.category"] = CATEGORIES.get(kind, "process")
    for key, value in pairs.items():
        if len(fields) > MAX_FIELDS:
            break
        if type(value) is str and value in _UNSET:
            continue
        name = NAMES.get(key)
        if name is not None:
            fields.setdefault(name, value)
        elif key not in _READ_BELOW:
            fields[f"auditd.{key}"] = value
    _name_people(pairs, fields)
    _name_process(kind, pairs, fields)
    _name_result(kind, pairs, fields)
    _name_peer(pairs, fields)


_READ_BELOW = frozenset(
    {
        "exe",
        "comm",
        "pid",
        "ppid",
        "proctitle",
        "res",
        "result",
        "success",
        "op",
        "addr",
        "saddr",
        "acct",
        "AUID",
        "UID",
    }
)


def _name_people(pairs: dict[str, Any], fields: Fields) -> None:
    """The account a record names, else who logged in, else whose rights it ran with; numbers are ids."""
    account = decode(pairs.get("acct", ""))
    for name in (account, pairs.get("AUID", ""), pairs.get("UID", ""), pairs.get("auid", ""), pairs.get("uid", "")):
        if type(name) is str and name not in _UNSET:
            if not name.isdigit():
                fields["user.name"] = name
                break
            fields.setdefault("user.id", name)
        elif type(name) is int and 0 <= name < 4294967295:
            fields.setdefault("user.id", str(name))


def _name_process(kind: str, pairs: dict[str, Any], fields: Fields) -> None:
    executable, command = decode(pairs.get("exe", "")), decode(pairs.get("comm", ""))
    if executable and executable not in _UNSET:
        fields["process.executable"] = executable
    if command or executable:
        name = executable.rsplit("/", 1)[-1] or command
        if name not in _UNSET:
            fields["process.name"] = name
    for key, name in (("pid", "process.pid"), ("ppid", "process.parent.pid")):
        value = pairs.get(key)
        number = int(value) if type(value) is str and value.isascii() and value.isdigit() and len(value) < 11 else value
        if type(number) is int:
            fields[name] = number
    title = decode(pairs.get("proctitle", "")).replace("\x00", " ").strip()
    if title:
        fields["process.command_line"] = title
    if kind == "EXECVE":
        _name_arguments(pairs, fields)


def _name_arguments(pairs: dict[str, Any], fields: Fields) -> None:
    """``a0=.. a1=..`` of an EXECVE record; a long argument comes in pieces ``a1[0]=..``."""
    arguments = [decode(value) for key, value in pairs.items() if re.fullmatch(r"a\d{1,3}(?:\[\d{1,3}\])?", key)]
    for key in [key for key in fields if re.fullmatch(r"auditd\.a\d{1,3}(?:\[\d{1,3}\])?(?:_len)?", key)]:
        del fields[key]
    if arguments:
        fields["process.args"] = arguments[:64]
        fields["process.command_line"] = " ".join(arguments)
        fields.setdefault("process.name", arguments[0].rsplit("/", 1)[-1] or arguments[0])


def _name_result(kind: str, pairs: dict[str, Any], fields: Fields) -> None:
    for key in ("res", "result", "success"):
        outcome = _OUTCOMES.get(str(pairs.get(key, "")).lower())
        if outcome:
            fields["event.outcome"] = outcome
            break
    operation = pairs.get("op") or pairs.get("operation") or pairs.get("SYSCALL")
    if not operation and kind == "SYSCALL":
        operation = SYSCALLS.get(str(pairs.get("arch", "")), {}).get(str(pairs.get("syscall", "")))
    fields["event.action"] = decode(operation) if operation and operation not in _UNSET else kind.lower()
    denied = str(pairs.get("apparmor", "")) == "DENIED" or "denied" in pairs
    if denied:
        fields["event.outcome"] = "failure"


def _name_peer(pairs: dict[str, Any], fields: Fields) -> None:
    address = pairs.get("addr")
    if isinstance(address, str) and address not in _UNSET:
        addresses.put(fields, "source", address, None)
    host = pairs.get("hostname")
    if (
        isinstance(host, str)
        and host not in _UNSET
        and not addresses.put(fields, "source", host, None)
        and not addresses.canonical(host)
    ):
        fields["source.domain"] = host
    found = socket_address(pairs.get("saddr", ""))
    if found is not None and found[0].strip("0.:"):
        fields["auditd.socket.ip"], fields["auditd.socket.port"] = found


def _from_laurel(content: dict[str, Any], fields: Fields) -> None:
    """One document holds all records of an event, by type."""
    for kind, section in content.items():
        part = section[0] if isinstance(section, list) and section and isinstance(section[0], dict) else section
        if not isinstance(part, dict) or not kind.isupper():
            continue
        pairs = {key: value for key, value in part.items() if isinstance(value, str | int | float | bool)}
        if kind == "PARENT_INFO":
            for key, name in (("comm", "process.parent.name"), ("exe", "process.parent.executable")):
                if pairs.get(key):
                    fields[name] = pairs[key]
            continue
        said: Fields = {}
        _name(kind, pairs, said)
        arguments = part.get("ARGV")
        if isinstance(arguments, list) and arguments:
            said["process.args"] = [str(word) for word in arguments[:64]]
            said["process.command_line"] = " ".join(map(str, arguments[:64]))
        for name, value in said.items():
            fields.setdefault(name, value)


def _name_socket(group: list[Fields]) -> None:
    """Whose address a socket's is, the system call beside it says."""
    side = next(
        (SOCKET_SIDES[action] for fields in group if (action := fields.get("event.action")) in SOCKET_SIDES), ""
    )
    for fields in group:
        if side and "auditd.socket.ip" in fields:
            addresses.put(fields, side, fields["auditd.socket.ip"], str(fields["auditd.socket.port"]))


class Auditd:
    """Linux audit records."""

    name = "auditd"

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], list[Fields]] = {}

    def for_batch(self) -> Self:
        """Return an instance that remembers one batch's records."""
        return type(self)()

    def settle(self) -> None:
        """Give every record of one audit event what only its siblings say."""
        for group in self._groups.values():
            if len(group) < 2:
                continue
            _name_socket(group)
            known: Fields = {}
            for fields in group:
                for name in SHARED:
                    if name in fields:
                        known.setdefault(name, fields[name])
            for fields in group:
                if len(fields) + len(known) < MAX_FIELDS * 2:
                    for name, value in known.items():
                        fields.setdefault(name, value)
        self._groups.clear()

    def claim(self, record: Record) -> int:
        content = record.content
        if isinstance(content, str):
            return 95 if _LINE.match(content) else 0
        if not isinstance(content, dict):
            return 0
        return 95 if isinstance(content.get("ID"), str) and not _SECTIONS.isdisjoint(content) else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        fields: Fields = {"event.module": "auditd"}
        if isinstance(content, dict):
            return self._parse_laurel(content, record, received_at) if self.claim(record) else None
        head = read(content, fields) if isinstance(content, str) else None
        if head is None:
            return None
        event = finish(
            self.name, record, received_at, fields, message=content, when=float(head["time"]), stamp=head["time"]
        )
        if len(self._groups) < MAX_GROUPS:
            self._groups.setdefault((head["node"] or "", f"{head['time']}:{head['serial']}"), []).append(event.fields)
        return event

    def _parse_laurel(self, content: dict[str, Any], record: Record, received_at: float) -> ParsedEvent:
        fields: Fields = {"event.module": "auditd"}
        _from_laurel(content, fields)
        node = content.get("NODE")
        if isinstance(node, str) and node:
            fields["host.name"] = node
        stamp = str(content["ID"]).partition(":")[0]
        when = float(stamp) if re.fullmatch(r"\d{1,12}(?:\.\d{1,6})?", stamp, re.ASCII) else None
        words = (
            fields.get("event.action"),
            fields.get("user.name"),
            fields.get("process.command_line") or fields.get("process.executable"),
        )
        message = "audit " + " ".join(str(word) for word in words if word)
        return finish(self.name, record, received_at, fields, message=message, when=when, stamp=stamp)

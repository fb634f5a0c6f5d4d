"""Zeek logs as JSON (streaming or file) or as tab-separated text, one object or line per entry.

Handed: a line of text (read by :mod:`triage.parsers.zeek_tsv`) or an object with ``_path`` or
Zeek's ``uid`` and ``id.orig_h``. Hands on: both ends, protocol, sizes and the protocol's own facts
in ECS terms; every other column under ``zeek.``. Columns: Zeek's base scripts.
"""

from typing import Any, Self

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import times, zeek_tsv
from triage.parsers.finish import ends, finish, flatten

#: Columns with an ECS home in every log that has them.
COMMON = {
    "id.orig_h": "source.ip",
    "id.orig_p": "source.port",
    "id.resp_h": "destination.ip",
    "id.resp_p": "destination.port",
    "src": "source.ip",
    "dst": "destination.ip",
    "p": "destination.port",
    "proto": "network.transport",
    "service": "network.protocol",
    "orig_bytes": "source.bytes",
    "resp_bytes": "destination.bytes",
    "orig_pkts": "source.packets",
    "resp_pkts": "destination.packets",
    "community_id": "network.community_id",
    "user_agent": "user_agent.original",
    "mime_type": "file.mime_type",
    "filename": "file.name",
    "md5": "file.hash.md5",
    "sha1": "file.hash.sha1",
    "sha256": "file.hash.sha256",
}
_BY_PATH: dict[str, dict[str, str]] = {
    "dns": {
        "query": "dns.question.name",
        "qtype_name": "dns.question.type",
        "qclass_name": "dns.question.class",
        "rcode_name": "dns.response_code",
        "answers": "dns.answers.data",
        "trans_id": "dns.id",
    },
    "http": {
        "method": "http.request.method",
        "host": "url.domain",
        "uri": "url.original",
        "status_code": "http.response.status_code",
        "referrer": "http.request.referrer",
        "version": "http.version",
        "request_body_len": "http.request.body.bytes",
        "response_body_len": "http.response.body.bytes",
        "username": "user.name",
    },
    "ssl": {
        "server_name": "tls.client.server_name",
        "version": "tls.version",
        "cipher": "tls.cipher",
        "established": "tls.established",
        "ja3": "tls.client.ja3",
        "ja3s": "tls.server.ja3s",
        "subject": "tls.server.subject",
        "issuer": "tls.server.issuer",
    },
    "ssh": {"client": "user_agent.original"},
    "ntlm": {"username": "user.name", "domainname": "user.domain"},
    "kerberos": {"client": "user.name", "error_msg": "error.message"},
    "ftp": {"user": "user.name", "command": "event.action"},
    "socks": {"user": "user.name"},
    "radius": {"username": "user.name", "mac": "source.mac"},
    "rdp": {"cookie": "user.name"},
    "mysql": {"cmd": "event.action"},
    "notice": {"note": "rule.name"},
    "weird": {"name": "rule.name"},
    "signatures": {"sig_id": "rule.id", "event_msg": "rule.name"},
    "smtp": {"subject": "email.subject", "mailfrom": "email.from.address", "rcptto": "email.to.address"},
    "dhcp": {
        "client_addr": "source.ip",
        "server_addr": "destination.ip",
        "mac": "source.mac",
        "host_name": "source.domain",
    },
    "smb_files": {"action": "event.action", "name": "file.name", "path": "file.path"},
    "syslog": {"severity": "log.level"},
    "software": {"host": "source.ip", "software_type": "zeek.software_type"},
}
_CATEGORY = {
    "ntlm": "authentication",
    "kerberos": "authentication",
    "radius": "authentication",
    "http": "web",
    "files": "file",
    "smb_files": "file",
    "notice": "intrusion_detection",
    "signatures": "intrusion_detection",
}
_PROTOCOLS = frozenset(
    {
        "dns",
        "http",
        "ssl",
        "ssh",
        "rdp",
        "ftp",
        "smtp",
        "dhcp",
        "ntlm",
        "kerberos",
        "radius",
        "snmp",
        "sip",
        "irc",
        "mysql",
    }
)
_SUCCESS = ("auth_success", "success")
MAX_NAMES = 512


class _Names(dict[str, str]):
    """Column -> field name, learned once per column, so that a hot loop does one lookup."""

    def __missing__(self, column: str) -> str:
        name = f"zeek.{column}"
        if len(self) < MAX_NAMES and len(column) < 64:
            self[column] = name
        return name


_NAMES = {path: _Names({**COMMON, **own}) for path, own in _BY_PATH.items()}
_OTHER = _Names(COMMON)
_SKIPPED = frozenset({"ts", "_path", "_write_ts", "_system_name"})


def _summary(path: str, fields: Fields) -> str:
    """One line: the log, both ends, and what makes this event this event."""
    get = fields.get
    both = ends(fields)
    if path == "conn":
        service = get("network.protocol", "-")
        return f"conn {get('network.transport', '')} {both} {service} {get('zeek.conn_state', '')}".rstrip()
    if path == "dns":
        answers = get("dns.answers.data") or get("dns.response_code", "")
        return f"dns {get('dns.question.type', '')} query {get('dns.question.name', '-')} -> {_short(answers)} ({both})"
    if path == "http":
        request = f"{get('http.request.method', '-')} {get('url.domain', '')}{get('url.original', '')}"
        return f"http {request} {get('http.response.status_code', '-')} ({both})"
    told = (
        get("zeek.msg"),
        get("rule.name"),
        get("user.name"),
        get("tls.client.server_name"),
        get("file.name"),
        get("file.mime_type"),
        get("event.action"),
        get("user_agent.original"),
        get("zeek.failure_reason"),
        get("zeek.analyzer_name"),
    )
    return f"{path} {both} " + " ".join(_short(value) for value in told if value)


def _short(value: Any) -> str:
    return ", ".join(map(str, value[:4])) if isinstance(value, list) else str(value)[:512]


class Zeek:
    """Zeek's logs."""

    name = "zeek"

    def __init__(self) -> None:
        self._header = zeek_tsv.Header()

    def for_batch(self) -> Self:
        """Return an instance that remembers one batch's header lines."""
        return type(self)()

    def settle(self) -> None:
        """Nothing is left open at a batch's end."""

    def claim(self, record: Record) -> int:
        content = record.content
        if isinstance(content, str):
            return self._claim_line(content)
        if not isinstance(content, dict):
            return 0
        if "uid" in content and ("id.orig_h" in content or isinstance(content.get("id"), dict)):
            return 95
        return 90 if "_path" in content and "ts" in content else 0

    def _claim_line(self, line: str) -> int:
        """A header line, a line with the columns it named, or one whose columns can be told."""
        if zeek_tsv.is_line(line):
            return 96
        header = self._header
        return 94 if header.columns and line.count(header.separator) == len(header.columns) - 1 > 2 else 0

    def _parse_line(self, line: str, record: Record, received_at: float) -> ParsedEvent | None:
        if line.startswith("#") and self._header.read(line):
            fields: Fields = {"event.module": "zeek", "event.dataset": "zeek.header", "event.action": "log_header"}
            return finish(self.name, record, received_at, fields, message=line)
        content = zeek_tsv.decode(line, self._header) if self._claim_line(line) else None
        return None if content is None else self._parse_object(content, record, received_at)

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if isinstance(content, str):
            return self._parse_line(content, record, received_at)
        if not isinstance(content, dict) or self.claim(record) == 0:
            return None
        return self._parse_object(content, record, received_at)

    def _parse_object(self, content: dict[str, Any], record: Record, received_at: float) -> ParsedEvent:
        path = content.get("_path")
        if not isinstance(path, str) or len(path) > 64:
            path = _guess_path(content)
        names = _NAMES.get(path, _OTHER)
        fields: Fields = {
            "event.module": "zeek",
            "event.dataset": f"zeek.{path}",
            "event.category": _CATEGORY.get(path, "network"),
        }
        if path in _PROTOCOLS:
            fields["network.protocol"] = "tls" if path == "ssl" else path
        for column, value in content.items():
            kind = type(value)
            if kind is str:
                if value and value != "-" and column not in _SKIPPED:
                    fields[names[column]] = value
            elif kind is list or kind is dict:
                _add_nested(column, value, names, fields)
            elif value is not None and column not in _SKIPPED:
                fields[names[column]] = value
        _settle(path, content, fields)
        stamp = content.get("ts")
        when = times.from_any(stamp)
        message = _summary(path, fields)
        return finish(self.name, record, received_at, fields, message=message, when=when, stamp=stamp)


def _guess_path(content: dict[str, Any]) -> str:
    """File exports leave ``_path`` out; a column that only one log has tells it."""
    for column, path in (
        ("conn_state", "conn"),
        ("qtype", "dns"),
        ("query", "dns"),
        ("uri", "http"),
        ("method", "http"),
        ("cipher", "ssl"),
        ("auth_attempts", "ssh"),
        ("note", "notice"),
    ):
        if column in content:
            return path
    return "log"


def _add_nested(column: str, value: Any, names: dict[str, str], fields: Fields) -> None:
    """Lists of scalars stay lists; objects (``id`` as a record) are named by their dotted column."""
    part: Fields = {}
    flatten({column: value}, part)
    for name, item in part.items():
        fields[names[name]] = item


def _settle(path: str, content: dict[str, Any], fields: Fields) -> None:
    """Outcome, URL parts and types that need more than a rename."""
    if path == "http":
        target = fields.get("url.original")
        if isinstance(target, str):
            head, mark, query = target.partition("?")
            fields["url.path"] = head
            if mark:
                fields["url.query"] = query
        status = fields.get("http.response.status_code")
        if isinstance(status, int):
            fields["event.outcome"] = "success" if status < 400 else "failure"
        return
    for column in _SUCCESS:
        value = content.get(column)
        if isinstance(value, bool):
            fields["event.outcome"] = "success" if value else "failure"
            if path == "ssh":
                fields["event.category"] = "authentication"

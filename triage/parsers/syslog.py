"""Syslog lines: RFC 5424, RFC 3164 (BSD), and the BSD-like lines that files and journals hold.

Handed: a text line, with or without its ``<PRI>``. Hands on: host, program, severity, time, structured data;
a login program's message goes on to :mod:`triage.parsers.linux_auth`, a web server's to
:mod:`triage.parsers.web_access`. The message stays the whole line.
"""

import re

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import auditd, devices, heads, key_values, linux_auth, phrases, times, web_access, web_lines
from triage.parsers.finish import finish
from triage.parsers.severities import SEVERITIES

AUTH_FACILITIES = frozenset({4, 10})

_PRI = re.compile(r"<(\d{1,3})>")
_NEW = re.compile(r"<(\d{1,3})>\d{1,2} (\S{1,64}) (\S{1,255}) (\S{1,255}) (\S{1,128}) (\S{1,64}) ?")
_OLD = re.compile(
    rf"(?:\d+: )?[*.]?(?P<time>{times.BSD}|{times.ISO})(?: [A-Z]{{3,4}}(?=[ :]))?:? +"
    r"(?:(?P<host>[^\s:\[<]{1,255}) ?: (?=%)|(?P<host2>[^\s\[<,=]{1,255}?):? (?!: )|)"
)
_CISCO_ONLY = re.compile(rf"(?P<time>{times.BSD}): (?=%)")
_TAG = re.compile(r"(?P<app>[^\s\[:(<>=\"{}]{1,128})(?:\((?P<inner>[\w:-]{1,64})\))?(?:\[(?P<pid>[^\]\s]{1,32})\])?: ?")
_LOOKS_OLD = re.compile(
    rf"(?:<\d{{1,3}}>)?(?:\d+: )?[*.]?(?:{times.BSD}|\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\S{{0,16}}) ?:? ?\S"
)
_SD_ELEMENT = re.compile(r"\[([^\s=\]\"]{1,64})((?: [^\s=\]\"]{1,64}=\"(?:[^\"\\]|\\.){0,4096}\")*) ?\]")
_SD_PAIR = re.compile(r" ([^\s=\]\"]{1,64})=\"((?:[^\"\\]|\\.){0,4096})\"")
_WEB_APPS = frozenset({"nginx", "apache", "apache2", "httpd", "haproxy", "caddy", "lighttpd"})
MAX_ELEMENTS = 16


def _add_priority(text: str, fields: Fields) -> int | None:
    """Split PRI into facility and severity; return the facility, ``None`` when it is out of range."""
    priority = int(text)
    if priority > 191:
        return None
    fields["log.level"] = SEVERITIES[priority & 7]
    fields["log.syslog.facility.code"] = priority >> 3
    return priority >> 3


def _read_structured_data(text: str, start: int, fields: Fields) -> int:
    """Add the elements that begin at ``start``; return where the message begins."""
    if text.startswith("-", start):
        return start + 1
    for _ in range(MAX_ELEMENTS):
        element = _SD_ELEMENT.match(text, start)
        if element is None:
            break
        start = element.end()
        for name, value in _SD_PAIR.findall(element[2]):
            clean = value.replace('\\"', '"').replace("\\]", "]").replace("\\\\", "\\") if "\\" in value else value
            fields[f"log.syslog.structured_data.{element[1]}.{name}"] = clean
    return start


def read_message(app: str, message: str, fields: Fields) -> str:
    """Let the program's own format, where we know it, fill the rest; return the time it wrote itself, if any."""
    stamp = devices.read(app, message, fields)
    return _read_program(app, message, fields) if stamp is None else stamp


def _read_program(app: str, message: str, fields: Fields) -> str:
    if message.startswith("[ID "):
        message = message[message.find("] ") + 2 :]  # Solaris puts its message number first
    if app in linux_auth.APPS or message.startswith(("pam_", "authentication failure;")):
        if linux_auth.read(app, message, fields):
            fields["event.module"] = "system"
            fields["event.dataset"] = "system.auth"
        else:
            phrases.read(message, fields)
    elif app in _WEB_APPS and web_access.read(message, fields) is not None:
        return ""
    elif "audit(" in message[:300] and auditd.read(message, fields) is not None:
        fields["event.module"] = "auditd"
    elif app == "kernel":
        if not phrases.read_packet(message, fields):
            phrases.read(message, fields)
    else:
        return read_free(message, fields)
    return ""


#: Brackets, a level, a clock or a name with a colon: without one of them a message begins with its sentence.
_MAY_HAVE_HEAD = re.compile(r"[\[(<{|]|[\d.]{2}|[A-Z]{4}|[\w.$:/-]{1,64}(?: - |: |:\Z|\[)|-|\\x1b|\x1b")


def read_free(message: str, fields: Fields) -> str:
    """Read what a program without a format of its own says: an access line, pairs, or a head and a sentence."""
    if web_lines.looks(message) and web_lines.read(message, fields):
        return ""
    stamp = key_values.read(message, fields) if key_values.looks("", message) else None
    if stamp is not None:
        return stamp
    text = heads.plain(message)
    start = heads.read(text, 0.0, fields).end if _MAY_HAVE_HEAD.match(text) is not None else 0
    phrases.read(text[start:], fields)
    return ""


_LEVELS = frozenset(
    {"trace", "debug", "info", "notice", "warn", "warning", "error", "err", "critical", "fatal", "severe"}
)


def _is_sure(tag: re.Match[str] | None, fields: Fields) -> bool:
    """Any program may start its lines with an ISO time; only a host and a tag after it make a syslog header."""
    host = str(fields.get("host.name", ""))
    return tag is not None and bool(host) and host.strip("[]|-:").lower() not in _LEVELS


def _ends_time(header: re.Match[str] | None, content: str) -> bool:
    """A colon behind an ISO time is an application's; a host's name follows a blank."""
    return header is not None and content[header.end("time") : header.end("time") + 1] == ":"


def _knows_better(own: str, stamp: str) -> bool:
    """A time that the message wrote itself counts where it leaves less open than the header's: the year, the zone."""
    return not stamp or (len(times.doubts(own)) < len(times.doubts(stamp)) and times.from_text(own) is not None)


def _add_program(app: str, pid: str | None, fields: Fields) -> None:
    fields["process.name"] = app
    if pid:
        if pid.isascii() and pid.isdigit() and len(pid) < 10:
            fields["process.pid"] = int(pid)
        else:
            fields["log.syslog.procid"] = pid


class Syslog:
    """RFC 5424 and RFC 3164 lines."""

    name = "syslog"
    takes = str

    def claim(self, record: Record) -> int:
        content = record.content
        if not isinstance(content, str):
            return 0
        if _NEW.match(content):
            return 90
        if _LOOKS_OLD.match(content):
            return 80
        return 40 if _PRI.match(content) else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, str):
            return None
        if content.startswith("<"):
            new = _NEW.match(content)
            if new is not None:
                return self._parse_new(new, record, received_at)
        return self._parse_old(content, record, received_at)

    def _parse_new(self, match: re.Match[str], record: Record, received_at: float) -> ParsedEvent | None:
        content = match.string
        priority, stamp, host, app, pid, message_id = match.groups()
        fields: Fields = {}
        if _add_priority(priority, fields) is None:
            return None
        if host != "-":
            fields["host.name"] = host
        if app != "-":
            _add_program(app, None if pid == "-" else pid, fields)
        if message_id != "-":
            fields["log.syslog.msgid"] = message_id
        start = _read_structured_data(content, match.end(), fields)
        own = read_message(app, content[start:].removeprefix(" ").removeprefix("\ufeff"), fields)
        when = times.from_iso(stamp) if stamp != "-" else times.from_text(own) if own else None
        when_text = own if stamp == "-" else stamp
        return finish(self.name, record, received_at, fields, message=content, when=when, stamp=when_text)

    def _parse_old(self, content: str, record: Record, received_at: float) -> ParsedEvent | None:
        fields: Fields = {}
        start = 0
        priority = _PRI.match(content)
        if priority is not None:
            if _add_priority(priority[1], fields) is None:
                return None
            start = priority.end()
        header = _CISCO_ONLY.match(content, start) or _OLD.match(content, start)
        if header is None and priority is None:
            return None
        when: float | None = None
        stamp = ""
        if header is not None:
            stamp = header["time"]
            when = self._time(stamp, received_at)
            start = self._add_host(header, content, fields)
        tag = None if content.startswith(devices.UNTAGGED, start) else _TAG.match(content, start)
        if priority is None and stamp[:1].isdigit() and (not _is_sure(tag, fields) or _ends_time(header, content)):
            return None
        app = ""
        if tag is not None:
            app = tag["app"]
            _add_program(app, tag["pid"], fields)
            start = tag.end()
        own_stamp = self._hand_on(app, tag, content[start:], fields)
        if own_stamp and _knows_better(own_stamp, stamp):
            stamp, when = own_stamp, times.from_text(own_stamp)
        return finish(self.name, record, received_at, fields, message=content, when=when, stamp=stamp)

    def _time(self, stamp: str, received_at: float) -> float | None:
        if stamp[0].isdigit():
            return times.from_iso(stamp)
        return times.from_bsd(stamp, received_at)[0]

    def _add_host(self, header: re.Match[str], content: str, fields: Fields) -> int:
        """Return where the tag begins; a header without a host has its tag where the host would be."""
        groups = header.groupdict()
        host = groups.get("host")
        if host is None and groups.get("host2") is not None:
            host = groups["host2"]
            begin = header.start("host2")
            # "Jan  2 03:04:05 sshd[42]: ..." has no host; the pattern then stops before "[" or at the colon.
            if content[header.end("host2") : header.end("host2") + 1] == ":":
                tag = _TAG.match(content, begin)
                following = _TAG.match(content, header.end())
                if tag is not None and following is None and not content.startswith("%", header.end()):
                    return begin
        if host:
            fields["host.name"] = host
        return header.end()

    def _hand_on(self, app: str, tag: re.Match[str] | None, message: str, fields: Fields) -> str:
        if tag is not None and tag["inner"]:
            fields["system.auth.pam.module"] = tag["inner"]
        return read_message(app.rsplit("/", 1)[-1] if app[:1] == "/" else app, message, fields)

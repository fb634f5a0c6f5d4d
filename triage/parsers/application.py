"""Lines of any program: a time, perhaps a level and a logger, and a sentence.

Handed: a line that no format of its own claims. Hands on: an event when the line's head or its sentence was
understood; ``None`` when neither was, so that what nobody understands is counted as that.
"""

import re

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import dates, heads, phrases, syslog, times
from triage.parsers.finish import finish

#: Facts that make a sentence understood.
_FACTS = ("event.action", "source.ip", "destination.ip", "user.name")
#: A syslog line behind something that a relay or a collector put before it.
_INNER = re.compile(
    rf"(?<=\s)(?P<time>{dates.MONTH} [ \d]?\d \d\d:\d\d:\d\d) (?P<host>[\w.@/-]{{1,255}}) "
    rf"(?P<line>[^\s:\[]{{1,128}}(?:\[\d{{1,9}}\])?: )"
)
#: vsftpd names a session's account in brackets behind its pid.
_SESSION = re.compile(r"\[pid \d{1,9}\] \[([^\[\]]{1,128})\] (?:FAIL|OK|FTP|CONNECT)")


class Application:
    """Free text with what can be read from it."""

    name = "application"
    takes = str

    def claim(self, record: Record) -> int:
        """Below every format of its own, and never remembered: the next line may be of one of those."""
        content = record.content
        return 5 if isinstance(content, str) and len(content) > 7 and any(map(str.isdigit, content[:400])) else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, str):
            return None
        text = heads.plain(content)
        inner = _INNER.search(text, 1, 160)
        if inner is not None:
            return self._parse_inner(inner, record, received_at)
        fields: Fields = {}
        head = heads.read(text, received_at, fields)
        session = _SESSION.search(text, 0, 200)
        if session is not None:
            fields["user.name"] = session[1]
            fields.pop("process.thread.name", None)
        phrases.read(text[head.end :], fields)
        understood = (head.when is not None and head.marks > 0) or any(name in fields for name in _FACTS)
        if not understood:
            return None
        return finish(self.name, record, received_at, fields, message=content, when=head.when, stamp=head.stamp)

    def _parse_inner(self, inner: re.Match[str], record: Record, received_at: float) -> ParsedEvent | None:
        """Read the syslog line; the time before it knows its year, where there is one."""
        text = inner.string
        fields: Fields = {}
        outer = heads.read(text[: inner.start()], received_at, {})
        event = syslog.Syslog().parse(Record(text[inner.start() :]), received_at)
        if event is None:
            return None
        fields.update(event.fields)
        host = str(fields.get("host.name", "")).rpartition("@")[2].partition("/")[0]
        if host:
            fields["host.name"] = host
        for mark in (times.INFERRED, times.FLAG):
            fields.pop(mark, None)
        when, stamp = (outer.when, outer.stamp) if outer.when is not None else (event.timestamp, inner["time"])
        content = str(record.content)
        return finish(self.name, record, received_at, fields, message=content, when=when, stamp=stamp)

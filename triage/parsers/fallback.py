"""What no parser understood: the message is kept, with what can be read from it without guessing.

Handed: any record. Hands on: an event whose message is the text, with the time the line begins with and its
level and a failed login when it says so in plain words.
"""

import re

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import phrases, times
from triage.parsers.finish import finish
from triage.parsers.json_text import compact

_LEVEL = re.compile(
    r"(?:^|[\s\[(<|])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|SEVERE)(?=[\s\]):>|,]|$)"
)
LEVELS = {"WARN": "warning", "FATAL": "critical", "SEVERE": "error"}
UNKNOWN = "unknown_format"


class Fallback:
    """Message-only events."""

    name = "fallback"

    def claim(self, record: Record) -> int:
        return 1

    def parse(self, record: Record, received_at: float) -> ParsedEvent:
        return self.keep(record, received_at, UNKNOWN)

    def keep(self, record: Record, received_at: float, reason: str) -> ParsedEvent:
        """Return the event of a record that only its text is known of, with the reason why."""
        content = record.content
        if isinstance(content, dict):
            return finish(self.name, record, received_at, {}, message=compact(content), reason=reason)
        text = content if isinstance(content, str) else str(content)
        fields: Fields = {}
        level = _LEVEL.search(text, 0, 120)
        if level is not None:
            fields["log.level"] = LEVELS.get(level[1], level[1].lower())
        phrases.read_failed_login(text, fields)
        when, stamp = times.leading(text)
        return finish(self.name, record, received_at, fields, message=text, when=when, stamp=stamp, reason=reason)

    def bare(self, record: Record, received_at: float, reason: str) -> ParsedEvent:
        """Return the event of a record that broke even the reading of what is plain: its text, nothing else."""
        content = record.content
        text = compact(content) if isinstance(content, dict) else str(content)
        return finish(self.name, Record(content), received_at, {}, message=text, reason=reason)

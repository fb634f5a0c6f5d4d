"""W3C extended logs: IIS, Exchange, and others that say their columns in ``#Fields:``.

Handed: lines of such a log. Hands on: client, request and status in ECS terms, other columns under ``w3c.``. The
columns are those of the last ``#Fields:`` line of the batch; without one, IIS's default columns by their number.
The format's times are UTC by definition.
"""

import re
from typing import Self

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import addresses, times
from triage.parsers.finish import finish
from triage.parsers.web_lines import METHODS, add_status

_DEFAULT = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) "
    "sc-status sc-substatus "
    "sc-win32-status time-taken"
)
#: IIS's own layouts by their number of columns: version 7 on, before it, with the site's name, with everything.
_LAYOUTS = {
    15: _DEFAULT,
    14: _DEFAULT.replace("cs(Referer) ", ""),
    11: "date time c-ip cs-username s-ip s-port cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)",
    17: "date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) "
    "cs(Cookie) cs(Referer) "
    "sc-status sc-substatus sc-win32-status time-taken",
    16: "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip "
    "cs(User-Agent) sc-status "
    "sc-substatus sc-win32-status time-taken",
    18: _DEFAULT + " sc-bytes cs-bytes x-forwarded-for",
    22: "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip "
    "cs-version cs(User-Agent) "
    "cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
}
_NAMES = {
    "cs-method": "http.request.method",
    "cs-uri-stem": "url.path",
    "cs-uri-query": "url.query",
    "cs-username": "user.name",
    "cs(user-agent)": "user_agent.original",
    "cs(referer)": "http.request.referrer",
    "cs-host": "url.domain",
    "cs(host)": "url.domain",
    "s-computername": "host.name",
    "sc-bytes": "http.response.bytes",
    "cs-bytes": "http.request.bytes",
    "cs-version": "http.version",
    "s-sitename": "w3c.site",
}
_PORTS = {"s-port": "destination.port", "c-port": "source.port"}
_LINE = re.compile(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d \S+ .*?\b(?:{METHODS})\b ")
_COLUMNS = re.compile(r"#Fields:\s+(.{3,4096})")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
MAX_COLUMNS = 64


class W3c:
    """W3C extended logs."""

    name = "w3c"
    takes = str

    def __init__(self) -> None:
        self._columns: list[str] = []

    def for_batch(self) -> Self:
        """Return an instance that remembers one batch's columns."""
        return type(self)()

    def settle(self) -> None:
        """Nothing is left open at a batch's end."""

    def claim(self, record: Record) -> int:
        content = record.content
        if not isinstance(content, str):
            return 0
        if content.startswith("#"):
            return (
                96 if content.startswith(("#Fields: ", "#Software: ", "#Version: ", "#Date: ", "#Start-Date: ")) else 0
            )
        if self._columns and content.count(" ") == len(self._columns) - 1 > 3 and _TIME.search(content, 0, 80):
            return 89
        return 88 if _LINE.match(content[:600]) and content.count(" ") > 8 else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, str) or not self.claim(record):
            return None
        if content.startswith("#"):
            named = _COLUMNS.match(content)
            if named is not None:
                self._columns = named[1].split()[:MAX_COLUMNS]
            fields: Fields = {"event.action": "log_header", "event.dataset": "w3c.header"}
            return finish(self.name, record, received_at, fields, message=content)
        values = content.split()
        columns = self._columns if len(self._columns) == len(values) else _LAYOUTS.get(len(values), "").split()
        row = dict(zip((column.lower() for column in columns), values, strict=False))
        if not row or not _TIME.match(f"{row.get('date', '')} {row.get('time', '')}"):
            return None
        return self._build(row, record, received_at, content)

    def _build(self, row: dict[str, str], record: Record, received_at: float, content: str) -> ParsedEvent | None:
        fields: Fields = {"event.dataset": "web.access"}
        stamp = f"{row.pop('date')}T{row.pop('time')}Z"
        for side, column in (("source", "c-ip"), ("destination", "s-ip")):
            addresses.put(fields, side, row.pop(column, ""), None)
        status = row.pop("sc-status", "")
        if status.isascii() and status.isdigit() and len(status) == 3:
            add_status(int(status), fields)
        for column, value in row.items():
            if value == "-":
                continue
            if column in _PORTS and value.isascii() and value.isdigit() and len(value) < 6:
                fields[_PORTS[column]] = int(value)
            elif column in _NAMES:
                fields[_NAMES[column]] = value.replace("+", " ") if column == "cs(user-agent)" else value
            else:
                fields[f"w3c.{column}"] = value
        if "url.path" in fields:
            query = fields.get("url.query")
            fields["url.original"] = f"{fields['url.path']}?{query}" if query else fields["url.path"]
        return finish(self.name, record, received_at, fields, message=content, when=times.from_iso(stamp), stamp=stamp)

"""Server logs of PostgreSQL, MySQL, MariaDB and MongoDB.

Handed: a line (PostgreSQL's stderr and csvlog, MySQL's error, general and audit lines) or an object (PostgreSQL's
jsonlog, MongoDB's structured log). Hands on: account, peer, statement, outcome and level in ECS terms. The prefix of
a PostgreSQL line is its administrator's choice: time, peer, pid and ``user@database`` are found in any order.
"""

import csv
import re
from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import addresses, heads, phrases, times
from triage.parsers.finish import finish

_LEVELS = "DEBUG[1-5]?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|HINT|DETAIL|STATEMENT|CONTEXT"
_POSTGRES = re.compile(
    rf"(?P<prefix>.{{0,300}}?)(?P<time>\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{{1,6}})? "
    rf"[A-Z]{{2,5}})(?P<after>.{{0,300}}?)\b(?P<level>{_LEVELS}): {{1,2}}"
    r"(?P<text>.*)",
    re.DOTALL,
)
#: A level in capitals and a colon: a line without one is spared the pattern above.
_SAYS_LEVEL = re.compile(r"[A-Z]{3}: ")
_CSV = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Z]{2,5},(?:\"[^\"]*\"|[^,]*),(?:\"[^\"]*\"|[^,]*),\d{1,9},"
)
_CSV_COLUMNS = [
    "time",
    "user",
    "database",
    "pid",
    "connection",
    "session",
    "line",
    "command",
    "start",
    "vxid",
    "xid",
    "level",
    "state",
    "message",
    "detail",
    "hint",
    "query",
    "position",
    "context",
    "statement",
    "statement_position",
    "location",
    "application",
    "backend",
    "leader",
    "query_id",
]
_AT = re.compile(
    r"(?:user=)?(?P<user>[^\s@,=\[\]():]{1,128})@(?P<database>[^\s@,\[\]():]{1,128})"
    r"|user=(?P<user2>[^\s,]{1,128}),db=(?P<database2>[^\s,]{1,128})"
)
_PEER = re.compile(
    rf"(?:host=|client=|\A|[\s(:])(?P<address>{addresses.V4}|{addresses.V6})(?:\((?P<port>\d{{1,5}})\))?(?=[\s,)\]:"
    rf"]|\Z)"
)
_PID = re.compile(r"\[(\d{1,9})(?:-\d{1,9})?\]")
_MYSQL = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d))\s+(?P<thread>\d{1,12})\s(?:\[(?P<level>\w{"
    r"1,16})\] (?:\[(?P<code>MY-\d{1,9})\] \[(?P<part>\w{1,32})\] )?"
    r"|(?P<command>Connect|Query|Quit|Init DB|Prepare|Execute|Close stmt|Change user|Field List|Statistics|Ping"
    r"|Kill|Shutdown)\t? {0,4})(?P<text>.*)",
    re.DOTALL,
)
_MARIADB = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d {1,2}\d{1,2}:\d\d:\d\d) (?P<thread>\d{1,12}) \[(?P<level>Note|Warning|ERROR)\] "
    r"(?P<text>.*)",
    re.DOTALL,
)
_AUDIT = re.compile(
    r"(?P<time>\d{8} \d\d:\d\d:\d\d),(?P<server>[^,]{0,255}),(?P<user>[^,]{0,128}),(?P<host>[^,]{0,255}),(?P<connec"
    r"tion>\d{1,12}),(?P<query>\d{1,12}),"
    r"(?P<operation>[A-Z_]{2,24}),(?P<database>[^,]{0,128}),(?P<object>.*),(?P<code>\d{1,6})\Z",
    re.DOTALL,
)
_ACCOUNT = re.compile(
    rf"'(?P<user>[^']{{0,128}})'@'(?P<host>[^']{{1,255}})'|(?P<user2>[\w.$-]{{1,128}})@(?P<host2>{addresses.V4}"
    rf"|localhost|[\w.-]{{1,255}}) on "
)
_LOGGED_IN = re.compile(r"connection authorized|connection authenticated")
_MONGO_LEVELS = {"F": "critical", "E": "error", "W": "warning", "I": "info"}


def _account(text: str, fields: Fields) -> None:
    """``'alice'@'192.0.2.7'`` as MySQL writes account and peer."""
    found = _ACCOUNT.search(text, 0, 2_000)
    if found is None:
        return
    user, host = found["user"] or found["user2"], found["host"] or found["host2"]
    if user:
        fields["user.name"] = user
    if not addresses.put(fields, "source", host, None) and host not in ("localhost", "%"):
        fields["source.domain"] = host


def _level(word: str) -> str:
    word = word.lower().rstrip("12345")
    return heads.LEVELS.get(word, "info")


def _sentence(text: str, fields: Fields) -> None:
    fields.setdefault("event.category", "database")
    said: Fields = {}
    phrases.read(text, said)
    if said.get("event.category") == "authentication":
        fields["event.category"] = "authentication"
    for name, value in said.items():
        fields.setdefault(name, value)
    if _LOGGED_IN.match(text):
        fields.update({"event.category": "authentication", "event.action": "login", "event.outcome": "success"})


class Databases:
    """Database servers."""

    name = "databases"

    def claim(self, record: Record) -> int:
        content = record.content
        if isinstance(content, dict):
            return self._claim_object(content)
        if not isinstance(content, str):
            return 0
        head = content[:700]
        if _CSV.match(head) or _AUDIT.match(content[:4_000]) or _MYSQL.match(head) or _MARIADB.match(head):
            return 88
        found = _POSTGRES.match(head) if _SAYS_LEVEL.search(head) is not None else None
        return 87 if found is not None and _is_postgres(found) else 0

    def _claim_object(self, content: dict[str, Any]) -> int:
        if (
            "error_severity" in content
            and "message" in content
            and ("session_id" in content or "backend_type" in content)
        ):
            return 90
        stamp = content.get("t")
        return 90 if isinstance(stamp, dict) and "$date" in stamp and "c" in content and "msg" in content else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if isinstance(content, dict):
            if not self._claim_object(content):
                return None
            return (
                self._mongo(content, record, received_at)
                if "t" in content
                else self._jsonlog(content, record, received_at)
            )
        if not isinstance(content, str):
            return None
        fields: Fields = {}
        stamp = _read_line(content, fields)
        if not stamp:
            return None
        return finish(self.name, record, received_at, fields, message=content, when=times.from_text(stamp), stamp=stamp)

    def _jsonlog(self, content: dict[str, Any], record: Record, received_at: float) -> ParsedEvent:
        get = {name: value for name, value in content.items() if isinstance(value, str | int)}.get
        fields: Fields = {"event.dataset": "postgresql.log", "event.category": "database"}
        for name, field in (
            ("user", "user.name"),
            ("dbname", "db.name"),
            ("application_name", "postgresql.application"),
            ("state_code", "event.code"),
        ):
            if get(name):
                fields[field] = str(get(name))
        addresses.put(fields, "source", str(get("remote_host", "")), str(get("remote_port") or "") or None)
        pid = get("pid")
        if type(pid) is int:
            fields["process.pid"] = pid
        fields["log.level"] = _level(str(get("error_severity")))
        message = str(get("message"))
        _sentence(message, fields)
        stamp = get("timestamp")
        return finish(self.name, record, received_at, fields, message=message, when=times.from_any(stamp), stamp=stamp)

    def _mongo(self, content: dict[str, Any], record: Record, received_at: float) -> ParsedEvent:
        stamp = content["t"].get("$date")
        fields: Fields = {"event.dataset": "mongodb.log", "event.category": "database"}
        fields["log.level"] = _MONGO_LEVELS.get(str(content.get("s")), "debug")
        fields["log.logger"] = str(content.get("c"))
        if isinstance(content.get("id"), int):
            fields["event.code"] = str(content["id"])
        attributes = content.get("attr")
        if isinstance(attributes, dict):
            _read_mongo(attributes, fields)
        message = str(content.get("msg"))
        _sentence(message, fields)
        return finish(self.name, record, received_at, fields, message=message, when=times.from_any(stamp), stamp=stamp)


def _read_mongo(attributes: dict[str, Any], fields: Fields) -> None:
    """The peer is ``remote`` or ``client``; the account has had several names."""
    for name in ("remote", "client", "hostAndPort"):
        value = attributes.get(name)
        if isinstance(value, str):
            address, _, port = value.rpartition(":")
            addresses.put(
                fields,
                "source",
                address.strip("[]"),
                port if port.isascii() and port.isdigit() and len(port) < 6 else None,
            )
    user = attributes.get("user") or attributes.get("principalName")
    user = user.get("user") if isinstance(user, dict) else user
    if isinstance(user, str) and user:
        fields["user.name"] = user
    for name, field in (
        ("error", "error.message"),
        ("mechanism", "mongodb.mechanism"),
        ("authenticationDatabase", "db.name"),
        ("ns", "db.name"),
    ):
        if isinstance(attributes.get(name), str):
            fields.setdefault(field, attributes[name])


def _is_postgres(found: re.Match[str]) -> bool:
    """A pid, or an account, stands beside the time of a PostgreSQL line."""
    around = f"{found['prefix']} {found['after']}"
    return _PID.search(around) is not None or _AT.search(around) is not None


def _read_line(content: str, fields: Fields) -> str:
    """Read a line of any of the servers; return its time's text, nothing when it is none."""
    for pattern, reader in (
        (_CSV, _read_csv),
        (_AUDIT, _read_audit),
        (_MYSQL, _read_mysql),
        (_MARIADB, _read_mysql),
        (_POSTGRES, _read_postgres),
    ):
        match = pattern.match(content)
        if match is not None:
            return reader(match, fields)
    return ""


def _read_postgres(match: re.Match[str], fields: Fields) -> str:
    if not _is_postgres(match):
        return ""
    around = f"{match['prefix']} {match['after']}"
    fields["event.dataset"] = "postgresql.log"
    fields["log.level"] = _level(match["level"])
    pid = _PID.search(around)
    if pid is not None:
        fields["process.pid"] = int(pid[1])
    peer = _PEER.search(around)
    if peer is not None:
        addresses.put(fields, "source", peer["address"], peer["port"])
    account = _AT.search(around)
    if account is not None:
        user, database = account["user"] or account["user2"], account["database"] or account["database2"]
        if user not in ("[unknown]", "-"):
            fields["user.name"], fields["db.name"] = user, database
    _sentence(match["text"], fields)
    return match["time"]


def _read_csv(match: re.Match[str], fields: Fields) -> str:
    """PostgreSQL's csvlog: 23 to 26 columns in a fixed order."""
    try:
        values = next(csv.reader([match.string[:65_536]]))
    except (csv.Error, StopIteration):
        return ""
    row = dict(zip(_CSV_COLUMNS, values, strict=False))
    fields["event.dataset"] = "postgresql.log"
    for column, name in (
        ("user", "user.name"),
        ("database", "db.name"),
        ("state", "event.code"),
        ("application", "postgresql.application"),
    ):
        if row.get(column):
            fields[name] = row[column]
    if row.get("pid", "").isdigit():
        fields["process.pid"] = int(row["pid"])
    address, _, port = row.get("connection", "").rpartition(":")
    addresses.put(
        fields, "source", address.strip("[]"), port if port.isascii() and port.isdigit() and len(port) < 6 else None
    )
    fields["log.level"] = _level(row.get("level", ""))
    _sentence(row.get("message", ""), fields)
    return row["time"]


def _read_mysql(match: re.Match[str], fields: Fields) -> str:
    groups = match.groupdict()
    fields["event.dataset"] = "mysql.log"
    fields["mysql.thread"] = int(groups["thread"])
    if groups["level"]:
        fields["log.level"] = _level(groups["level"])
    if groups.get("code"):
        fields["event.code"] = groups["code"]
    _account(groups["text"], fields)
    command = groups.get("command")
    if command:
        fields["event.action"] = command.lower().replace(" ", "_")
        if command == "Query":
            fields["db.query.text"] = groups["text"]
            fields["event.category"] = "database"
            return str(groups["time"])
    _sentence(groups["text"], fields)
    return str(groups["time"])


def _read_audit(match: re.Match[str], fields: Fields) -> str:
    """MariaDB's server_audit plugin."""
    fields.update(
        {"event.dataset": "mysql.audit", "event.category": "database", "event.action": match["operation"].lower()}
    )
    if match["server"]:
        fields["host.name"] = match["server"]
    if match["user"]:
        fields["user.name"] = match["user"]
    addresses.put(fields, "source", match["host"], None)
    if match["database"]:
        fields["db.name"] = match["database"]
    if match["object"]:
        fields["db.query.text"] = match["object"].strip("'")
    fields["event.outcome"] = "success" if match["code"] == "0" else "failure"
    if match["operation"] in ("CONNECT", "FAILED_CONNECT", "DISCONNECT"):
        fields["event.category"] = "authentication"
    return match["time"]

"""What Linux's login programs say: sshd, sudo, su, PAM, account tools, CRON, systemd-logind.

Handed: the program's name and its message, from the syslog parser, or a bare message without a header.
Hands on: who, from where, what, and whether it worked, in ECS terms. Patterns written from the programs'
own format strings. The name of a user is attacker-written: patterns take the *last* address in a line.
"""

import re

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers.finish import finish

_FROM = r"(?P<host>\S+)(?: port (?P<port>\d{1,5}))?"
_USER = r"(?P<user>.{0,256})"

#: One row per sentence: pattern, event.action, event.outcome ("" = the line does not say).
Row = tuple[re.Pattern[str], str, str]


def _rows(*rows: tuple[str, str, str]) -> tuple[Row, ...]:
    return tuple((re.compile(pattern, re.ASCII), action, outcome) for pattern, action, outcome in rows)


_SSHD = {
    "Accepted": _rows((rf"Accepted (?P<method>\S+) for {_USER} from {_FROM}", "ssh_login", "success")),
    "Failed": _rows(
        (
            rf"Failed (?P<method>\S+) for (?:(?P<invalid>invalid|illegal) user )?{_USER} from {_FROM}",
            "ssh_login",
            "failure",
        )
    ),
    "Postponed": _rows(
        (
            rf"Postponed (?P<method>\S+) for (?:(?P<invalid>invalid) user )?{_USER} from {_FROM}",
            "ssh_login_postponed",
            "",
        )
    ),
    "Invalid": _rows((rf"(?P<invalid>Invalid) user {_USER} from {_FROM}", "ssh_login", "failure")),
    "Illegal": _rows((rf"(?P<invalid>Illegal) user {_USER} from {_FROM}", "ssh_login", "failure")),
    "Connection": _rows(
        (
            (
                r"Connection (?:closed|reset) by (?:(?P<invalid>invalid) user |(?:authenticating )?user )"
                rf"{_USER} (?P<host>\S+) port (?P<port>\d{{1,5}})(?: \[preauth\])?"
            ),
            "ssh_connection_closed",
            "",
        ),
        (rf"Connection (?:closed|reset) by {_FROM}", "ssh_connection_closed", ""),
        (rf"Connection from {_FROM}", "ssh_connection_opened", ""),
    ),
    "Received": _rows((rf"Received disconnect from {_FROM}", "ssh_disconnected", "")),
    "Disconnected": _rows(
        (
            (
                r"Disconnected from (?:(?P<invalid>invalid) user |(?:authenticating )?user )"
                rf"{_USER} (?P<host>\S+) port (?P<port>\d{{1,5}})(?: \[preauth\])?"
            ),
            "ssh_disconnected",
            "",
        ),
        (rf"Disconnected from {_FROM}", "ssh_disconnected", ""),
    ),
    "Disconnecting": _rows(
        (
            (
                r"Disconnecting (?:(?P<invalid>invalid) user |(?:authenticating )?user )"
                rf"{_USER} (?P<host>\S+) port (?P<port>\d{{1,5}}): Too many authentication failures"
            ),
            "ssh_login",
            "failure",
        ),
        (rf"Disconnecting: Too many authentication failures for {_USER}(?: \[preauth\])?\Z", "ssh_login", "failure"),
    ),
    "error:": _rows(
        (
            (
                r"error: maximum authentication attempts exceeded for (?:(?P<invalid>invalid) user )?"
                rf"{_USER} from {_FROM}"
            ),
            "ssh_login",
            "failure",
        ),
        (
            (
                r"error: PAM: (?:Authentication failure|User not known to the underlying authentication module"
                rf"|Permission denied|.{{0,60}}) for (?:(?P<invalid>illegal|invalid) user )?{_USER} from {_FROM}"
            ),
            "ssh_login",
            "failure",
        ),
    ),
    "Did": _rows((rf"Did not receive identification string from {_FROM}", "ssh_scan", "failure")),
    "Unable": _rows((rf"Unable to negotiate with {_FROM}", "ssh_negotiation", "failure")),
    "fatal:": _rows((rf"fatal: Unable to negotiate with {_FROM}", "ssh_negotiation", "failure")),
    "Bad": _rows((rf"Bad protocol version identification .{{0,512}} from {_FROM}", "ssh_scan", "failure")),
    "banner": _rows((rf"banner exchange: Connection from {_FROM}", "ssh_scan", "failure")),
    "User": _rows(
        (rf"User {_USER} from {_FROM} not allowed because", "ssh_login", "failure"),
        (r"User child is on pid", "ssh_session_process", ""),
    ),
    "ROOT": _rows((rf"ROOT LOGIN REFUSED FROM {_FROM}", "ssh_login", "failure")),
    "reverse": _rows(
        (r"reverse mapping checking getaddrinfo for \S+ \[(?P<host>[^\]]{1,64})\]", "ssh_reverse_mapping", "failure")
    ),
    "Server": _rows((r"Server listening on \S+ port \d+", "ssh_server_started", "success")),
    "Starting": _rows((rf"Starting session: .{{0,256}} for {_USER} from {_FROM}", "ssh_session_opened", "success")),
}

_PAM_OPENED = _rows(
    (
        r"session opened for user (?P<user>[^\s(]{1,256})(?:\(uid=\d+\))?(?: by (?P<by>[^\s(]{0,256}))?",
        "session_opened",
        "success",
    ),
    (r"session closed for user (?P<user>[^\s(]{1,256})", "session_closed", "success"),
    (r"check pass; user unknown", "authentication", "failure"),
    (
        r"(?:auth could not identify password|conversation failed)(?: for \[(?P<user>[^\]]{0,256})\])?",
        "authentication",
        "failure",
    ),
    (r"password changed for (?P<target>\S{1,256})", "password_changed", "success"),
    (r"account (?P<user>\S{1,256}) has (?:expired|password changed in future)", "account_expired", "failure"),
)
_PAM_FAILURE = re.compile(r"(?:PAM \d+ more |\d+ more )?authentication failures?[;:]")
_PAM_PAIR = re.compile(r"(logname|uid|euid|tty|ruser|rhost|user)=(\S*)", re.ASCII)
_PAM = re.compile(r"pam_(?P<module>\w{1,32})\((?P<service>[^:)]{1,64})(?::(?P<stage>\w{1,32}))?\):? ?")

_SUDO = re.compile(
    r"\s*(?P<user>[^\s:]{1,256}) : (?:(?P<complaint>[^;=]{1,200}?) ; )?"
    r"(?:TTY=(?P<tty>\S{1,64}) ; )?(?:PWD=(?P<cwd>[^;]{0,1024}?) ; )?(?:USER=(?P<target>\S{1,256}) ; )?"
    r"(?:GROUP=\S{1,256} ; )?(?:TSID=\S{1,64} ; )?(?:ENV=.{0,1024}? ; )?COMMAND=(?P<command>.*)",
    re.DOTALL,
)
_SU = _rows(
    (r"\(to (?P<target>\S{1,256})\) (?P<user>\S{1,256}) on (?P<tty>\S{1,64})", "su", "success"),
    (r"FAILED SU \(to (?P<target>\S{1,256})\) (?P<user>\S{1,256}) on (?P<tty>\S{1,64})", "su", "failure"),
    (r"Successful su for (?P<target>\S{1,256}) by (?P<user>\S{1,256})", "su", "success"),
    (r"FAILED su for (?P<target>\S{1,256}) by (?P<user>\S{1,256})", "su", "failure"),
    (r"BAD SU (?P<user>\S{1,256}) to (?P<target>\S{1,256}) on (?P<tty>\S{1,64})", "su", "failure"),
    (r"\+ (?P<tty>\S{1,64}) (?P<user>[^\s:]{1,256}):(?P<target>\S{1,256})", "su", "success"),
    (r"- (?P<tty>\S{1,64}) (?P<user>[^\s:]{1,256}):(?P<target>\S{1,256})", "su", "failure"),
)
_ACCOUNT = _rows(
    (
        (
            r"new user: name=(?P<target>[^,\s]{1,256}), UID=(?P<uid>\d+), GID=(?P<gid>\d+), home=[^,]{0,512}, "
            r"shell=(?P<shell>[^,\s]{0,256})"
        ),
        "user_added",
        "success",
    ),
    (r"new group: name=(?P<group>[^,\s]{1,256})(?:, GID=(?P<gid>\d+))?", "group_added", "success"),
    (r"group added to \S+: name=(?P<group>[^,\s]{1,256})(?:, GID=(?P<gid>\d+))?", "group_added", "success"),
    (
        r"(?:group '(?P<group>[^']{1,256})' removed|removed (?:shadow )?group '(?P<group2>[^']{1,256})')",
        "group_removed",
        "success",
    ),
    (r"add '(?P<target>[^']{1,256})' to (?:shadow )?group '(?P<group>[^']{1,256})'", "user_added_to_group", "success"),
    (
        r"delete '(?P<target>[^']{1,256})' from (?:shadow )?group '(?P<group>[^']{1,256})'",
        "user_removed_from_group",
        "success",
    ),
    (r"delete user '(?P<target>[^']{1,256})'", "user_removed", "success"),
    (r"(?:change user '(?P<target>[^']{1,256})' |changed )password", "password_changed", "success"),
    (r"change user '(?P<target>[^']{1,256})'", "user_changed", "success"),
    (r"(?P<verb>un)?lock user '(?P<target>[^']{1,256})'", "user_lock_changed", "success"),
    (r"failed adding user '(?P<target>[^']{1,256})'", "user_added", "failure"),
    (
        r"user (?P<target>\S{1,256}) (?:added|removed) by (?P<user>\S{1,256}) to group (?P<group>\S{1,256})",
        "group_changed",
        "success",
    ),
)
_CRON = re.compile(
    r"\((?P<user>[^)\s]{1,256})\) (?P<verb>[A-Z]{2,12}(?: [A-Z]{2,12})?) \((?P<command>.*)\)\Z", re.DOTALL
)
_LOGIND = _rows(
    (r"New session (?P<session>\S+) of user (?P<user>[^\s.]{1,256})", "session_opened", "success"),
    (r"Session (?P<session>\S+) logged out", "session_closed", "success"),
    (r"Removed session (?P<session>[^\s.]+)", "session_closed", "success"),
)
_LOGIN = _rows(
    (
        r"FAILED LOGIN (?:\(\d+\)|\d+ )?.{0,40}? (?:FROM|from) (?P<host>\S+) FOR (?P<user>[^,]{1,256}),",
        "login",
        "failure",
    ),
    (
        r"FAILED LOGIN \(\d+\) on '(?P<tty>[^']{1,64})'(?: from '(?P<host>[^']{1,256})')? FOR '(?P<user>[^']{1,256})'",
        "login",
        "failure",
    ),
    (r"ROOT LOGIN +[Oo][Nn] '?(?P<tty>[^\s']{1,64})", "login", "success"),
    (r"LOGIN ON (?P<tty>\S{1,64}) BY (?P<user>\S{1,256})", "login", "success"),
)

SSH_APPS = frozenset({"sshd", "sshd-session", "sshd-auth", "ssh"})
_ACCOUNT_APPS = frozenset(
    {
        "useradd",
        "usermod",
        "userdel",
        "groupadd",
        "groupdel",
        "groupmod",
        "gpasswd",
        "adduser",
        "passwd",
        "chpasswd",
        "chage",
    }
)
_CRON_APPS = frozenset({"CRON", "cron", "crond", "anacron", "/USR/SBIN/CRON", "crontab"})
_TABLES = {"su": _SU, "su-l": _SU, "systemd-logind": _LOGIND, "login": _LOGIN}
APPS = SSH_APPS | _ACCOUNT_APPS | _CRON_APPS | _TABLES.keys() | {"sudo"}

_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}\Z|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%\w{1,16})?\Z", re.ASCII)
_BARE = re.compile(
    r"Accepted \S+ for |Failed \S+ for |Invalid user |pam_\w+\(|Connection (?:closed|reset) by "
    r"|Received disconnect from |Disconnected from |session (?:opened|closed) for user |\s*\S+ : .{0,300}COMMAND="
    r"|new user: name=|FAILED SU \("
)


_TAGGED = re.compile(
    rf"(?:(?P<host>[\w.-]{{1,255}}) )?(?P<app>{'|'.join(map(re.escape, sorted(APPS, key=len, reverse=True)))})"
    r"(?:\[(?P<pid>\d{1,9})\])?: (?P<message>.*)",
    re.ASCII | re.DOTALL,
)


def put_address(fields: Fields, text: str, side: str = "source") -> None:
    """Set ``source.ip`` when the text is an address, ``source.domain`` when it is a name."""
    if _ADDRESS.match(text):
        fields[f"{side}.ip"] = text[7:] if text.startswith("::ffff:") and "." in text else text
    elif text and text not in ("-", "UNKNOWN"):
        fields[f"{side}.domain"] = text


def _apply(match: re.Match[str], fields: Fields) -> None:
    """Move the named groups of a sentence to their ECS names."""
    for name, value in match.groupdict().items():
        if not value:
            continue
        if name == "host":
            put_address(fields, value.rstrip(",:"))
        elif name == "port":
            fields["source.port"] = int(value)
        elif name == "invalid":
            fields["system.auth.user_known"] = False
        else:
            fields[_GROUPS[name]] = value


_GROUPS = {
    "user": "user.name",
    "target": "user.target.name",
    "by": "user.effective.name",
    "method": "system.auth.ssh.method",
    "group": "group.name",
    "group2": "group.name",
    "gid": "group.id",
    "uid": "user.target.id",
    "shell": "system.auth.useradd.shell",
    "tty": "process.tty",
    "session": "session.id",
    "verb": "system.auth.verb",
}


def _match_rows(rows: tuple[Row, ...], message: str, fields: Fields, category: str = "authentication") -> bool:
    for pattern, action, outcome in rows:
        match = pattern.match(message)
        if match is not None:
            fields["event.category"] = category
            fields["event.action"] = action
            if outcome:
                fields["event.outcome"] = outcome
            _apply(match, fields)
            return True
    return False


def _read_pam(message: str, fields: Fields) -> bool:
    """Read ``pam_unix(sshd:auth): authentication failure; ...`` and the same without the prefix."""
    prefix = _PAM.match(message)
    if prefix is not None:
        fields["system.auth.pam.module"] = prefix["module"]
        fields["system.auth.pam.service"] = prefix["service"]
        message = message[prefix.end() :]
    if _PAM_FAILURE.match(message):
        fields.update(
            {"event.category": "authentication", "event.action": "authentication", "event.outcome": "failure"}
        )
        for name, value in _PAM_PAIR.findall(message):
            if not value:
                continue
            if name == "rhost":
                put_address(fields, value)
            elif name == "user":
                fields["user.name"] = value
            elif name != "logname":
                fields[f"system.auth.pam.{name}"] = value
        return True
    known = _match_rows(_PAM_OPENED, message, fields)
    actor = fields.pop("user.effective.name", "")
    if actor:  # "session opened for user root by alice(uid=1000)": alice acts, as root
        fields["user.name"], fields["user.effective.name"] = actor, fields["user.name"]
    return known or prefix is not None


def _read_sudo(message: str, fields: Fields) -> bool:
    match = _SUDO.match(message)
    if match is None:
        return _read_pam(message, fields)
    complaint = match["complaint"]
    fields["event.category"] = "process"
    fields["event.action"] = "sudo"
    fields["event.outcome"] = "failure" if complaint else "success"
    fields["user.name"] = match["user"]
    command = match["command"]
    fields["process.command_line"] = command
    fields["process.executable"] = command.split(" ", 1)[0][:1024]
    for group, name in (
        ("target", "user.effective.name"),
        ("tty", "process.tty"),
        ("cwd", "process.working_directory"),
    ):
        if match[group]:
            fields[name] = match[group]
    if complaint:
        fields["error.message"] = complaint.strip()
    return True


def _read_cron(message: str, fields: Fields) -> bool:
    match = _CRON.match(message)
    if match is None:
        return _read_pam(message, fields)
    fields["event.category"] = "process"
    fields["event.action"] = "cron_" + match["verb"].lower().replace(" ", "_")
    fields["user.name"] = match["user"]
    if match["verb"] == "CMD":
        fields["process.command_line"] = match["command"].strip()
    return True


def read(app: str, message: str, fields: Fields) -> bool:
    """Fill the fields of one message; return False when it says nothing we know."""
    message = message.removeprefix("(pam_unix) ")
    if app in SSH_APPS:
        rows = _SSHD.get(message.split(" ", 1)[0])
        return (rows is not None and _match_rows(rows, message, fields)) or _read_pam(message, fields)
    if app == "sudo":
        return _read_sudo(message, fields)
    if app in _CRON_APPS:
        return _read_cron(message, fields)
    if app in _ACCOUNT_APPS:
        if not _match_rows(_ACCOUNT, message, fields, "iam"):
            return _read_pam(message, fields)
        if "user.target.name" in fields:
            fields.setdefault("user.name", fields["user.target.name"])
        return True
    table = _TABLES.get(app)
    if table is not None and _match_rows(table, message, fields):
        return True
    return _read_pam(message, fields)


class LinuxAuth:
    """A login program's message that arrived without its syslog header, or with its program only."""

    name = "linux_auth"

    def claim(self, record: Record) -> int:
        content = record.content
        return 70 if isinstance(content, str) and (_BARE.match(content) or _TAGGED.match(content)) else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, str):
            return None
        fields: Fields = {"event.module": "system", "event.dataset": "system.auth"}
        tagged = _TAGGED.match(content)
        if tagged is not None:
            self._read_tagged(tagged, fields)
            return finish(self.name, record, received_at, fields, message=content)
        if not _BARE.match(content):
            return None
        known = read("sshd", content, fields)
        if not known or "event.action" not in fields:
            known = any(read(app, content, fields) for app in ("sudo", "useradd", "su"))
        return finish(self.name, record, received_at, fields, message=content) if known else None

    def _read_tagged(self, tagged: re.Match[str], fields: Fields) -> None:
        """``web-1 sshd[77]: ...``: what the journal prints when it is told to leave out the time."""
        fields["process.name"] = tagged["app"]
        if tagged["host"]:
            fields["host.name"] = tagged["host"]
        if tagged["pid"]:
            fields["process.pid"] = int(tagged["pid"])
        read(tagged["app"], tagged["message"], fields)

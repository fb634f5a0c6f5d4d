"""What Linux's login programs say: sshd, sudo, su, PAM, account tools, CRON, systemd-logind.

Handed: the program's name and its message, from the syslog parser, or a bare message without a header.
Hands on: who, from where, what, and whether it worked, in ECS terms. Patterns written from the programs'
own format strings. The name of a user is attacker-written: patterns take the *last* address in a line.
"""

import re

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import people, phrases
from triage.parsers.finish import finish
from triage.parsers.linux_auth_sentences import (
    ACCOUNT,
    CRON,
    LOGIN,
    LOGIND,
    PAM,
    PAM_FAILURE,
    PAM_OPENED,
    PAM_PAIR,
    PKEXEC,
    SSHD,
    SU,
    SUDO,
    Row,
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
_TABLES = {"pkexec": PKEXEC, "su": SU, "su-l": SU, "systemd-logind": LOGIND, "login": LOGIN}
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
        elif name == "preauth":
            fields["event.outcome"] = "failure"  # an account was tried and the connection ended without a login
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
    prefix = PAM.match(message)
    if prefix is not None:
        fields["system.auth.pam.module"] = prefix["module"]
        fields["system.auth.pam.service"] = prefix["service"]
        message = message[prefix.end() :]
    if PAM_FAILURE.match(message):
        fields.update(
            {"event.category": "authentication", "event.action": "authentication", "event.outcome": "failure"}
        )
        for name, value in PAM_PAIR.findall(message):
            if not value:
                continue
            if name == "rhost":
                put_address(fields, value)
            elif name == "user":
                fields["user.name"], realm = people.split_realm(value)
                if realm:
                    fields["user.domain"] = realm
            elif name != "logname":
                fields[f"system.auth.pam.{name}"] = value
        return True
    known = _match_rows(PAM_OPENED, message, fields)
    actor = fields.pop("user.effective.name", "")
    if actor:  # "session opened for user root by alice(uid=1000)": alice acts, as root
        fields["user.name"], fields["user.effective.name"] = actor, fields["user.name"]
    return known or prefix is not None


def _read_sudo(message: str, fields: Fields) -> bool:
    match = SUDO.match(message)
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
    match = CRON.match(message)
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
        rows = SSHD.get(message.split(" ", 1)[0])
        return (rows is not None and _match_rows(rows, message, fields)) or _read_pam(message, fields)
    if app == "sudo":
        return _read_sudo(message, fields)
    if app in _CRON_APPS:
        return _read_cron(message, fields)
    if app in _ACCOUNT_APPS:
        if not _match_rows(ACCOUNT, message, fields, "iam"):
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
    takes = str

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
        if not read(tagged["app"], tagged["message"], fields):
            phrases.read(tagged["message"], fields)

"""The sentences Linux's login programs write, one pattern per sentence.

Handed: nothing. Hands on: per program, rows of pattern, ``event.action`` and ``event.outcome``; the named groups
are moved to ECS names by :mod:`triage.parsers.linux_auth`. Every repetition is bounded: users write their names.
"""

import re

_FROM = r"(?P<host>\S+)(?: port (?P<port>\d{1,5}))?"
_USER = r"(?P<user>.{0,256})"

#: One row per sentence: pattern, event.action, event.outcome ("" = the line does not say).
Row = tuple[re.Pattern[str], str, str]


def _rows(*rows: tuple[str, str, str]) -> tuple[Row, ...]:
    return tuple((re.compile(pattern, re.ASCII), action, outcome) for pattern, action, outcome in rows)


SSHD = {
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
                rf"{_USER} (?P<host>\S+) port (?P<port>\d{{1,5}})(?P<preauth> \[preauth\])?"
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
                rf"{_USER} (?P<host>\S+) port (?P<port>\d{{1,5}})(?P<preauth> \[preauth\])?"
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

PAM_OPENED = _rows(
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
PAM_FAILURE = re.compile(r"(?:PAM \d+ more |\d+ more )?authentication failures?[;:]")
PAM_PAIR = re.compile(r"(logname|uid|euid|tty|ruser|rhost|user)=(\S*)", re.ASCII)
PAM = re.compile(r"pam_(?P<module>\w{1,32})\((?P<service>[^:)]{1,64})(?::(?P<stage>\w{1,32}))?\):? ?")

SUDO = re.compile(
    r"\s*(?P<user>[^\s:]{1,256}) : (?:(?P<complaint>[^;=]{1,200}?) ; )?"
    r"(?:TTY=(?P<tty>\S{1,64}) ; )?(?:PWD=(?P<cwd>[^;]{0,1024}?) ; )?(?:USER=(?P<target>\S{1,256}) ; )?"
    r"(?:GROUP=\S{1,256} ; )?(?:TSID=\S{1,64} ; )?(?:ENV=.{0,1024}? ; )?COMMAND=(?P<command>.*)",
    re.DOTALL,
)
SU = _rows(
    (r"\(to (?P<target>\S{1,256})\) (?P<user>\S{1,256}) on (?P<tty>\S{1,64})", "su", "success"),
    (r"FAILED SU \(to (?P<target>\S{1,256})\) (?P<user>\S{1,256}) on (?P<tty>\S{1,64})", "su", "failure"),
    (r"Successful su for (?P<target>\S{1,256}) by (?P<user>\S{1,256})", "su", "success"),
    (r"FAILED su for (?P<target>\S{1,256}) by (?P<user>\S{1,256})", "su", "failure"),
    (r"BAD SU (?P<user>\S{1,256}) to (?P<target>\S{1,256}) on (?P<tty>\S{1,64})", "su", "failure"),
    (r"\+ (?P<tty>\S{1,64}) (?P<user>[^\s:]{1,256}):(?P<target>\S{1,256})", "su", "success"),
    (r"- (?P<tty>\S{1,64}) (?P<user>[^\s:]{1,256}):(?P<target>\S{1,256})", "su", "failure"),
)
ACCOUNT = _rows(
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
CRON = re.compile(
    r"\((?P<user>[^)\s]{1,256})\) (?P<verb>[A-Z]{2,12}(?: [A-Z]{2,12})?) \((?P<command>.*)\)\Z", re.DOTALL
)
PKEXEC = _rows(
    (
        r"(?P<user>[^\s:]{1,256}): Executing command \[USER=(?P<target>[^\]]{1,256})\]",
        "pkexec",
        "success",
    ),
    (
        r"(?P<user>[^\s:]{1,256}): .{1,400}? \[USER=(?P<target>[^\]]{1,256})\](?: \[TTY=(?P<tty>[^\]]{1,64})\])?",
        "pkexec",
        "failure",
    ),
)
LOGIND = _rows(
    (r"New session (?P<session>\S+) of user (?P<user>[^\s.]{1,256})", "session_opened", "success"),
    (r"Session (?P<session>\S+) logged out", "session_closed", "success"),
    (r"Removed session (?P<session>[^\s.]+)", "session_closed", "success"),
)
LOGIN = _rows(
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

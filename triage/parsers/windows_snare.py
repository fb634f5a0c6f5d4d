"""Windows events as tab-separated text: the Snare agent's format, bare or behind a syslog header.

Handed: a line with ``MSWinEventLog``. Hands on: a :class:`~triage.parsers.windows_shapes.WindowsEvent` whose data are
named as in the event's XML, as far as the expanded text names them. Columns: Snare's documentation of its format.
"""

import re

from triage.parsers.windows_shapes import WindowsEvent

MARK = "MSWinEventLog"
MAX_TEXT = 12_288
_HEAD = re.compile(
    r"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?(?P<host>[\w.-]{1,255})?[\t "
    r"]{0,2}MSWinEventLog"
)
#: Sections of the expanded text and the prefix of their names in the event's data.
_SECTIONS = {
    "subject": "Subject",
    "new logon": "Target",
    "account for which logon failed": "Target",
    "target account": "Target",
    "new account": "Target",
    "account whose credentials were used": "Target",
    "member": "Member",
    "process information": "",
    "network information": "",
    "detailed authentication information": "",
    "logon information": "",
    "failure information": "",
    "group": "Group",
}
_PERSONS = {"account name": "UserName", "account domain": "DomainName", "security id": "UserSid", "logon id": "LogonId"}
_FACTS = {
    "logon type": "LogonType",
    "source network address": "IpAddress",
    "client address": "IpAddress",
    "source address": "SourceAddress",
    "destination address": "DestAddress",
    "source port": "IpPort",
    "client port": "IpPort",
    "destination port": "DestPort",
    "workstation name": "WorkstationName",
    "process name": "ProcessName",
    "caller process name": "ProcessName",
    "new process name": "NewProcessName",
    "process command line": "CommandLine",
    "failure reason": "FailureReason",
    "status": "Status",
    "authentication package": "AuthenticationPackageName",
    "service name": "ServiceName",
    "object name": "ObjectName",
}
_PART = re.compile(
    r"(?P<section>Subject|New Logon|Account For Which Logon Failed|Target Account|New Account|Account Whose "
    r"Credentials Were Used|Member"
    r"|Process Information|Network Information|Detailed Authentication Information|Logon Information|Failure "
    r"Information|Group):\s"
    r"|(?P<key>Account Name|Account Domain|Security ID|Logon ID|Logon Type|Source Network Address|Client Address"
    r"|Source Address"
    r"|Destination Address|Source Port|Client Port|Destination Port|Workstation Name|Caller Process Name|New "
    r"Process Name|Process Name"
    r"|Process Command Line|Failure Reason|Status|Authentication Package|Service Name|Object "
    r"Name):\s{0,8}(?P<value>[^\t\r\n]{0,512}?)(?=\s{2,}|\t|\r|\n|\Z)"
)


def decode(line: str) -> WindowsEvent | None:
    """Return the event of a line, ``None`` when its columns are not Snare's."""
    head = _HEAD.match(line[:600])
    if head is None:
        return None
    columns = line[head.end() : MAX_TEXT].replace("#011", "\t").lstrip("\t ;,").split("\t")
    if len(columns) < 10 or not columns[4].strip().isdigit():
        return None
    found = WindowsEvent()
    _, found.channel, found.record_id, found.time, found.code, found.provider, user, _, kind, computer = (
        column.strip() for column in columns[:10]
    )
    found.computer = computer or head["host"] or ""
    found.keywords = "Audit Failure" if "Failure" in kind else "Audit Success" if "Success" in kind else kind
    found.level = kind if kind in ("Information", "Warning", "Error", "Critical") else None
    text = "\t".join(columns[12:])
    found.message = text.split("\t", 1)[0].split("  ", 1)[0].strip()
    found.data = _read_text(text)
    if user and user not in ("N/A", "-") and not {"SubjectUserName", "TargetUserName"} & found.data.keys():
        found.data["User"] = user
    return found


def _read_text(text: str) -> dict[str, object]:
    """Name what the expanded text says, section by section."""
    data: dict[str, object] = {}
    section = ""
    for part in _PART.finditer(text):
        if part["section"]:
            section = _SECTIONS[part["section"].lower()]
            continue
        key, value = part["key"].lower(), part["value"].strip()
        name = section + _PERSONS[key] if key in _PERSONS else _FACTS.get(key, "")
        if value and name and not (key in _PERSONS and not section):
            data.setdefault(name, value)
    return data

"""Generic rules: which ATT&CK techniques an event may belong to, and how severe it is at least.

Handed: a :class:`~alerts.grouping.FlaggedEvent` and how many like it there are. Hands on: hints. A hint is
a candidate for a person to judge, not a detection: it only ever raises what the detector already flagged.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from alerts.grouping import FlaggedEvent

MAX_TEXT = 4000
MAX_TECHNIQUES = 10
#: So many failed logons of one entity are worth the name "brute force".
MANY_FAILURES = 10
#: A DNS label this long carries data rather than a name (63 is the most there can be).
LONG_LABEL = 40


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at: lower-case text of the command and message, and the event itself."""

    event: FlaggedEvent
    command: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Hint:
    """A rule: a technique, the least severity it stands for, and when it applies."""

    technique_id: str
    severity: str
    applies: Callable[[Facts], bool]


def _code(provider_word: str, *codes: str) -> Callable[[Facts], bool]:
    """Match Windows event codes, but only of the channel or provider they belong to."""

    def applies(facts: Facts) -> bool:
        event = facts.event
        where = " ".join(
            str(event.fields.get(name) or "") for name in ("winlog.channel", "event.provider", "winlog.provider_name")
        ).lower()
        return event.code in codes and (provider_word in where if where.strip() else event.parser.startswith("win"))

    return applies


def _text(pattern: str) -> Callable[[Facts], bool]:
    compiled = re.compile(pattern)
    return lambda facts: compiled.search(facts.text) is not None


def _command(pattern: str) -> Callable[[Facts], bool]:
    compiled = re.compile(pattern)
    return lambda facts: compiled.search(facts.command) is not None


def _action(*actions: str) -> Callable[[Facts], bool]:
    wanted = frozenset(action.lower() for action in actions)
    return lambda facts: facts.event.action.lower() in wanted


def _failed_logons(facts: Facts) -> bool:
    event = facts.event
    failed = event.outcome == "failure" and "authentication" in event.category
    words = "failed password" in facts.text or "authentication failure" in facts.text
    return facts.count >= MANY_FAILURES and (failed or words or event.code == "4625")


def _long_label(facts: Facts) -> bool:
    question = str(facts.event.fields.get("dns.question.name") or "")[:300]
    return any(len(label) >= LONG_LABEL for label in question.split("."))


def _web_shell(facts: Facts) -> bool:
    parent = str(facts.event.fields.get("process.parent.name") or "").lower()
    child = facts.event.process_name.lower()
    servers = ("w3wp.exe", "httpd", "nginx", "apache2", "php-fpm", "tomcat")
    return parent.startswith(servers) and child in {"sh", "bash", "dash", "cmd.exe", "powershell.exe"}


HINTS: tuple[Hint, ...] = (
    Hint("T1059.001", "high", _command(r"(?:powershell|pwsh)\b.{0,200}\s-e(?:nc(?:odedcommand)?|c)?\s")),
    Hint("T1059.001", "low", _command(r"\b(?:powershell|pwsh)\b")),
    Hint("T1070.001", "high", _code("security", "1102")),
    Hint("T1070.001", "high", _code("system", "104")),
    Hint("T1070.001", "high", _command(r"wevtutil(?:\.exe)?\"?\s+cl\b|clear-eventlog")),
    Hint("T1070.002", "medium", _command(r"\b(?:rm|shred|truncate)\b.{0,100}/var/log/")),
    Hint("T1110", "medium", _failed_logons),
    Hint("T1548.003", "low", _text(r"\bsudo\b.{0,300}\bcommand=")),
    Hint("T1548", "medium", _text(r"\bsudo\b.{0,200}\bnot in (?:the )?sudoers\b")),
    Hint("T1548", "low", _text(r"\bsession opened for user root\b")),
    Hint("T1136.001", "medium", _code("security", "4720")),
    Hint(
        "T1136.001",
        "medium",
        _text(r"\buseradd\b|\badduser\b|\bnew user: name=|\bnet1?(?:\.exe)? user\s.{0,120}/add"),
    ),
    Hint("T1098", "medium", _code("security", "4728", "4732", "4756")),
    Hint("T1053.005", "medium", _code("security", "4698")),
    Hint("T1053.005", "low", _command(r"\bschtasks(?:\.exe)?\"?\s+/create\b")),
    Hint("T1053.003", "low", _text(r"\bcrontab\b.{0,60}\b(?:replace|-e)\b|/etc/cron\.")),
    Hint("T1543.003", "medium", _code("system", "7045")),
    Hint("T1543.003", "medium", _code("security", "4697")),
    Hint("T1003.001", "critical", _command(r"comsvcs(?:\.dll)?.{0,60}minidump|\bsekurlsa::|procdump.{0,80}lsass")),
    Hint("T1003.008", "medium", _command(r"\b(?:cat|cp|less)\b.{0,40}/etc/shadow\b")),
    Hint(
        "T1490",
        "critical",
        _command(r"vssadmin.{0,60}delete\s+shadows|wmic.{0,60}shadowcopy\s+delete|bcdedit.{0,80}recoveryenabled\s+no"),
    ),
    Hint(
        "T1562.001", "high", _command(r"set-mppreference.{0,100}-disable|\bsetenforce\s+0\b|systemctl\s+stop\s+auditd")
    ),
    Hint("T1505.003", "high", _web_shell),
    Hint("T1071.004", "medium", _long_label),
    Hint("T1098.001", "medium", _action("CreateAccessKey")),
    Hint("T1136.003", "medium", _action("CreateUser", "CreateLoginProfile")),
    Hint("T1098", "medium", _action("AttachUserPolicy", "PutUserPolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy")),
    Hint("T1562.008", "high", _action("StopLogging", "DeleteTrail", "DeleteFlowLogs", "PutEventSelectors")),
)


def hints(event: FlaggedEvent, count: int = 1) -> list[Hint]:
    """Return the rules that apply to an event of which there are ``count`` in its alert."""
    command = str(event.fields.get("process.command_line") or "")[:MAX_TEXT].lower()
    message = event.message[:MAX_TEXT].lower()
    script = str(event.fields.get("powershell.file.script_block_text") or "")[:MAX_TEXT].lower()
    facts = Facts(
        event=event,
        command=f"{command} {script}" if command or script else message,
        text=f"{event.process_name.lower()} {message} {command}",
        count=count,
    )
    return [hint for hint in HINTS if hint.applies(facts)]


def technique_ids(found: Iterable[Hint]) -> list[str]:
    """Return the techniques of hints, each once, in rule order, at most :data:`MAX_TECHNIQUES`."""
    return list(dict.fromkeys(hint.technique_id for hint in found))[:MAX_TECHNIQUES]

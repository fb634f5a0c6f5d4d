"""RFC 3164 syslog lines as rsyslog forwards them, and combined access lines of nginx.

Handed: time, host and the facts of a line. Hands on: messages whose content is the raw line.
"""

from bench.company.formats.clock import access, bsd
from bench.company.message import Message

AUTH, DAEMON, CRON, MAIL = 4, 3, 9, 2
INFO, NOTICE, WARNING = 6, 5, 4


def syslog(at: float, host: str, tag: str, text: str, *, facility: int = DAEMON, severity: int = INFO) -> Message:
    """Return ``<PRI>Mar  1 08:15:30 host tag: text``; ``tag`` is ``program`` or ``program[pid]``."""
    line = f"<{facility * 8 + severity}>{bsd(at)} {host} {tag}: {text}"
    return Message(at, host, "sample-linux", "syslog", line)


def sshd(at: float, host: str, pid: int, text: str) -> Message:
    return syslog(at, host, f"sshd[{pid}]", text, facility=AUTH)


def sudo(at: float, host: str, user: str, command: str, *, cwd: str, tty: str, target: str = "root") -> Message:
    """Return the line sudo writes for a command it ran."""
    text = f"{user:>8} : TTY={tty} ; PWD={cwd} ; USER={target} ; COMMAND={command}"
    return syslog(at, host, "sudo", text, facility=10, severity=NOTICE)


def cron(at: float, host: str, pid: int, user: str, command: str) -> Message:
    return syslog(at, host, f"CRON[{pid}]", f"({user}) CMD ({command})", facility=CRON)


def web(
    at: float,
    host: str,
    client: str,
    request: str,
    status: int,
    size: int,
    *,
    referrer: str = "-",
    agent: str = "-",
) -> Message:
    """Return one combined line; ``request`` is ``METHOD path``."""
    line = f'{client} - - [{access(at)}] "{request} HTTP/1.1" {status} {size} "{referrer}" "{agent}"'
    return Message(at, host, "sample-web", "access_combined", line)

"""The vocabulary of Linux audit records: record types, key names, system calls, encodings.

Handed: the text after a record's head, or one value. Hands on: key-value pairs, decoded values. Sources: the
audit-userspace field dictionary; linux/audit.h; the kernel's x86-64 and arm64 system call tables.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Any

_PAIR = re.compile(r"([A-Za-z_][\w-]{0,63}(?:\[\d{1,3}\])?)=(\"[^\"]*\"|'[^']*'|\{[^}]{0,256}\}|[^\s,\x1d)]*)")
_HEX = re.compile(r"(?:[0-9A-F]{2}){2,4096}\Z")
_AVC = re.compile(r"avc: {1,2}(denied|granted) {1,2}\{ ?([^}]{1,256}?) ?\}")
MAX_PAIRS = 200
MAX_TEXT = 16_384

_AUTHENTICATION = (
    "USER_AUTH USER_LOGIN USER_LOGOUT USER_ACCT CRED_ACQ CRED_DISP CRED_REFR USER_CHAUTHTOK USER_ERR LOGIN "
    "GRP_AUTH ANOM_LOGIN_FAILURES "
    "ANOM_LOGIN_TIME ANOM_LOGIN_SESSIONS ANOM_LOGIN_LOCATION USER_MGMT CHUSER_ID"
)
_SESSION = "USER_START USER_END CRYPTO_SESSION CRYPTO_KEY_USER CRYPTO_LOGIN CRYPTO_LOGOUT"
_IAM = (
    "ADD_USER DEL_USER ADD_GROUP DEL_GROUP GRP_MGMT GRP_CHAUTHTOK ACCT_LOCK ACCT_UNLOCK ROLE_ASSIGN ROLE_REMOVE "
    "CHGRP_ID"
)
_CONFIGURATION = (
    "CONFIG_CHANGE NETFILTER_CFG MAC_POLICY_LOAD MAC_CONFIG_CHANGE MAC_STATUS SYSTEM_BOOT "
    "SYSTEM_SHUTDOWN DAEMON_START DAEMON_END"
)
_FILE = "PATH CWD FS_RELABEL FD_PAIR"
_NETWORK = "SOCKADDR SOCKETCALL"
#: Record type -> event.category; other types are about processes.
CATEGORIES: dict[str, str] = {
    kind: category
    for kinds, category in (
        (_AUTHENTICATION, "authentication"),
        (_SESSION, "session"),
        (_IAM, "iam"),
        (_CONFIGURATION, "configuration"),
        (_FILE, "file"),
        (_NETWORK, "network"),
    )
    for kind in kinds.split()
}
#: Key -> ECS name.
NAMES = {
    "cwd": "process.working_directory",
    "name": "file.path",
    "terminal": "process.tty",
    "tty": "process.tty",
    "cmd": "process.command_line",
    "key": "rule.name",
    "unit": "service.name",
    "EUID": "user.effective.name",
    "euid": "user.effective.id",
    "ID": "user.target.name",
    "id": "user.target.id",
    "grp": "group.name",
    "vm": "auditd.vm",
    "laddr": "destination.ip",
}
#: What records of one audit event tell each other.
SHARED = (
    "user.name",
    "user.id",
    "event.outcome",
    "process.name",
    "process.executable",
    "process.pid",
    "process.parent.pid",
    "process.command_line",
    "process.working_directory",
    "rule.name",
    "source.ip",
    "source.port",
    "destination.ip",
    "destination.port",
)
#: Calls whose socket address is the other end's, by whose end it is.
SOCKET_SIDES = {
    "connect": "destination",
    "sendto": "destination",
    "sendmsg": "destination",
    "accept": "source",
    "accept4": "source",
    "recvfrom": "source",
}
_ENCODED = frozenset({"cwd", "name", "cmd", "key", "data"})


def _calls(text: str) -> dict[str, str]:
    """``"59 execve"`` -> ``{"59": "execve"}``."""
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


#: Architecture -> number -> name, of the calls that rules usually watch.
SYSCALLS: dict[str, dict[str, str]] = {
    "c000003e": _calls(
        "0 read 1 write 2 open 21 access 41 socket 42 connect 43 accept 44 sendto 45 recvfrom 46 sendmsg 49 "
        "bind 50 listen 56 clone 57 fork 59 execve 62 kill 76 truncate 82 rename 83 mkdir 84 rmdir 87 unlink "
        "90 chmod 92 chown 101 ptrace 105 setuid 106 setgid 155 pivot_root 159 adjtimex 161 chroot 164 "
        "settimeofday 165 mount 166 umount2 170 sethostname 175 init_module 176 delete_module 188 setxattr "
        "227 clock_settime 257 openat 260 fchownat 263 unlinkat 264 renameat 268 fchmodat 288 accept4 313 "
        "finit_module 316 renameat2 321 bpf 322 execveat 437 openat2"
    ),
    "c00000b7": _calls(
        "35 unlinkat 38 renameat 40 mount 56 openat 117 ptrace 129 kill 146 setuid 203 connect 200 bind 220 "
        "clone 221 execve 273 finit_module 280 bpf 281 execveat"
    ),
    "40000003": _calls("5 open 10 unlink 11 execve 37 kill 102 socketcall 295 openat 301 unlinkat"),
}


def split_pairs(text: str) -> dict[str, Any]:
    """Return the record's keys and values; the inner ones of ``msg='..'`` stand beside the others."""
    text = text[:MAX_TEXT]
    inner = text.find("msg='")
    if inner >= 0:
        text = f"{text[:inner]} {text[inner + 5 :].replace(chr(39), ' ')}"
    pairs: dict[str, Any] = {}
    verdict = _AVC.search(text)
    if verdict is not None:
        pairs[verdict[1]] = verdict[2]
    for match in _PAIR.finditer(text):
        key, value = match.groups()
        quoted = value[:1] in ("'", '"')
        if key not in pairs:
            pairs[key] = value[1:-1] if quoted else decode(value) if key in _ENCODED else value
        if quoted and key.startswith("a") and key[1:2].isdigit():
            pairs[key] = Quoted(value[1:-1])
        if len(pairs) == MAX_PAIRS:
            break
    return pairs


class Quoted(str):
    """A value that was quoted, so that letters like ``CAFE`` in it are no encoding."""

    __slots__ = ()


def decode(value: Any) -> str:
    """Return a value as text; what auditd wrote in hexadecimal (because of blanks or quotes) is undone."""
    if not isinstance(value, str) or isinstance(value, Quoted):
        return str(value) if isinstance(value, str) else ""
    text = value
    if _HEX.match(text) is None or text.isdigit():
        return text
    return bytes.fromhex(text).decode("utf-8", "replace").rstrip("\x00")


def socket_address(value: Any) -> tuple[str, int] | None:
    """Return address and port of a ``saddr`` in hexadecimal, ``None`` for other families."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f]{16,256}", value):
        return None
    raw = bytes.fromhex(value[: len(value) // 2 * 2])
    if raw[:2] == b"\x02\x00":
        return str(IPv4Address(raw[4:8])), int.from_bytes(raw[2:4], "big")
    if raw[:2] == b"\x0a\x00" and len(raw) >= 24:
        return str(IPv6Address(raw[8:24])), int.from_bytes(raw[2:4], "big")
    return None

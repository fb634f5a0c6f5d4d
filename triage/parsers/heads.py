"""How a program's line begins: time, level, process, thread, logger, in any order and dress.

Handed: a line of any application. Hands on: when it was written, the level in ECS terms, pid, thread and logger as
far as they are there, and where the sentence begins.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, dates, times

LEVELS = {
    "trace": "trace",
    "trc": "trace",
    "verbose": "trace",
    "finest": "trace",
    "finer": "trace",
    "debug": "debug",
    "dbg": "debug",
    "fine": "debug",
    "info": "info",
    "inf": "info",
    "information": "info",
    "informational": "info",
    "log": "info",
    "notice": "notice",
    "note": "notice",
    "hint": "notice",
    "warn": "warning",
    "wrn": "warning",
    "warning": "warning",
    "error": "error",
    "err": "error",
    "severe": "error",
    "critical": "critical",
    "crit": "critical",
    "crt": "critical",
    "fatal": "critical",
    "ftl": "critical",
    "panic": "critical",
    "alert": "alert",
    "emerg": "emergency",
    "emergency": "emergency",
}
_LETTERS = {
    "T": "trace",
    "V": "trace",
    "D": "debug",
    "I": "info",
    "N": "notice",
    "W": "warning",
    "E": "error",
    "F": "critical",
}
_WORDS = "|".join(sorted(LEVELS, key=len, reverse=True))
_LEVEL = re.compile(
    rf"(?:(?P<open>[\[(<|]) ?(?:\w{{1,32}}\.)?(?P<marked>{_WORDS}|[TVDINWEF]) ?[\])>|]"
    rf"|(?P<bare>{_WORDS})(?P<colon>:)?(?=[\s:|,\[]|\Z)"
    r"|(?P<letter>[VDIWEF])(?=\s)|level=\"?(?P<pair>\w{3,13})\"?)",
    re.IGNORECASE,
)
#: A bare number is a pid when a level, or a thread's number and a level, comes next.
_PID = re.compile(
    r"\[(?:pid[ :=]?)?(\d{1,9})(?:[:.#](?:tid )?\d{1,20})?\]|pid[ :=](\d{1,9})|(\d{1,9})#\d{1,9}:?(?=\s)"
    rf"|(\d{{1,9}})(?=\s{{1,8}}(?:\d{{1,9}}\s{{1,8}})?(?:(?:{_WORDS})\b|[VDIWEF]\s))|(?<=\d "
    rf")(\d{{1,9}})(?=\s{{1,8}}[VDIWEF]\s)",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"(?P<name>[A-Za-z][\w.-]{0,63})\[(?P<pid>\d{1,9})\](?:\.(?P<level>[A-Z]{3,4}))?:?(?=\s)")
_BRACKETS = re.compile(r"\[([^\[\]]{0,160})\]|\(([\w .:#-]{1,64})\)|\{([\w.: -]{1,64})\}|<([\w.:-]{1,64})>")
_LOGGER = re.compile(
    r"([A-Za-z_][\w$/-]{0,64}(?:(?:\.|::)[\w$<>/-]{1,64}){1,12}):?(?=\s|\Z)|([A-Za-z][\w$-]{1,48})(?::(?=\s)|\|)"
    r"|([A-Za-z][\w$-]{1,48}\.exe)\b"
)
#: A name with an identifier in it names one request, not a thread.
_INSTANCE = re.compile(r"[0-9a-f]{8}|\d{5}", re.IGNORECASE)
_DOTTED = re.compile(r"[A-Za-z](?:\.|::)[A-Za-z]")
_GAP = re.compile(r"[\s\-|,:]{1,12}")
_EPOCH = re.compile(r"(\d{10}(?:\.\d{1,9})?)(?:\.\d)? (?=\S)")
_COLOUR = re.compile(r"(?:\x1b|\\x1b|\\u001b)(?:\[[\d;]{0,12}m)?")
_BEFORE_TIME = re.compile(r"(?:\[[^\[\]]{1,64}\]|\([A-Z]\)|[A-Z]{3,8}:?|[\w./-]{0,200}\d(?:_[\d:]{8})?|-)\s{1,4}")
_KLOG = re.compile(
    r"(?P<level>[IWEF])(?P<month>\d\d)(?P<day>\d\d) (?P<clock>\d\d:\d\d:\d\d\.\d{1,9})\s{1,8}(?P<thread>\d{1,9}) "
    r"(?P<file>[\w./-]{1,96}:\d{1,6})\] "
)
MAX_TOKENS = 9


def plain(text: str) -> str:
    """Return the text without terminal colours, real or escaped."""
    return _COLOUR.sub("", text) if "x1b" in text[:400] or "\x1b" in text[:400] or "u001b" in text[:400] else text


_SHOUTED = re.compile(r"(?<![\w.-])(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|SEVERE)(?![\w-])")


class Head:
    """What a line began with, and where its sentence starts."""

    __slots__ = ("end", "marks", "stamp", "when")

    def __init__(self) -> None:
        self.when: float | None = None
        self.stamp = ""
        self.end = 0
        self.marks = 0  # parts recognised beside the time


def read(text: str, received_at: float, fields: Fields) -> Head:
    """Read the parts a line begins with into the fields."""
    head = Head()
    if _read_klog(text, received_at, fields, head):
        return head
    _read_time(text, received_at, fields, head)
    position = head.end
    for _ in range(MAX_TOKENS):
        gap = _GAP.match(text, position)
        position = gap.end() if gap is not None else position
        end = _read_part(text, position, fields, head)
        if not head.stamp and end > position:
            _read_time(text, received_at, fields, head, end)
            end = max(end, head.end)
        if end == position:
            break
        position = end
    head.end = position
    if head.when is not None and not head.marks:
        later = _SHOUTED.search(text, position, position + 160)
        if later is not None:
            fields.setdefault("log.level", LEVELS[later[0].lower()])
            head.marks += 1
    return head


def _read_klog(text: str, received_at: float, fields: Fields, head: Head) -> bool:
    """``W1227 11:02:49.250000       1 controller.go:128] text``, as Kubernetes and others of Google's kin write."""
    match = _KLOG.match(text)
    if match is None:
        return False
    fields.setdefault("log.level", _LETTERS[match["level"]])
    fields.setdefault("process.thread.id", int(match["thread"]))
    fields.setdefault("log.origin.file.name", match["file"])
    head.end, head.marks = match.end(), 3
    stamp = f"{match['month']}-{match['day']} {match['clock']}"
    yearless = dates.YEARLESS.match(stamp) if received_at else None
    if yearless is not None:
        head.when, head.stamp = times.from_yearless(yearless, received_at), stamp
    return True


def _read_time(text: str, received_at: float, fields: Fields, head: Head, start: int = 0) -> None:
    """The time stands first, or after one token that cannot be a sentence's beginning."""
    gap = _GAP.match(text, start) if start else None
    start = gap.end() if gap is not None else start
    when, stamp, end = times.head(text, received_at, start)
    if when is None and start == 0:
        epoch = _EPOCH.match(text)
        if epoch is not None:
            when, stamp, end = times.from_number(float(epoch[1])), epoch[1], epoch.end()
            later = times.head(text, received_at, end)
            end = later[2] if later[0] is not None else end
        else:
            before = _BEFORE_TIME.match(text)
            if before is not None:
                when, stamp, end = times.head(text, received_at, before.end())
                if when is not None:
                    _read_part(text, 0, fields, head)
    if when is not None:
        head.when, head.stamp, head.end = when, stamp, end


def _read_part(text: str, start: int, fields: Fields, head: Head) -> int:
    """Read one part; return where it ends, or ``start`` when the sentence begins here."""
    level = _LEVEL.match(text, start)
    if level is not None:
        found = _level_of(level, known="log.level" in fields)
        if found:
            fields.setdefault("log.level", found)
            head.marks += 1
            return level.end()
    program = _PROGRAM.match(text, start)
    if program is not None:
        fields.setdefault("process.name", program["name"])
        fields.setdefault("process.pid", int(program["pid"]))
        if program["level"]:
            fields.setdefault("log.level", LEVELS.get(program["level"].lower(), program["level"].lower()))
        head.marks += 2
        return program.end()
    pid = _PID.match(text, start) if head.stamp else None
    if pid is not None:
        if "process.pid" not in fields:
            fields["process.pid"] = int(pid[pid.lastindex or 0])
        return pid.end()
    return _read_name(text, start, fields, head)


def _level_of(match: re.Match[str], *, known: bool) -> str:
    """A bare word is a level when it is written large or ends with a colon; a letter only where levels stand."""
    if match["marked"]:
        word = match["marked"]
        return _LETTERS.get(word, "") if len(word) == 1 else LEVELS[word.lower()]
    if match["bare"]:
        word = match["bare"]
        sure = word.isupper() or match["colon"] or (word.istitle() and not known)
        return LEVELS[word.lower()] if sure and not known else ""
    if match["pair"]:
        return LEVELS.get(match["pair"].lower(), "")
    return _LETTERS.get(match["letter"] or "", "") if not known else ""


def _read_name(text: str, start: int, fields: Fields, head: Head) -> int:
    bracket = _BRACKETS.match(text, start)
    if bracket is not None:
        inside = bracket[bracket.lastindex or 0] or ""
        if times.is_numeric(inside) or "=" in inside or addresses.has_any(inside):
            return start  # an address, or a time: the sentence's own
        if inside.strip(" -") and len(inside) < 65 and _INSTANCE.search(inside) is None:
            fields.setdefault("log.logger" if _DOTTED.search(inside) else "process.thread.name", inside.strip())
        head.marks += 1
        return bracket.end()
    logger = _LOGGER.match(text, start)
    if logger is not None and (head.stamp or "log.level" in fields) and "log.logger" not in fields:
        name = logger[logger.lastindex or 0]
        if not times.is_numeric(name):
            fields["process.name" if name.endswith(".exe") else "log.logger"] = name
            head.marks += 1
            return logger.end()
    return start

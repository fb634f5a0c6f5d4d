"""Evidence, true statements about it, and the same statements with one thing changed.

Handed: parsed events and phrasings. Hands on: a :class:`Case` (an explanation request made like the real one), and
:class:`Statement` values whose slots are filled from it. A mutation fills one slot with something that the evidence
does not have, so that it is false by construction.
"""

import datetime as dt
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from triage import attack
from triage.contracts import EvidenceLine, ExplanationRequest, ParsedEvent
from triage.explainers import lines

FIRST = (
    "event.action", "event.category", "event.code", "event.outcome", "user.name", "host.name", "source.ip",
    "destination.ip", "process.name", "process.command_line", "log.level",
)  # fmt: skip
SLOT_FIELDS = {
    "user": ("user.name",), "host": ("host.name", "host.hostname"), "src": ("source.ip",), "dst": ("destination.ip",),
    "proc": ("process.name",), "path": ("process.executable", "file.path", "url.path"),
    "domain": ("dns.question.name", "url.domain"), "port": ("destination.port", "source.port"), "code": ("event.code",),
    "hash": ("process.hash.sha256", "file.hash.sha256", "process.hash.md5", "file.hash.md5", "file.hash.sha1"),
}  # fmt: skip
INVENTED = {
    "user": [
        "mallory",
        "jsmith",
        "svc_sync",
        "t.nguyen",
        "oracle9",
        "kpark",
        "dvalencia",
        "CORP\\rhodes",
        "hannah",
        "zoltan",
    ],
    "host": [
        "FILESRV02",
        "db-97",
        "kronos",
        "web-prod-3.corp.example",
        "WIN-Q7RT2",
        "mailgw",
        "jumpbox9",
        "vega",
        "hq-dc01",
        "ntp4",
    ],
    "proc": [
        "mimikatz.exe",
        "rclone",
        "xmrig",
        "nc64.exe",
        "payload.bin",
        "socat",
        "psexesvc.exe",
        "updater7",
        "kworkerz",
        "dropbear",
    ],
    "path": [
        "/opt/.cache/run.sh",
        "C:\\Users\\Public\\q.dll",
        "/var/tmp/x9",
        "/admin/backup.zip",
        "/home/zoe/.ssh/id_rsa",
    ],
    "domain": [
        "cdn-metrics.example.net",
        "evil-update.example",
        "pay.bad-domain.test",
        "x7f3.example.org",
    ],
}
#: Techniques that no candidate of a case is, with a name of their own.
OTHERS = ("T1566.001", "T1490", "T1558.003", "T1595.002", "T1041", "T1505.003", "T1484.001", "T1204.002")
CANDIDATES = ("T1110", "T1078", "T1059.004", "T1021.004", "T1048", "T1098", "T1046")
OUTCOMES = {"success": 0, "failure": 1}
_SLOT = re.compile(r"\{(\w+)\}")
_SPELLED = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
_WORDS = _SPELLED.split()


@dataclass(frozen=True)
class Case:
    """One alert's request, slot -> value, and slot -> the line that says it."""

    request: ExplanationRequest
    slots: dict[str, str]
    bearing: dict[str, int]


@dataclass(frozen=True)
class Statement:
    """A phrase filled for a case. ``flips`` is its opposite, where it has one."""

    text: str
    cited: tuple[int, ...]
    phrase: str = ""
    flips: str = ""
    filled: dict[str, str] = field(default_factory=dict)


def case_of(event: ParsedEvent, chance: random.Random) -> Case:
    """Return the request of an alert about an event, with a reason, counts, and a receipt."""
    moment = dt.datetime.fromtimestamp(1_767_225_600 + chance.randrange(0, 5_000_000), dt.UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    told = [("@timestamp", stamp)]
    rest = sorted(name for name in event.fields if name not in FIRST and name != "message")
    told += [(name, event.fields[name]) for name in (*FIRST, *rest) if event.fields.get(name) not in (None, "", [])][
        :24
    ]
    told.append(("message", event.message))
    evidence = [lines.field_line(number, name, value) for number, (name, value) in enumerate(told, 1)]
    bearing, slots = {"t": 1}, {"t": stamp}
    for slot, names in SLOT_FIELDS.items():
        for number, (name, value) in enumerate(told, 1):
            if name in names and slot not in slots and _usable(slot, str(value)):
                slots[slot], bearing[slot] = str(value), number
    outcome = event.fields.get("event.outcome")
    if outcome in OUTCOMES:
        slots["outcome"] = str(outcome)
        bearing["outcome"] = next(number for number, (name, _) in enumerate(told, 1) if name == "event.outcome")
    _add_context(evidence, slots, bearing, moment, chance)
    candidates = tuple(chance.sample(CANDIDATES, 2))
    slots["tech"] = candidates[0]
    bearing["tech"] = bearing.get("novel", 1)
    return Case(ExplanationRequest("", "medium", "", tuple(evidence), (), candidates), slots, bearing)


def _usable(slot: str, value: str) -> bool:
    """Leave out values that a sentence would not repeat: long, cut, without letters or digits."""
    if not 2 <= len(value) <= 120 or value != lines.plain(value, 200) or not any(c.isalnum() for c in value):
        return False
    return slot not in {"user", "host", "proc"} or len(value) <= 40


def _add_context(
    evidence: list[EvidenceLine],
    slots: dict[str, str],
    bearing: dict[str, int],
    moment: dt.datetime,
    chance: random.Random,
) -> None:
    """Add a reason, the count of events and a receipt; note which line bears what."""
    total = chance.randrange(1100, 900_000)
    slots["total"] = f"{total:,}"
    named = next((slot for slot in ("user", "proc", "src", "host") if slot in slots), "")
    if named:
        label = {"user": "user", "proc": "process", "src": "source address", "host": "host"}[named]
        text = f"{label} {slots[named]} was never seen before (0 of {total:,} values)"
        evidence.append(EvidenceLine(len(evidence) + 1, lines.SCORE, text))
        slots["novel"], bearing["novel"], bearing["total"] = slots[named], len(evidence), len(evidence)
        if named == "user":
            slots["newuser"], bearing["newuser"] = slots[named], len(evidence)
    count = chance.choice([chance.randrange(2, 15), chance.randrange(16, 990), chance.randrange(1000, 9000)])
    last = moment + dt.timedelta(seconds=chance.randrange(61, 5000))
    text = f"{count} events are in this alert, from {slots['t']} to {last.strftime('%Y-%m-%dT%H:%M:%SZ')}."
    evidence.append(EvidenceLine(len(evidence) + 1, lines.CONTEXT, text))
    slots["count"], bearing["count"] = str(count), len(evidence)
    slots["last"], bearing["last"] = last.strftime("%Y-%m-%dT%H:%M:%SZ"), len(evidence)
    if "user" in slots:
        searched = f"other logins of {slots['user']} in the 30 days before {slots['t']}"
        evidence.append(lines.receipt_line(len(evidence) + 1, searched, 0))
        bearing["nologins"], slots["nologins"] = len(evidence), slots["user"]
    if "src" in slots:
        searched = f"other events from {slots['src']} to any host in the 24 hours before {slots['t']}"
        evidence.append(lines.receipt_line(len(evidence) + 1, searched, 0))
        bearing["noevents"], slots["noevents"] = len(evidence), slots["src"]


def slots_of(phrase: str) -> list[tuple[str, str]]:
    """Return ``(slot as written, its base)``: ``t_min`` is a form of ``t``."""
    return [(name, name.partition("_")[0]) for name in _SLOT.findall(phrase)]


STYLES = {
    "min": "%H:%M", "sec": "%H:%M:%S", "date": "%Y-%m-%d", "long": "%-d %B %Y", "us": "%B %-d, %Y",
    "half": "%-I:%M %p", "space": "%Y-%m-%d %H:%M", "short": "%-d %b",
}  # fmt: skip


def written(form: str, value: str) -> str:
    """Return a value in the form that a phrase asks for."""
    kind, _, how = form.partition("_")
    if kind in {"t", "last"} and how:
        return _time(how, value)
    if kind == "count" and how:
        return _count(how, int(value))
    if kind == "tech" and how:
        return f"{value} ({attack.name(value).rpartition(': ')[2]})"
    return {"defang": value.replace(".", "[.]"), "plain": value.replace(",", "")}.get(how, value)


def _time(how: str, value: str) -> str:
    moment = dt.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    if how == "near":
        return (moment + dt.timedelta(seconds=30)).strftime("%H:%M")
    return moment.strftime(STYLES[how])


def _count(how: str, number: int) -> str:
    return _WORDS[number] if how == "word" and number < len(_WORDS) else f"{number:,}"


def fill(phrase: str, values: dict[str, str]) -> str:
    """Return the phrase with its slots filled."""
    return _SLOT.sub(lambda match: written(match[1], values[match[1].partition("_")[0]]), phrase)


def statements(case: Case, phrases: list[tuple[str, str]]) -> Iterator[Statement]:
    """Yield a true statement for each phrase that the case can fill."""
    for template, flips in phrases:
        told = _chosen(template, case)
        if told is None:
            continue
        phrase, cited = told
        opposite = _chosen(flips, case, flipped=True) if flips else None
        yield Statement(
            fill(phrase, case.slots), cited, phrase, fill(opposite[0], case.slots) if opposite else "", dict(case.slots)
        )


def _chosen(phrase: str, case: Case, *, flipped: bool = False) -> tuple[str, tuple[int, ...]] | None:
    """Resolve ``<good/bad>`` by the outcome and return the lines that bear the phrase; None when a slot is missing."""
    needed = [base for _, base in slots_of(phrase)]
    cited = {case.bearing[base] for base in needed if base in case.bearing}
    if any(base not in case.slots for base in needed):
        return None
    if "<" in phrase:
        if "outcome" not in case.slots:
            return None
        side = OUTCOMES[case.slots["outcome"]] ^ flipped
        phrase = re.sub(r"<([^<>/]*)/([^<>/]*)>", lambda match: match[side + 1], phrase)
        cited.add(case.bearing["outcome"])
    if "@nologins" in phrase or "@noevents" in phrase:
        return None
    return phrase, tuple(sorted(cited))


ABSENT = (
    " No other logins were seen.",
    " There were no further connections afterwards.",
    " Nothing else happened on the host.",
    " No data left the network.",
    " The account was not used anywhere else.",
    " There is no evidence of lateral movement.",
    " No other users were affected.",
    " It was the only host involved.",
    " Nobody else signed in.",
    " No files were changed.",
    " There is no sign of follow-up activity.",
    " No alerts were raised for other machines.",
)


def mutations(case: Case, statement: Statement, chance: random.Random) -> Iterator[tuple[str, Statement]]:
    """Yield ``(kind, statement)`` with one thing changed that makes it false."""
    bases = {base for _, base in slots_of(statement.phrase)}
    for base in sorted(bases & {"user", "host", "proc", "path", "domain"}):
        chosen = chance.choice([one for one in INVENTED[base] if one.lower() not in _all_text(case)])
        yield f"swap_{base}", _refilled(statement, base, chosen)
    for base in sorted(bases & {"src", "dst"}):
        first = chance.choice([10, 45, 172, 203])
        octets = (first, chance.randrange(16, 250), chance.randrange(250), chance.randrange(1, 250))
        fresh = ".".join(map(str, octets))
        yield "swap_address", _refilled(statement, base, fresh)
    one_way = "between {src}" not in statement.phrase
    if one_way and {"src", "dst"} <= bases and case.slots["src"] != case.slots["dst"]:
        values = statement.filled | {"src": case.slots["dst"], "dst": case.slots["src"]}
        yield "turn_direction", replace(statement, text=fill(statement.phrase, values))
    yield from _changed_figures(case, statement, bases, chance)
    if "tech" in bases:
        yield "wrong_technique", _refilled(statement, "tech", chance.choice(OTHERS))
        if "{tech_full}" in statement.phrase:
            other = attack.name(chance.choice(OTHERS)).rpartition(": ")[2]
            text = statement.phrase.replace("{tech_full}", f"{case.slots['tech']} ({other})")
            yield "technique_name", replace(statement, text=fill(text, statement.filled))
        yield "invented_technique", _refilled(statement, "tech", f"T{chance.randrange(1700, 1999)}")
    if statement.flips:
        yield "negate", replace(statement, text=statement.flips)
    if chance.random() < 0.25 and not bases & {"nologins", "noevents"}:
        yield "add_absence", replace(statement, text=statement.text + chance.choice(ABSENT))


def _changed_figures(
    case: Case, statement: Statement, bases: set[str], chance: random.Random
) -> Iterator[tuple[str, Statement]]:
    if "count" in bases:
        old = int(case.slots["count"])
        new = max(2, int(old * chance.choice([0.3, 0.5, 0.7, 1.4, 2.3, 3])) + chance.choice([0, 1, 3]))
        new = new if abs(new - old) > 0.15 * old else old + old // 4 + 2  # further off than "about" allows
        yield "change_count", _refilled(statement, "count", str(new))
    for base in sorted(bases & {"t", "last"}):
        moment = dt.datetime.strptime(case.slots[base], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
        moved = moment + dt.timedelta(days=chance.randrange(2, 40), seconds=chance.randrange(3700, 36_000))
        yield "change_time", _refilled(statement, base, moved.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if "port" in bases:
        yield "change_port", _refilled(statement, "port", str(chance.randrange(1025, 65_000)))
    if "code" in bases and case.slots["code"].isdigit():
        yield "change_code", _refilled(statement, "code", str(chance.randrange(4000, 9000)))
    if "hash" in bases:
        digits = "".join(chance.choice("0123456789abcdef") for _ in case.slots["hash"])
        yield "change_hash", _refilled(statement, "hash", digits)


def _refilled(statement: Statement, base: str, value: str) -> Statement:
    return replace(statement, text=fill(statement.phrase, statement.filled | {base: value}))


def _all_text(case: Case) -> str:
    return "\n".join(line.text for line in case.request.evidence).lower()

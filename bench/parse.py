"""How well the parsers read: fields found and fields right, by format, against sets of somebody else's truth.

    python bench/parse.py [--json] [--list N] [DIR ...]

A DIR holds ``events.ndjson.gz`` (one raw record a line) and, when there is a truth, ``expected.ndjson.gz``
(``idx``, ``format``, ``expected`` with ECS names, or with the names CrowdSec or go-libaudit give). Without a DIR
the folders in ``WINNOW_PARSER_SETS`` (separated as in PATH) and those under ``bench/parser_sets`` are taken; with
none of them the project's own golden pairs and the time per event are all that is measured, and it says so.

Seven facts are compared: host, user, source and destination address, process, action, outcome. Per fact a truth
value is a *hit* (we give it), *wrong* (we give another) or a *miss* (we give none). What we give where the truth
is silent can be right or not; it counts as *invented* when it stands in the raw record in no form. Recall is
hits / (hits + wrong + misses), precision hits / (hits + wrong + invented), each with its Wilson interval.
"""

import argparse
import gzip
import ipaddress
import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from triage import parsers  # noqa: E402 - the bench runs from a checkout, without installation
from triage.contracts import ParsedEvent, Record  # noqa: E402
from triage.learning.statistics import wilson  # noqa: E402

GOLDEN = ROOT / "tests" / "triage" / "parsers" / "golden"
SETS = "WINNOW_PARSER_SETS"
FACTS = ("host", "user", "source", "destination", "process", "action", "outcome")
#: Fact -> our fields that may hold it. A hit in any but the first is also counted as "in another role".
OURS = {
    "host": ("host.name", "host.hostname"),
    "user": ("user.name", "source.user.name", "destination.user.name", "user.target.name", "user.effective.name"),
    "source": ("source.ip", "source.address", "source.domain"),
    "destination": ("destination.ip", "destination.address", "destination.domain"),
    "process": ("process.name",),
    "action": ("event.action",),
    "outcome": ("event.outcome",),
}
#: Fact -> the truth's names for it, first one present wins.
TRUTHS = {
    "host": ("host.hostname", "host.name", "machine"),
    "user": (
        "user.name",
        "source.user.name",
        "destination.user.name",
        "target_user",
        "username",
        "user",
        "source_user",
        "data.acct",
    ),
    "source": ("source.ip", "source.address", "source_ip", "data.addr"),
    "destination": ("destination.ip", "destination.address", "dest_ip"),
    "process": ("process.name", "data.exe", "data.comm"),
    "action": ("event.action", "event_name", "action", "data.op"),
    "outcome": ("event.outcome", "data.result"),
}
EXCLUDED = (
    "Truth values left out: those that stand in the raw record in no form (escapes, case, hexadecimal, percent "
    "signs, address notation undone), which leaves out most action names (the other project's own labels); '-', '?', "
    "'unset' and 'undefined'; outcome 'unknown'; CrowdSec's service (its own label, not the program's name); "
    "go-libaudit's hostname (the peer's, not the machine's). Outcomes are words nobody writes: event.outcome counts "
    "as it is, and a CrowdSec log type that says failed (failed-auth, auth_failed, bad_password, LOGIN_ERROR, _bf ...) "
    "counts as failure."
)
_FAILED = re.compile(
    r"fail\w{0,2}[-_](?:auth|login|2fa|pass)|(?:auth|login)\w{0,15}[-_](?:failed|error)|(?:_|-)bf\Z|bad[-_](?:pass"
    r"|user)"
    r"|login_error|failed_?auth|invalid_(?:pass|user|cred)",
    re.IGNORECASE,
)
_NOTHING = frozenset({"", "-", "?", "unset", "undefined", "(none)", "none", "unknown", "(unknown)", "4294967295"})
_OUTCOMES = {"success": "success", "yes": "success", "fail": "failure", "failed": "failure", "failure": "failure"}
_IN_WORDS = re.compile(r"[0-9A-Fa-f:.]{3,45}")
_HEX = re.compile(r"\b(?:[0-9A-Fa-f]{2}){2,2000}\b")
_SOCKET = re.compile(r"\b0200[0-9A-F]{4}([0-9A-F]{8})")
_AUDIT = re.compile(r"audit\((\d+\.\d+:\d+)\)")
COUNTS = ("n", "hits", "misses", "wrong", "invented", "other_role")


def normal(fact: str, value: Any) -> str:
    """Return a value as it is compared: lower case, addresses in their one form, programs without their folder."""
    text = str(value).strip().lower()
    if fact in ("source", "destination"):
        return address(text) or text
    if fact == "user":
        text = text.strip("'\"")
    if fact == "process":
        return re.split(r"[\\/]", text)[-1]
    return re.sub(r"[\s_-]+", " ", text) if fact == "action" else text


def address(text: str) -> str:
    """Return an address in canonical notation, or an empty string."""
    try:
        found = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)


def address_of(socket: str) -> str:
    """Return the IPv4 address in a hexadecimal socket address."""
    return str(ipaddress.IPv4Address(bytes.fromhex(socket)))


def together(lines: list[str]) -> list[str]:
    """Return each line with those of the same audit event behind it: such records explain each other."""
    groups: dict[str, list[str]] = defaultdict(list)
    found = [_AUDIT.search(line) for line in lines]
    for line, match in zip(lines, found, strict=True):
        if match is not None:
            groups[match[1]].append(line)
    return [line if match is None else "\n".join(groups[match[1]]) for line, match in zip(lines, found, strict=True)]


class Raw:
    """A raw record in all the forms a value of it may have been written in."""

    def __init__(self, line: str) -> None:
        forms = [line, line.replace('\\"', '"').replace("\\\\", "\\").replace("\\/", "/"), unquote(line)]
        forms.append(forms[1].replace("\\\\", "\\").replace('\\"', '"'))
        forms += [address_of(found) for found in _SOCKET.findall(line)]
        forms += [bytes.fromhex(found).decode("utf-8", "replace") for found in _HEX.findall(line)]
        self.text = "\n".join(forms).lower()
        self.spaced = re.sub(r"[\s_-]+", " ", self.text)
        self._addresses: set[str] | None = None

    def has(self, fact: str, value: str) -> bool:
        """Return whether a normalised value stands in the record."""
        if value in self.text or (fact == "action" and value in self.spaced):
            return True
        return fact in ("source", "destination") and value in self.addresses()

    def addresses(self) -> set[str]:
        if self._addresses is None:
            words = _IN_WORDS.findall(self.text)
            self._addresses = {address(part) for word in words for part in (word, word.strip(".:"))} - {""}
        return self._addresses


def truth_of(fact: str, expected: dict[str, Any], raw: Raw) -> set[str]:
    """Return the normalised values the truth accepts for a fact; empty when it says nothing that counts."""
    if fact == "outcome" and _FAILED.search(str(expected.get("log_type", ""))):
        return {"failure"}
    for name in TRUTHS[fact]:
        if name not in expected:
            continue
        found = expected[name] if isinstance(expected[name], list) else [expected[name]]
        values = {normal(fact, value) for value in found} - _NOTHING
        if fact == "outcome":
            return {_OUTCOMES[value] for value in values if value in _OUTCOMES}
        return {value for value in values if raw.has(fact, value)}
    return set()


def ours_of(fact: str, event: ParsedEvent) -> list[str]:
    """Return our normalised values of a fact, the first field's first."""
    values: list[str] = []
    for name in OURS[fact]:
        value = event.fields.get(name)
        if value is not None:
            values += [normal(fact, item) for item in (value if isinstance(value, list) else [value])]
    return values


def judge(fact: str, truth: set[str], ours: list[str], raw: Raw) -> str:
    """Return hits, other_role, misses, wrong or invented, or nothing."""
    if truth:
        if not ours:
            return "misses"
        if truth & set(ours[:1]):
            return "hits"
        return "other_role" if truth & set(ours) else "wrong"
    if not ours or fact in ("outcome", "action"):
        return ""  # both are our words for what a record says; only a truth can judge them
    return "" if raw.has(fact, ours[0]) else "invented"


def compare(folder: Path, listed: list[str]) -> dict[str, dict[str, Counter[str]]]:
    """Return format -> fact -> counts of one set; every deviation is described in ``listed``."""
    lines = read_lines(folder / "events.ndjson.gz")
    truths = {row["idx"]: row for row in map(json.loads, read_lines(folder / "expected.ndjson.gz"))}
    events = parsers.parse([Record(line) for line in lines], time.time(), memory={})
    table: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    shown = together(lines)
    for index, (line, event) in enumerate(zip(lines, events, strict=True)):
        row = truths.get(index)
        if row is None:
            continue
        raw = Raw(line)
        table[row["format"]]["events"]["n"] += 1
        table[row["format"]]["events"]["fallback"] += bool(event.fallback_reason)
        for fact in FACTS:
            truth, ours = truth_of(fact, row["expected"], raw), ours_of(fact, event)
            verdict = judge(fact, truth, ours, raw)
            if verdict == "invented" and shown[index] != line:
                verdict = judge(fact, truth, ours, Raw(shown[index]))
            counts = table[row["format"]][fact]
            counts["n"] += bool(truth)
            counts["hits" if verdict == "other_role" else verdict] += bool(verdict)
            counts["other_role"] += verdict == "other_role"
            if verdict in ("misses", "wrong", "invented"):
                said = f"truth {sorted(truth)} ours {ours} ({event.parser})"
                listed.append(f"{row['format']} #{index} {fact} {verdict}: {said}: {line[:600]}")
    return table


def read_lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in file if line.strip()]


def total(table: dict[str, dict[str, Counter[str]]]) -> dict[str, Counter[str]]:
    """Return the sum over all formats, per fact."""
    summed: dict[str, Counter[str]] = defaultdict(Counter)
    for facts in table.values():
        for fact, counts in facts.items():
            summed[fact].update(counts)
    return summed


def rate(successes: int, n: int) -> dict[str, float] | None:
    """Return a proportion with its interval, nothing when there is nothing to divide."""
    if not n:
        return None
    found = wilson(successes, n)
    return {"value": round(found.value, 4), "n": n, "low": round(found.low, 4), "high": round(found.high, 4)}


def figures(counts: Counter[str]) -> dict[str, Any]:
    """Return the counts of a fact with its recall and precision."""
    hits = counts["hits"]
    return {
        **{name: counts[name] for name in COUNTS},
        "recall": rate(hits, counts["n"]),
        "precision": rate(hits, hits + counts["wrong"] + counts["invented"]),
    }


def print_table(name: str, table: dict[str, dict[str, Counter[str]]], summed: dict[str, Counter[str]]) -> None:
    """Print one line per format and fact that deviates, then the totals."""
    events = summed["events"]
    print(f"\n{name}: {events['n']} events, {events['fallback']} not understood")
    print(f"  {'format':36} {'fact':12} {'n':>5} {'hits':>5} {'miss':>5} {'wrong':>5} {'inv.':>5}")
    for form, facts in sorted(table.items(), key=lambda item: -item[1]["events"]["n"]):
        rows = [(fact, facts[fact]) for fact in FACTS if facts[fact]["n"] or facts[fact]["invented"]]
        for fact, counts in rows:
            cells = " ".join(f"{counts[key]:5}" for key in ("n", "hits", "misses", "wrong", "invented"))
            print(f"  {form[:36]:36} {fact:12} {cells}")
        if not rows:
            print(f"  {form[:36]:36} {'(no truth)':12} {facts['events']['n']:5}")
    for fact in FACTS:
        if summed[fact]["n"]:
            print_total(fact, figures(summed[fact]))
    print_total("all seven", figures(sum((summed[fact] for fact in FACTS), Counter())))


def print_total(fact: str, found: dict[str, Any]) -> None:
    shown = [
        f"{name} {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}] n={value['n']}"
        if value
        else f"{name} -"
        for name, value in (("recall", found["recall"]), ("precision", found["precision"]))
    ]
    deviations = f"missed {found['misses']}, wrong {found['wrong']}, invented {found['invented']}"
    print(f"  TOTAL {fact:12} {'; '.join(shown)}; {deviations}; in another role {found['other_role']}")


def measure(folder: Path, limit: int) -> dict[str, Any]:
    """Measure one set against its truth, or only how much of it is understood; return the figures."""
    coverage = speed_and_coverage(folder)
    if not (folder / "expected.ndjson.gz").exists():
        return coverage
    listed: list[str] = []
    table = compare(folder, listed)
    summed = total(table)
    print_table(folder.name, table, summed)
    for line in listed[:limit]:
        print("   ", line)
    return {
        **coverage,
        "facts": {fact: figures(summed[fact]) for fact in FACTS},
        "all": figures(sum((summed[fact] for fact in FACTS), Counter())),
        "formats": {form: {fact: figures(facts[fact]) for fact in FACTS} for form, facts in table.items()},
    }


def speed_and_coverage(folder: Path) -> dict[str, Any]:
    """Print which parsers took the events of a set, and the CPU time of one event."""
    records = [Record(line) for line in read_lines(folder / "events.ndjson.gz")]
    return {"set": folder.name, **timed(folder.name, records)}


def timed(name: str, records: list[Record]) -> dict[str, Any]:
    start = time.process_time()
    events = parsers.parse(records, time.time(), memory={})
    spent = time.process_time() - start
    taken = Counter(event.parser for event in events)
    fallback = sum(bool(event.fallback_reason) for event in events)
    micro = spent / len(records) * 1e6
    print(f"{name}: {len(records)} events, not understood {fallback / len(records):.1%}, {micro:.1f} us CPU each")
    print("   ", ", ".join(f"{parser} {count}" for parser, count in taken.most_common()))
    return {"events": len(records), "fallback": fallback, "us_per_event": round(micro, 2), "parsers": dict(taken)}


def measure_golden() -> dict[str, Any]:
    """Compare every golden pair of the project's own tests, and time each parser on its pairs."""
    found: dict[str, Any] = {}
    print("golden pairs: fields equal / fields expected, CPU per event")
    for name in parsers.TABLE:
        path = GOLDEN / f"{name}.json"
        if not path.exists():
            print(f"  {name:16} has no golden pairs")
            continue
        pairs = json.loads(path.read_bytes())
        found[name] = golden_row(pairs)
        row = found[name]
        print(
            f"  {name:16} {row['pairs']:4} pairs {row['equal']:5} / {row['expected']:5} {row['us_per_event']:8.1f} us"
        )
    return found


def golden_row(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    records = [Record(pair["content"]) for pair in pairs]
    equal = expected = 0
    for record, pair in zip(records, pairs, strict=True):
        (event,) = parsers.parse([record], 1_767_225_600.0, memory={})  # the golden pairs' own time of receipt
        expected += len(pair["fields"])
        equal += sum(event.fields.get(key) == value for key, value in pair["fields"].items())
    many = records * (2_000 // len(records) + 1)
    start = time.process_time()
    parsers.parse(many, 1_767_225_600.0, memory={})
    micro = (time.process_time() - start) / len(many) * 1e6
    return {"pairs": len(pairs), "equal": equal, "expected": expected, "us_per_event": round(micro, 2)}


def folders(named: list[Path]) -> list[Path]:
    """Return the sets to measure: named, in the environment, or beside this file."""
    if named:
        return named
    told = [Path(part) for part in os.environ.get(SETS, "").split(os.pathsep) if part]
    beside = sorted((ROOT / "bench" / "parser_sets").glob("*/"))
    return [folder for folder in told + beside if (folder / "events.ndjson.gz").exists()]


def main() -> int:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="*", type=Path, metavar="DIR")
    command.add_argument("--json", action="store_true", help="last line: all figures as one JSON object")
    command.add_argument("--list", type=int, default=0, metavar="N", help="show the first N deviations of every set")
    options = command.parse_args()
    missing = [str(folder) for folder in options.sets if not (folder / "events.ndjson.gz").exists()]
    if missing:
        command.error(f"no events.ndjson.gz in {', '.join(missing)}")
    chosen = folders(options.sets)
    result: dict[str, Any] = {"golden": measure_golden(), "sets": []}
    if chosen:
        result["sets"] = [measure(folder, options.list) for folder in chosen]
        print("\n" + EXCLUDED)
    else:
        print(f"\nNo set to measure against: name one, or set {SETS}. Recall and precision are NOT measured.")
    if options.json:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What is lost, doubled or left undone when parts of Winnow die under load? Nothing, is the claim; this is the table.

Starts a whole Winnow, embedded and on a PostgreSQL and a Redis of its own, sends numbered records all the time, and
does one fault after the other to it: processes killed and frozen, servers killed, flushed and recovered, the language
model away, slow or talking nonsense, the disk low and full, the clock jumping, every message delivered again. After
each it waits until everything is done and counts. Needs the development requirements; the full disk needs root (a small
tmpfs), the clock a C compiler. Takes about fifteen minutes.

    python bench/faults.py [--json] [--only WORDS,...] [--embedded | --servers]
"""

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults import faults as known  # noqa: E402 - the bench runs from a checkout, without installation
from tests.faults.estate import Estate, estate, under_load  # noqa: E402

COLUMNS = (
    "sent", "acknowledged", "stored", "lost", "doubled", "foreign", "flagged", "flagged_without_alert", "alerts_twice",
    "unexplained", "pending",
)  # fmt: skip
#: PostgreSQL's log alone wants files of 16 MiB.
DISK_MIB, KEPT_FREE = {known.EMBEDDED: 96, known.SERVERS: 256}, 16 * 2**20


def one_fault(one: Estate, fault: known.Fault, way: str) -> dict[str, object]:
    """Do a fault and return what became of everything since this one's start."""
    before = asdict(one.outcome())
    with under_load(one):
        red = fault.run(one)
    after = one.outcome(patience=fault.patience)
    row: dict[str, object] = {"fault": fault.name, "way": way}
    row |= {name: value - before[name] for name, value in asdict(after).items()}
    row |= {"red_after_s": red, "holds": not after.faults() and (red is not None or not fault.is_red)}
    return row


def wanted(way: str, only: list[str]) -> list[known.Fault]:
    """Return the faults of a way that can be done here."""
    found = [fault for fault in known.FAULTS if way in fault.ways]
    if only:
        found = [fault for fault in found if any(words in fault.name for words in only)]
    if not shutil.which("cc"):
        found = [fault for fault in found if "clock" not in fault.name]
    return [fault for fault in found if "disk" not in fault.name or os.geteuid() == 0]


@contextlib.contextmanager
def place(faults: list[known.Fault], way: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield where an estate may live for these faults, and what its processes are told."""
    with tempfile.TemporaryDirectory(prefix="winnow-faults-") as text, contextlib.ExitStack() as stack:
        directory, told = Path(text), dict[str, str]()
        (directory / "data").mkdir()
        if any("disk" in fault.name for fault in faults):
            small = directory / ("data" if way == known.EMBEDDED else "postgresql")
            small.mkdir(exist_ok=True)
            stack.enter_context(known.small_disk(small, DISK_MIB[way]))
            told["MIN_FREE_DISK_BYTES"] = str(KEPT_FREE)
        if any("clock" in fault.name for fault in faults):  # Winnow's processes; the database keeps the right time
            told |= known.settable_clock(directory / "data")
        yield directory, told


def run(way: str, only: list[str]) -> Iterator[dict[str, object]]:
    """Yield a row per fault. Those of the disk and the clock get an estate of their own."""
    chosen = wanted(way, only)
    special = [[fault for fault in chosen if word in fault.name] for word in ("disk", "clock")]
    usual = [fault for fault in chosen if not any(fault in some for some in special)]
    for faults in (usual, *special):
        if not faults:
            continue
        with place(faults, way) as (directory, told), estate(directory, on_servers=way == known.SERVERS, **told) as one:
            for fault in faults:
                yield one_fault(one, fault, way)


def show(row: dict[str, object]) -> None:
    """Print one line of the table."""
    red = row["red_after_s"]
    words = "" if red is None else f"{red:.0f} s"
    numbers = " ".join(f"{row[name]:>7}" for name in COLUMNS)
    print(f"{row['way']:<9} {row['fault']:<40} {numbers} {words:>6} {'ok' if row['holds'] else 'FAILS'}", flush=True)


def main() -> int:
    """Run every fault; 1 when any leaves something behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--only", default="", help="words of the faults' names, with commas")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--embedded", action="store_true")
    way.add_argument("--servers", action="store_true")
    arguments = parser.parse_args()
    ways = [known.EMBEDDED] * (not arguments.servers) + [known.SERVERS] * (not arguments.embedded)
    heads = " ".join(f"{name[:7]:>7}" for name in COLUMNS)
    print(f"{'':<9} {'':<40} {heads} {'red':>6}")
    rows = []
    for one in ways:
        for row in run(one, list(filter(None, arguments.only.split(",")))):
            rows.append(row)
            show(row)
    if arguments.json:
        print(json.dumps({"faults": rows}))
    return int(not all(row["holds"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())

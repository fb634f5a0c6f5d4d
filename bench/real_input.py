"""What becomes of real log files: through ``manage.py ingest`` and through HTTP, on a fresh Winnow each.

    python bench/real_input.py FILE... [--limit N] [--json]

A file is NDJSON or text lines, plain or .gz. Each goes once through each way into a Winnow of its own, which
learns from it, so that "flagged" means flagged by a model trained on that file's own history. Prints records
sent and accepted, events, the parsers that took them, the fallback share and the flagged share. Both ways
must give the same counts; a difference is printed as one.
"""

import argparse
import gzip
import http.client
import itertools
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.deployment import manage, winnow  # noqa: E402 - the bench runs from a checkout, without installation

LINES_PER_REQUEST = 1_000
COUNTS = (
    "import json; from collections import Counter; from triage.models import *\n"
    "parsers, fallbacks = Counter(), Counter()\n"
    "for row in RawBatch.objects.defer('body'):\n"
    "    parsers.update(row.parser_counts)\n"
    "    fallbacks.update(row.discard_counts)\n"
    "print(json.dumps([parsers, fallbacks, Event.objects.filter(score=None).count(), Event.objects.count()]))"
)


def lines(path: Path, limit: int) -> list[bytes]:
    """Return up to a number of lines that are not blank."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return list(itertools.islice((line.rstrip(b"\r\n") for line in file if line.strip()), limit))


def learned() -> None:
    """Give learning the time it needs, if there is enough to learn from."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        models = json.loads(manage("models", "--json"))
        if any(model["status"] == "champion" for model in models):
            return
        time.sleep(0.5)


def report(sent: int) -> dict[str, Any]:
    """Return what is stored now."""
    counts = json.loads(manage("drain", "--timeout", "300"))
    parsers, fallbacks, unscored, events = json.loads(manage("shell", "--no-imports", "-c", COUNTS).splitlines()[-1])
    return {**counts, "sent": sent, "stored": events, "unscored": unscored, "parsers": parsers, "fallbacks": fallbacks}


def through_ingest(records: list[bytes]) -> dict[str, Any]:
    """Send the records through the command, then train on them and score them."""
    manage("migrate", "--verbosity", "0")
    manage("create_source", "file")
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        file.write(b"\n".join(records) + b"\n")
        file.flush()
        manage("ingest", file.name, "--source", "file")
    with winnow():
        if len(records) >= 5_000:
            learned()
        return report(len(records))


def through_http(records: list[bytes]) -> dict[str, Any]:
    """Send the records to ``/api/v1/ingest`` of a running Winnow."""
    with winnow() as (port, _):
        token = manage("create_source", "http").split()[-1]
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
        for start in range(0, len(records), LINES_PER_REQUEST):
            body = b"\n".join(records[start : start + LINES_PER_REQUEST])
            link.request("POST", "/api/v1/ingest", body, headers)
            reply = link.getresponse()
            answer = reply.read()
            if reply.status != 200:
                raise SystemExit(f"the intake said {reply.status}: {answer[:200]!r}")
        if len(records) >= 5_000:
            learned()
        return report(len(records))


def measure(path: Path, limit: int) -> dict[str, Any]:
    """Run one file both ways, each on a data directory of its own."""
    records = lines(path, limit)
    results: dict[str, Any] = {"file": f"{path.parent.name}/{path.name}"}
    for name, way in (("ingest", through_ingest), ("http", through_http)):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["WINNOW_DATA_DIR"] = os.environ["WINNOW_MODELS_DIR"] = folder
            results[name] = way(records)
    return results


def show(result: dict[str, Any]) -> None:
    """Print one file's rows."""
    for name in ("ingest", "http"):
        row = result[name]
        fallback = sum(row["fallbacks"].values()) / max(row["events"], 1)
        scored = row["stored"] - row["unscored"]
        flagged = f"{row['flagged']:,} ({row['flagged'] / scored:.2%})" if scored else "not measured (no model)"
        parsers = ", ".join(
            f"{parser} {count:,}" for parser, count in sorted(row["parsers"].items(), key=lambda kv: -kv[1])
        )
        print(
            f"{result['file']} {name}: sent {row['sent']:,} accepted {row['accepted']:,} stored {row['stored']:,}"
            f" quarantined {row['quarantined']:,} fallback {fallback:.2%} flagged {flagged} alerts {row['alerts']:,}"
        )
        print(f"    parsers: {parsers}; fallbacks: {row['fallbacks'] or 'none'}", flush=True)
    if any(result["ingest"][key] != result["http"][key] for key in ("accepted", "events", "parsers", "fallbacks")):
        print("    !! the two ways differ")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for path in options.files:
        results.append(measure(path, options.limit))
        show(results[-1])
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()

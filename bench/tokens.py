"""How many characters of log text make a token? The measure behind the estimate that reserves money.

    python bench/tokens.py EVENTS_DIR ... [--json]

Each EVENTS_DIR holds ``events.ndjson.gz``; the longest text of a record stands for it. Ten questions of forty lines are
drawn from each set (seed 7), written as a prompt writes them, and counted by the demonstration model's tokenizer, which
is served on loopback for as long as this takes. Then text that nobody sends by accident: what a writer of logs can do.
"""

import argparse
import base64
import gzip
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from triage.explainers import prices, prompting

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS, LINES, MOST_RECORDS, HOSTILE = 10, 40, 20_000, 600


@contextmanager
def tokenizer() -> Iterator[str]:
    """Serve the demonstration model and hand out where it counts tokens."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, str(ROOT / "manage.py"), "serve_llm", "--port", "0"]
        environment = os.environ | {"WINNOW_DATA_DIR": directory}
        server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            first = server.stdout.readline()
            yield first.split()[0].removeprefix("LLM_BASE_URL=").removesuffix("/v1") + "/tokenize"
        finally:
            server.terminate()
            server.wait()


def count(url: str, text: str) -> int:
    """Return the number of tokens of a text."""
    body = json.dumps({"content": text}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return len(json.load(reply)["tokens"])


def texts(value: Any) -> Iterator[str]:
    """Yield every text inside a record."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def questions(directory: Path) -> list[str]:
    """Return prompts' worth of lines of a set."""
    dice = random.Random(7)
    with gzip.open(directory / "events.ndjson.gz", "rt", errors="replace") as file:
        rows = [json.loads(line) for line in itertools.islice(file, MOST_RECORDS)]
    found = [max(texts(row), key=len, default="") for row in rows]
    drawn = [dice.sample(found, min(LINES, len(found))) for _ in range(QUESTIONS)]
    return ["\n".join(f"[{n}] (event) {prompting.safe(text)}" for n, text in enumerate(each, 1)) for each in drawn]


def hostile() -> dict[str, str]:
    """Return texts that tokenise as badly as text can."""
    dice = random.Random(7)

    def letters(first: int, last: int) -> str:
        return "".join(chr(dice.randint(first, last)) for _ in range(HOSTILE))

    return {
        "random hexadecimal": dice.randbytes(HOSTILE // 2).hex(),
        "random base64": base64.b64encode(dice.randbytes(HOSTILE * 3 // 4)).decode(),
        "random digits": letters(48, 57),
        "random ASCII": letters(33, 126),
        "random Chinese": letters(0x4E00, 0x9FFF),
        "random emoji": letters(0x1F300, 0x1F6FF),
        "random Deseret": letters(0x10400, 0x1044F),
    }


def measure(url: str, directories: list[Path]) -> dict[str, Any]:
    """Return characters per token, of questions by set and of hostile texts with how far the estimate is off."""
    sets = {path.name: [len(text) / count(url, text) for text in questions(path)] for path in directories}
    every = sorted(itertools.chain.from_iterable(sets.values()))
    below = sum(ratio < prices.CHARACTERS_PER_TOKEN for ratio in every)
    worst = {
        name: {
            "per_token": len(text) / (tokens := count(url, text)),
            "off": tokens / prices.estimated_tokens(prices.length(text)),
        }
        for name, text in hostile().items()
    }
    return {
        "questions": len(every),
        "least": every[0],
        "median": statistics.median(every),
        "most": every[-1],
        "below_estimate": below,
        "instructions": len(prompting.system_prompt()) / count(url, prompting.system_prompt()),
        "sets": {name: [min(ratios), max(ratios)] for name, ratios in sets.items()},
        "hostile": worst,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path, metavar="EVENTS_DIR")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tokenizer() as url:
        found = measure(url, arguments.directories)
    for name, (least, most) in sorted(found["sets"].items(), key=lambda item: item[1]):
        print(f"{name:24} {least:.2f} to {most:.2f} characters per token")
    print(
        f"{found['questions']} questions: {found['least']:.2f} to {found['most']:.2f}, median {found['median']:.2f}; "
        f"{found['below_estimate']} below {prices.CHARACTERS_PER_TOKEN}; the instructions {found['instructions']:.2f}"
    )
    for name, row in found["hostile"].items():
        print(f"{name:24} {row['per_token']:.2f} characters per token, {row['off']:.2f} times the estimate")
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()

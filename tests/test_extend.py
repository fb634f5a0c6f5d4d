"""The guide for extending Winnow, followed to the letter: its files are taken from the page, installed, and used."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs/extend.md"
FILE = re.compile(r"^`([\w.]+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINES = [
    "DOOR 2026-11-23T08:15:00Z b7 badge=4711 granted", "DOOR 2026-11-23T08:16:00Z b7 badge=4712 denied",
    "DOOR what is this",
]  # fmt: skip

pytestmark = [pytest.mark.once, pytest.mark.slow]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what the guide says, as the guide says, into a directory of its own."""
    source, target = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("installed")
    files = dict(FILE.findall(GUIDE.read_text()))
    assert set(files) == {"pyproject.toml", "acme_door.py", "acme_pipes.py", "acme_path.py", "acme_models.py"}
    for name, text in files.items():
        (source / name).write_text(text)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--target", target, "."], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def python(installed: Path, tmp_path: Path, *arguments: str) -> str:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)]), "DJANGO_SETTINGS_MODULE": "triage.settings",
        "WINNOW_DATA_DIR": str(tmp_path / "var"), "DATABASE_URL": "", "REDIS_URL": "",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_check_of_the_guide_says_that_it_is_there(installed: Path, tmp_path: Path) -> None:
    (command,) = re.findall(r'^python manage\.py shell -c "(.*)"$', GUIDE.read_text(), re.MULTILINE)
    assert python(installed, tmp_path, "manage.py", "shell", "--no-imports", "-c", command).split()[-1] == "True"


def test_the_parser_and_the_receiver_are_used(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json; from triage import parsers, receivers\n"
        f"records = receivers.get('acme_pipes').records('|'.join({LINES!r}).encode(), {{}})\n"
        "events = parsers.parse(records, 1.0, memory={})\n"
        "names = ('user.name', 'event.outcome')\n"
        "print(json.dumps([[e.parser, e.timestamp, *map(e.fields.get, names)] for e in events]))"
    )
    assert json.loads(python(installed, tmp_path, "-c", code)) == [
        ["acme_door", 1795421700.0, "badge-4711", "success"],
        ["acme_door", 1795421760.0, "badge-4712", "failure"],
        ["fallback", 1.0, None, None],
    ]


def test_the_detector_judges_a_file(installed: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.ndjson"
    texts = [f"message {number % 7}" for number in range(200)] + ["message " + "x" * 300]
    events.write_text("".join(json.dumps({"message": text}) + "\n" for text in texts))
    scores = tmp_path / "scores.csv"
    python(installed, tmp_path, "manage.py", "backtest", str(events), "--train-count", "150", "--scores", str(scores),
           "--detector", "acme_length")  # fmt: skip
    rows = [line.split(",") for line in scores.read_text().splitlines()[1:]]
    assert len(rows) == 51
    assert max(rows, key=lambda row: float(row[1]))[0] == "200"
    assert [row[0] for row in rows if row[2] == "1"] == ["200"]


def test_the_explainer_answers(installed: Path, tmp_path: Path) -> None:
    code = (
        "from triage import explainers; from triage.contracts import EvidenceLine, ExplanationRequest\n"
        "asked = ExplanationRequest('t', 'low', 'user:a', (EvidenceLine(1, 'event', 'A login.'),), ())\n"
        "answer = explainers.get('acme_plain')().explain(asked)\n"
        "print(answer.explainer, answer.what_happened[0].text, answer.what_happened[0].evidence)"
    )
    assert python(installed, tmp_path, "-c", code).strip() == "acme_plain A login. (1,)"

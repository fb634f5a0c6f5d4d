"""What is inside: vendored files are what their table says; the list of components names every pinned requirement."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VENDORED = (ROOT / "alerts/static/vendor", ROOT / "tests/browser/vendor")
ROW = re.compile(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", re.MULTILINE)

pytestmark = pytest.mark.once


@pytest.mark.parametrize("directory", VENDORED, ids=lambda path: path.parent.name)
def test_vendored_files_are_what_their_table_says(directory: Path):
    named = dict(ROW.findall((directory / "README.md").read_text()))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.iterdir()
        if path.suffix in {".js", ".css"}
    }
    assert found == named


def test_the_list_of_components_names_every_pinned_requirement(tmp_path: Path):
    target = tmp_path / "sbom.json"
    program = Path(sys.executable).parent / "cyclonedx-py"
    done = subprocess.run(
        [program, "requirements", "requirements.txt", "--of", "JSON", "-o", target],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(target.read_text())
    pinned = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert made["bomFormat"] == "CycloneDX"
    assert {one["name"]: one["version"] for one in made["components"]} == pinned
    assert all(one["externalReferences"][0]["hashes"] for one in made["components"])


def test_make_writes_the_list_the_same_way():
    text = (ROOT / "Makefile").read_text()
    assert "cyclonedx-py requirements requirements.txt --of JSON" in text

"""Documents keep up with the code: links lead somewhere, claims name tests that exist, commands are real."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PROOF = re.compile(r"`((?:tests|bench)/[\w/.-]+\.py)(?:::(\w+))?`")

pytestmark = pytest.mark.once


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(document: Path):
    targets = [target for target in LINK.findall(document.read_text()) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_named_tests_and_benchmarks_exist(document: Path):
    missing = []
    for file, function in PROOF.findall(document.read_text()):
        path = ROOT / file
        if not path.is_file() or (
            function and not re.search(rf"^\s*(?:async )?def {function}\b", path.read_text(), re.M)
        ):
            missing.append(f"{file}::{function}")
    assert missing == []


def test_every_claim_has_its_proof():
    rows = [line for line in (ROOT / "docs" / "claims.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 5
    assert [row for row in rows if not PROOF.search(row)] == []


def test_every_requirement_has_its_reason():
    text = (ROOT / "docs" / "dependencies.md").read_text().lower()
    names = {
        re.split(r"[\[<>=;~ ]", line.strip())[0].lower()
        for file in ("requirements.in", "requirements-dev.in", "requirements-servers.in")
        for line in (ROOT / file).read_text().splitlines()
        if line.strip() and not line.startswith(("#", "-"))
    }
    assert {name for name in names if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "requirements-servers.txt"])
def test_requirements_are_pinned_with_hashes_and_name_no_host(file: str):
    text = (ROOT / file).read_text()
    pins = re.findall(r"^[A-Za-z0-9][^\n]*(?:\n[ ]{4}--hash[^\n]*)*", text, re.M)
    assert len(pins) >= 2
    assert [pin.splitlines()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []
    assert "://" not in text


def test_make_targets_named_in_documents_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {word for path in DOCUMENTS for word in re.findall(r"`make ([a-z-]+)", path.read_text())}
    assert named - targets == set()


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))

"""House rules that no linter knows, and the ones import-linter holds."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("triage", "alerts")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
#: Deserialisers that run code, and the way round escaping. Built here so that this file holds none of them.
FORBIDDEN_WORDS = re.compile(r"\b(mark" + r"_safe|pick" + r"le|cpick" + r"le|dill|marshal|shelve)\b", re.IGNORECASE)

pytestmark = pytest.mark.once


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def long_functions(source: str) -> list[str]:
    """Name the functions of a module that are too long."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES]


def forbidden_code(source: str) -> list[str]:
    """Name forbidden words in a module's code; comments and docstrings may explain them."""
    tree = ast.parse(source)
    found = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    found += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
    return sorted({word for word in found if FORBIDDEN_WORDS.search(word)})


def test_the_rules_notice_what_they_are_for():
    lines = "\n".join("    x = 1" for _ in range(MAX_FUNCTION_LINES))
    assert long_functions(f"def short():\n    x = 1\ndef long():\n{lines}") == ["long"]
    word = "pick" + "le"
    assert forbidden_code(f"import {word}\nfrom x import y") == [word]
    assert forbidden_code(f"from a import b\nb.{word}.loads(x)") == [word]
    assert forbidden_code(f"'''never {word}'''") == []


def test_import_contracts_hold():
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("module", ["triage.tasks", "alerts.tasks", "triage.asgi", "triage.celery"])
def test_heavy_libraries_are_not_loaded_by(module: str):
    """They cost seconds and 100 MB; only the process that uses one pays for it."""
    code = (
        "import django, sys; django.setup()\n"
        f"import {module}\n"
        "print(sorted({'sklearn', 'scipy', 'openai', 'skops'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_pure_room_works_in_a_plain_python_shell():
    code = (
        "import importlib, sys\n"
        "for room in ('contracts', 'ecs', 'plugins', 'receivers', 'parsers', 'features', 'detectors', 'registry',"
        " 'learning', 'explainers'):\n    importlib.import_module(f'triage.{room}')\n"
        "importlib.import_module('alerts.grouping')\n"
        "print(sorted({'django', 'celery', 'redis', 'psycopg'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": ""}
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_pipeline_stays_readable_in_one_go():
    assert len((ROOT / "triage" / "pipeline.py").read_text().splitlines()) < 150


def test_the_package_of_the_event_side_stays_empty():
    """Otherwise a pure room would import whatever stands there."""
    assert (ROOT / "triage" / "__init__.py").read_text() == ""


def test_files_are_short():
    lengths = {name(path): len(path.read_text().splitlines()) for path in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_are_short():
    found = {name(path): long_functions(path.read_text()) for path in modules()}
    assert {path: names for path, names in found.items() if names} == {}


def test_no_forbidden_words():
    found = {name(path): forbidden_code(path.read_text()) for path in modules()}
    assert {path: words for path, words in found.items() if words} == {}


def test_every_module_says_what_it_is_for():
    empty = {path for path in modules() if not path.read_text().strip()}
    undocumented = [
        name(path) for path in modules() if path not in empty and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert undocumented == []
    assert {path.name for path in empty} <= {"__init__.py"}


def test_templates_hold_no_script_style_or_foreign_address():
    """The content security policy allows none of it, and the product runs without an internet connection."""
    inline = re.compile(
        r"<style|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\ssrc=)|(?:src|href)=\"(?:https?:)?//", re.IGNORECASE
    )
    found = {
        name(path): inline.findall(path.read_text())
        for path in sorted((ROOT / "templates").rglob("*.html"))
        if inline.search(path.read_text())
    }
    assert found == {}

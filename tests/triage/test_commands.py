"""Management commands of the event side: ingest, drain, models."""

import gzip
import io
import json
import sys
from io import StringIO
from pathlib import Path

import pytest
import zstandard
from django.core.management import CommandError, call_command

from tests.factories import make_batch, make_source
from triage import champion
from triage.models import Event, RawBatch

pytestmark = pytest.mark.django_db

LINES = b'{"message": "one", "user": {"name": "bob"}}\n\nplain two\r\n{"broken": \n'
MESSAGES = ["one", "plain two", '{"broken": ']


@pytest.fixture(autouse=True)
def learning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champion, "current", lambda: None)


def ingest(*files: object, source: str = "edge") -> str:
    out = StringIO()
    call_command("ingest", *(str(file) for file in files), source=source, stdout=out, stderr=StringIO())
    return out.getvalue()


def messages() -> list[str]:
    return list(Event.objects.order_by("id").values_list("message", flat=True))


@pytest.mark.parametrize(
    ("suffix", "packed"),
    [(".ndjson", lambda body: body), (".gz", gzip.compress), (".zst", zstandard.compress)],
)
def test_a_file_goes_through_the_same_pipeline(tmp_path: Path, suffix: str, packed: object) -> None:
    make_source()
    path = tmp_path / f"log{suffix}"
    path.write_bytes(packed(LINES))  # type: ignore[operator]

    out = ingest(path)

    assert out.splitlines()[0] == "accepted 3  events 3  flagged 0  quarantined 0  waiting 0"
    assert "  fallback unknown_format: 2 (66.7%)" in out.splitlines()
    assert messages() == MESSAGES


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    make_source()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe\n")))
    ingest("-")
    assert messages() == ["from a pipe"]


def test_an_unknown_source_is_said_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(LINES)
    with pytest.raises(CommandError, match=r"no source 'nobody'; make it with: manage.py create_source NAME"):
        ingest(tmp_path / "log", source="nobody")
    assert RawBatch.objects.count() == 0


def test_a_truncated_archive_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    make_source()
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(LINES)[:-9])
    with pytest.raises(CommandError, match=r"cut\.gz: "):
        ingest(path)
    assert RawBatch.objects.count() == 0


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    make_source()
    with pytest.raises(CommandError, match=r"not-there\.log: "):
        ingest(tmp_path / "not-there.log")


def test_drain_prints_counts_and_succeeds_when_nothing_waits(tmp_path: Path) -> None:
    make_source()
    (tmp_path / "log").write_bytes(LINES)
    ingest(tmp_path / "log")
    call_command("drain", timeout=5, stdout=(out := StringIO()))
    counts = {"accepted": 3, "events": 3, "flagged": 0, "quarantined": 0, "alerts": 0}
    assert json.loads(out.getvalue()) == counts


def test_drain_times_out_with_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    from triage import tasks

    monkeypatch.setattr(tasks, "send", lambda *_: None)
    make_batch(make_source(), "nobody works on this")
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("drain", timeout=0.2, stdout=out, stderr=err)
    assert ended.value.code == 1
    assert json.loads(out.getvalue())["events"] == 0
    assert "1 records are still waiting" in err.getvalue()


def test_models_says_that_winnow_is_learning() -> None:
    call_command("models", stdout=(text := StringIO()))
    call_command("models", "--json", stdout=(listed := StringIO()))
    assert text.getvalue() == "no model yet: Winnow is still learning\n"
    assert json.loads(listed.getvalue()) == []

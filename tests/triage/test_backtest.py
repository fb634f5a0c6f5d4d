import csv
import gzip
import io
import random

import orjson
import pytest
from django.core.management import CommandError, call_command


def write_events(path, n=400):
    rng = random.Random(0)
    lines = [
        {"@timestamp": f"2024-05-01T10:{i // 60 % 60:02d}:{i % 60:02d}Z", "event": {"dataset": "shop"},
         "user": {"name": rng.choice(["alice", "bob"])}, "url": {"path": rng.choice(["/a", "/b"])}}
        for i in range(n)
    ]  # fmt: skip
    lines[n - 1]["user"]["name"] = "mallory"
    lines[n - 1]["url"]["path"] = "/admin/../etc"
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)


def run(path, scores, **options):
    out = io.StringIO()
    call_command("backtest", str(path), f"--scores={scores}", stdout=out, **{"train_count": 300, **options})
    return out.getvalue(), list(csv.DictReader(scores.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize("name", ["events.ndjson", "events.ndjson.gz"])
def test_backtest_scores_everything_after_the_training_records(tmp_path, name):
    write_events(tmp_path / name)
    said, rows = run(tmp_path / name, tmp_path / "out.csv")
    assert [int(row["idx"]) for row in rows] == list(range(300, 400))
    assert list(rows[0]) == ["idx", "score", "flagged", "reason"]
    scores = [float(row["score"]) for row in rows]
    assert max(scores) == scores[-1] > sorted(scores)[-2]
    assert rows[-1]["flagged"] == "1"
    assert rows[-1]["reason"] != ""
    assert all(row["reason"] == "" for row in rows if row["flagged"] == "0")
    flagged = sum(row["flagged"] == "1" for row in rows)
    assert f"flagged {flagged} of 100 events ({flagged:.2f}%), budget 1.00%" in said
    assert [line.split()[0] for line in said.splitlines()] == ["parse", "windows", "fit", "score", "explain", "flagged"]


def test_what_happened_around_an_event_counts_in_file_order(tmp_path):
    """The last login is a usual one by itself; a minute before, its user failed sixty times."""
    chance = random.Random(0)
    logins = [(i * 120, chance.choice("abcdefgh"), "failure" if i % 6 == 0 else "success") for i in range(1_200)]
    logins += [(144_000 + i, "a", "failure") for i in range(60)] + [(144_060, "a", "success")]
    lines = [
        {"@timestamp": f"2024-05-{1 + at // 86_400:02d}T{at // 3_600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d}Z",
         "event": {"dataset": "auth", "outcome": outcome}, "user": {"name": user}}
        for at, user, outcome in logins
    ]  # fmt: skip
    (tmp_path / "logins.ndjson").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    _, rows = run(tmp_path / "logins.ndjson", tmp_path / "out.csv", train_count=1_150)
    assert rows[-1]["flagged"] == "1"
    assert rows[-1]["reason"].startswith("user a failed 60 times within twenty minutes; usually at most")


def test_backtest_is_repeatable(tmp_path):
    write_events(tmp_path / "events.ndjson")
    run(tmp_path / "events.ndjson", tmp_path / "one.csv")
    run(tmp_path / "events.ndjson", tmp_path / "two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_lines_that_are_not_objects_are_scored_too(tmp_path):
    write_events(tmp_path / "events.ndjson")
    with (tmp_path / "events.ndjson").open("ab") as file:
        file.write(b"not json \xff\n[1,2]\n\n{}\n")
    _, rows = run(tmp_path / "events.ndjson", tmp_path / "out.csv")
    assert [int(row["idx"]) for row in rows] == list(range(300, 404))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"train_count": 0}, "--train-count must lie between"),
        ({"train_count": 400}, "--train-count must lie between"),
        ({"budget": 0.0}, "--budget is a share"),
        ({"train_count": 10}, "at least 20 are needed"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_written(tmp_path, options, said):
    write_events(tmp_path / "events.ndjson")
    with pytest.raises(CommandError, match=said):
        run(tmp_path / "events.ndjson", tmp_path / "out.csv", **options)
    assert not (tmp_path / "out.csv").exists()


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "nothing.ndjson", tmp_path / "out.csv")

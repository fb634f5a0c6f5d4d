"""The bench of detection: its lines, its references, and the figures others read by name."""

import numpy as np
import orjson
import pytest

from bench import detect, peers

pytestmark = pytest.mark.once


def test_the_lines_are_about_400_bytes_and_the_same_for_a_seed() -> None:
    lines = detect.raw_lines(300, 4)
    assert lines == detect.raw_lines(300, 4)
    assert lines != detect.raw_lines(300, 5)
    assert 380 < np.mean([len(line) for line in lines]) < 450
    assert sum(b"url.query" in line for line in lines) == 60


def test_the_lines_are_understood_by_a_parser() -> None:
    events = detect.parse(detect.raw_lines(20, 4))
    assert {event.parser for event in events} == {"ecs_json"}
    assert {event.timestamp_origin for event in events} == {"event"}
    assert {event.fallback_reason for event in events} == {""}


def test_tokens_mask_what_varies_and_keep_the_size_of_numbers() -> None:
    line = orjson.dumps({"a": {"b": "job 4711"}, "n": 100, "list": ["x", None], "on": True})
    assert peers.tokens(line) == ["a.b=job #", "n~6", "list=x", "on~1"]
    assert peers.text(line) == "a.b=job 4711 n=100 list=x on=True"


def test_every_reference_scores_and_the_surest_put_a_strange_line_first() -> None:
    lines = detect.raw_lines(260, 4)
    strange = orjson.dumps({"event.dataset": "kernel", "exploit": "\u00df" * 300, "payload": "../../etc/passwd"})
    found = peers.run(lines[:200], [*lines[200:], strange])
    names = [one.name for one in found]
    assert len(names) == len(set(names)) >= 7
    for one in found:
        assert one.scores.shape == (61,)
        assert one.fit_s > 0
        assert one.score_s > 0
    ranks = {one.name: int((one.scores > one.scores[-1]).sum()) for one in found}
    surest = ("field-value rarity", "calibrated maximum of three", "PCA on n-grams", "kNN on n-grams")
    assert {name: ranks[name] for name in surest} == dict.fromkeys(surest, 0)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    assert peers.missing() == ["drain3", "pyod"]
    assert peers.installed_judges() == {}


def test_a_million_is_extrapolated_by_what_each_further_event_takes() -> None:
    assert detect.fit_of_a_million([{"events": 1_000_000, "fit_s": 70.0}]) == 70.0
    assert detect.fit_of_a_million([{"events": 100, "fit_s": 1.0}, {"events": 200, "fit_s": 1.5}]) == 5000.5
    assert detect.fit_of_a_million([{"events": 500_000, "fit_s": 30.0}]) == 60.0


@pytest.mark.process
@pytest.mark.slow
def test_the_figures_have_the_names_that_others_read(capsys: pytest.CaptureFixture[str]) -> None:
    found = detect.measure(sizes=(300,), n_score=200, n_compare=200)
    assert {"events_per_s_per_core", "single_event_ms", "fit_1m_s"} <= found.keys()
    assert found["fit_is_extrapolated"] is True
    assert found["learned"][0]["events"] == found["fit_events"] == 300
    assert found["learned"][0]["peak_mib"] > 0
    winnow, *others = found["compared"]
    assert (winnow["name"], winnow["times_scoring"], winnow["times_with_fit"]) == ("Winnow", 1.0, 1.0)
    assert len(others) >= 7
    detect.show(found)
    shown = capsys.readouterr().out
    assert all(f"NOT INSTALLED, so not compared: {name}" in shown for name in found["not_installed"])
    assert orjson.loads(orjson.dumps(found)) == found

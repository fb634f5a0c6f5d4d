"""Language models judged on labelled lines: exact figures, resuming, frozen cases, failures apart."""

import json
import re

import orjson
import pytest
from django.core.management import CommandError, call_command

from alerts.services import evaluating
from tests.triage.explainers.fake_llm import Reply, completion, fake_llm, good
from triage.explainers import openai_chat, prompting

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def no_habits():
    openai_chat._HABITS.clear()


PREPARED = {}


@pytest.fixture(autouse=True)
def prepared_once(monkeypatch):
    """Learn the same lines' detectors once for all tests."""
    prepare = evaluating.prepare

    def cached(lines):
        key = tuple(lines)
        if key not in PREPARED:
            PREPARED[key] = prepare(lines)
        return PREPARED[key]

    monkeypatch.setattr(evaluating, "prepare", cached)


def line(rule, number):
    return json.dumps(
        {
            "@timestamp": f"2026-03-01T14:{number:02}:11Z", "rule": {"name": rule}, "host": {"name": f"web-{number}"},
            "event": {"action": rule.lower()}, "message": f"{rule} on web-{number}",
        }
    )  # fmt: skip


@pytest.fixture
def dataset(tmp_path):
    """Write 28 lines of two families: scans are attacks, logins are not."""
    folder = tmp_path / "set"
    folder.mkdir()
    for family, shift in (("ids", 0), ("waf", 20)):
        attacks = [line("Scan", shift + number) for number in range(7)]
        benign = [line("Login", shift + number) for number in range(7, 14)]
        (folder / f"{family}_attack_lines.jsonl").write_text("\n".join(attacks) + "\n")
        (folder / f"{family}_no_attack_lines.jsonl").write_text("\n".join(benign) + "\n\n")
    return folder


def behave(request):
    """Warn of scans on even hosts, call logins harmless, be unsure of other scans, and break on web-25."""
    text = request["messages"][1]["content"]
    host = int(re.search(r"web-(\d+)|HOST_(\d+)", text).group(1) or 0)
    if host == 25:
        return Reply(completion("no object"))
    if "Scan" not in text:
        return good(suggested_verdict="benign_tp", confidence="high", techniques=["T9999"])
    return good(suggested_verdict="tp_impact" if host % 2 == 0 else "undetermined", techniques=["T1595"])


def run(dataset, tmp_path, server, *options, prompt="v3"):
    endpoint = f"--endpoint=fake={server.base_url},tiny"
    out = tmp_path / "out"
    call_command("evaluate_llm", str(dataset), endpoint, f"--out={out}", f"--prompt={prompt}", *options)
    return json.loads((out / "report.json").read_text())


@pytest.fixture
def raw(settings, monkeypatch):
    """Send host names as they are, so that the rule above can read them."""
    settings.LLM_DATA_POLICY, settings.LLM_TIMEOUT_SECONDS = "raw", 5.0


def test_exact_figures_beside_the_trivial_judges(dataset, tmp_path, raw, capsys):
    with fake_llm(behave) as server:
        report = run(dataset, tmp_path, server)
        assert len(server.requests) == 28
    found = report["judges"]["fake v3"]["all"]
    assert (found["judged"], found["failed"]) == (27, 1)
    assert (found["recall"]["value"], found["recall"]["n"]) == (8 / 13, 13)
    assert (found["false_positive_rate"]["value"], found["false_positive_rate"]["n"]) == (0.0, 14)
    assert found["abstention"]["value"] == 5 / 27
    assert {name: rate["n"] for name, rate in found["by_confidence"].items()} == {"high": 14, "medium": 8}
    assert report["judges"]["fake v3"]["waf"]["failed"] == 1
    conduct = report["models"]["fake v3"]
    assert conduct["failures"] == {"invalid": 1}
    assert (conduct["invalid_techniques"]["value"], conduct["invalid_techniques"]["n"]) == (14 / 27, 27)
    assert conduct["flips"] is None
    assert conduct["cost_usd"] == 0.0
    assert report["judges"]["majority"]["all"]["recall"]["n"] == 14
    assert report["judges"]["majority per rule text"]["all"]["recall"]["value"] == 1.0
    pair = report["comparisons"]["majority per rule text / fake v3"]
    assert (pair["n"], pair["only_first"], pair["only_second"], pair["p_value"]) == (27, 5, 0, 0.0625)
    printed = capsys.readouterr().out
    assert "28 cases" in printed
    assert "exact McNemar p = 0.0625" in printed


def test_a_suggestion_without_support_abstains_as_shown(dataset, tmp_path, raw):
    invented = [{"text": "198.51.100.9 did it.", "evidence": [1]}]
    with fake_llm(
        good(what_happened=invented, why_it_matters=[], suggested_verdict="tp_impact", techniques=[])
    ) as server:
        report = run(dataset, tmp_path, server)
    assert report["judges"]["fake v3"]["all"]["recall"]["value"] == 1.0
    assert report["judges"]["fake v3, as shown"]["all"]["abstention"]["value"] == 1.0
    assert report["models"]["fake v3"]["grounded"]["value"] == 0.0
    assert report["models"]["fake v3"]["demoted"]["value"] == 1.0


def test_a_broken_run_goes_on_and_asks_nothing_twice(dataset, tmp_path, raw):
    with fake_llm(behave) as server:
        run(dataset, tmp_path, server)
        answers = tmp_path / "out" / "answers.ndjson"
        rows = answers.read_bytes().splitlines(keepends=True)
        answers.write_bytes(b"".join(rows[:7]) + rows[7][:20])
        report = run(dataset, tmp_path, server)
        assert len(server.requests) == 28 + 21
    assert report["judges"]["fake v3"]["all"]["judged"] == 27
    assert len(answers.read_bytes().splitlines()) == 28


def test_repeats_measure_how_often_an_opinion_flips(dataset, tmp_path, raw):
    asked = []

    def moody(request):
        asked.append(1)
        return good(suggested_verdict="tp_impact" if len(asked) <= 28 else "benign_tp", techniques=[])

    with fake_llm(moody) as server:
        report = run(dataset, tmp_path, server, "--repeats=2")
    assert (report["models"]["fake v3"]["flips"]["value"], report["models"]["fake v3"]["flips"]["n"]) == (1.0, 28)
    assert report["judges"]["fake v3"]["all"]["recall"]["value"] == 1.0  # the first answer counts


def test_other_cases_are_not_mixed_with_these(dataset, tmp_path, raw):
    with fake_llm(behave) as server:
        run(dataset, tmp_path, server)
        with pytest.raises(CommandError, match="holds other cases"):
            run(dataset, tmp_path, server, "--limit=27")
        assert len(server.requests) == 28


def test_a_sample_is_even_and_the_same_every_time(dataset):
    lines = evaluating.read(dataset)
    taken = evaluating.sample(lines, 8)
    assert taken == evaluating.sample(list(reversed(lines)), 8)
    assert sorted((one.family, one.label) for one in taken) == sorted(
        2 * [("ids", True), ("ids", False), ("waf", True), ("waf", False)]
    )


def test_labelled_ndjson_is_read_in_its_forms(tmp_path):
    path = tmp_path / "set.ndjson"
    rows = [
        {"label": 1, "raw": "a line"}, {"label": "Benign", "event": {"a": 1}}, {"label": True, "b": 2},
        {"label": "no_attack", "raw": "another", "family": "x"}, {"label": 1, "raw": "a line"},
    ]  # fmt: skip
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    assert [(one.family, one.label, one.line) for one in evaluating.read(path)] == [
        ("set", True, "a line"), ("set", False, '{"a":1}'), ("set", True, '{"b":2}'), ("x", False, "another"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"raw": "x"}', "is not a JSON object with a label"), ("x", "is not a JSON object with a label"),
        ('{"label": "perhaps", "raw": "x"}', "has the label 'perhaps'"), ('{"label": 1, "raw": "x"}', "of both labels"),
        ("", "of both labels"),
    ],
)  # fmt: skip
def test_what_is_no_data_set_is_told(tmp_path, text, words):
    path = tmp_path / "set.ndjson"
    path.write_text(text)
    with pytest.raises(CommandError, match=re.escape(words)):
        call_command("evaluate_llm", str(path), "--baselines-only")
    with pytest.raises(CommandError, match="holds no"):
        call_command("evaluate_llm", str(tmp_path), "--baselines-only")


@pytest.mark.parametrize("endpoint", ["x", "x=y", "=http://127.0.0.1/v1,m", "x=http://127.0.0.1/v1,", "x=ftp://h,m"])
def test_an_endpoint_must_be_one(dataset, endpoint):
    with pytest.raises(CommandError, match="is not NAME=URL,MODEL"):
        call_command("evaluate_llm", str(dataset), f"--endpoint={endpoint}")


def test_nobody_to_ask_is_told(dataset, settings):
    settings.LLM_BASE_URL = ""
    with pytest.raises(CommandError, match="name an --endpoint"):
        call_command("evaluate_llm", str(dataset))


def test_an_evaluation_is_noted_beside_the_prompt(dataset, tmp_path, raw, monkeypatch):
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    for path in prompting.PROMPTS.iterdir():
        (prompts / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(prompting, "PROMPTS", prompts)
    with fake_llm(behave) as server:
        run(dataset, tmp_path, server, "--record")
    row = prompting.registry()["v3"]
    assert row["evaluation"]["prompt_sha256"] == prompting.prompt_hash("v3") == row["sha256"]
    assert (row["evaluation"]["model"], row["evaluation"]["cases"], row["evaluation"]["failed"]) == ("tiny", 28, 1)
    assert "not_evaluated_yet" not in row


def test_another_version_of_the_prompt_is_asked_with(dataset, tmp_path, raw):
    with fake_llm(behave) as server:
        run(dataset, tmp_path, server, prompt="v2")
        assert server.requests[0]["messages"][0]["content"] == prompting.system_prompt("v2")

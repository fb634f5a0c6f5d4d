"""The prompt files and what evaluations they rest on; the fence; the shorter question."""

import copy
import hashlib

import pytest

from triage.contracts import EvidenceLine, ExplanationRequest
from triage.explainers import lines, prompting


def hashes():
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in prompting.PROMPTS.glob("v*.txt")}


def test_no_prompt_was_changed_without_an_evaluation():
    assert prompting.unevaluated(prompting.registry(), hashes()) == []
    assert prompting.VERSION in prompting.registry()
    assert prompting.prompt_hash() == hashes()[prompting.VERSION]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.update(sha256="0"), "was changed"),
        (lambda row: row.update(not_evaluated_yet=False), "has no evaluation"),
        (lambda row: row.update(evaluation={"id": "e1", "prompt_sha256": "0"}), "evaluated with another text"),
    ],
)
def test_a_changed_or_unmarked_prompt_is_told(change, words):
    rows = copy.deepcopy(prompting.registry())
    change(rows["v2"])
    [trouble] = prompting.unevaluated(rows, hashes())
    assert words in trouble


def test_a_prompt_without_a_row_and_a_row_without_a_prompt_are_told():
    rows = prompting.registry()
    assert prompting.unevaluated(rows, hashes() | {"v99": "x"}) == ["prompt v99 is not listed in evaluated.json"]
    assert prompting.unevaluated(rows | {"v98": {}}, hashes()) == ["prompt v98 has no file"]


def test_an_evaluated_prompt_needs_no_mark():
    sha256 = hashes()["v2"]
    rows = {"v2": {"sha256": sha256, "evaluation": {"id": "e1", "prompt_sha256": sha256}}}
    assert prompting.unevaluated(rows, {"v2": sha256}) == []


@pytest.mark.parametrize(
    "token",
    [
        "<|im_start|>", "<start_of_turn>", "</s>", "<s>", "[INST]", "[/INST]", "<think>", "<｜User｜>", "<system>",
        "＜|im_start|＞", "＜/s＞", "［INST］", "[ＩＮＳＴ]", "[inst]", "<<SYS>>", "<</SYS>>", "<bos>", "< |eot_id|>",
        "<|endoftext|>", "[TOOL_RESULTS]", "<\u200b|im_start|>", "<tool_response>",
    ],
)  # fmt: skip
def test_what_a_chat_template_reads_is_broken_up(token):
    shown = prompting.safe(f"x {token} y")
    assert token not in shown
    assert shown.startswith(("x ‹", "x ("))


@pytest.mark.parametrize(
    "text", ["a < b", "cat << EOF", "<Data Name='x'>", "x[0] = [1]", "[ACCEPT] IN=eth0", "<script>"]
)
def test_what_no_chat_template_reads_stays_as_it_is(text):
    assert prompting.safe(text) == text


def test_the_shorter_question_keeps_findings_and_numbers():
    event = tuple(lines.field_line(number, f"field.f{number}", "v" * 300) for number in range(1, 31))
    found = (EvidenceLine(31, lines.SCORE, "odd"), EvidenceLine(32, lines.CONTEXT, "1 event"))
    short = prompting.shortened(ExplanationRequest("t", "low", "", (*event, *found), ()))
    assert [line.number for line in short.evidence] == [*range(1, 23), 31, 32]
    assert max(len(line.text) for line in short.evidence) == prompting.SHORT_LINE
    assert short.evidence[-2:] == found

"""Who explains without a language model: the chosen plug-in, and the evidence where that fails."""

import logging

import pytest

from alerts.services.evidence import answer_by_rule
from triage import checks, explainers
from triage.contracts import Claim, EvidenceLine, ExplanationAnswer, ExplanationRequest
from triage.intake import routes
from triage.plugins import PluginError

pytestmark = pytest.mark.once
REQUEST = ExplanationRequest("A login", "low", "user:a", (EvidenceLine(1, "event", "user.name: a"),), ())


class Plain:
    """Repeats the first line."""

    name = "plain"

    def explain(self, request: ExplanationRequest) -> ExplanationAnswer:
        first = Claim(request.evidence[0].text, (1,))
        return ExplanationAnswer((first,), (), (), (), "undetermined", "low", (), self.name)


class Broken(Plain):
    """Never answers."""

    def explain(self, request: ExplanationRequest) -> ExplanationAnswer:
        raise RuntimeError("broken")


@pytest.fixture
def chosen(monkeypatch, settings):
    for name in ("Plain", "Broken"):
        monkeypatch.setitem(explainers.TABLE, name.lower(), f"{__name__}:{name}")

    def choose(name):
        settings.EXPLAINER = name

    return choose


def test_the_chosen_explainer_answers(chosen):
    chosen("plain")
    answer = answer_by_rule(REQUEST, note="none is configured")
    assert (answer.explainer, answer.details) == ("plain", {"note": "none is configured"})
    assert answer.what_happened == (Claim("user.name: a", (1,)),)


@pytest.mark.parametrize("name", ["broken", "nowhere"])
def test_the_evidence_stands_in_for_one_that_fails(chosen, caplog, name):
    chosen(name)
    with caplog.at_level(logging.ERROR):
        answer = answer_by_rule(REQUEST, note="")
    assert answer.explainer == "evidence"
    assert [record.getMessage() for record in caplog.records] == [
        f"explainer {name} gave no answer; the evidence stands in for it"
    ]


def test_a_name_that_is_nowhere_is_an_error_at_the_start(settings):
    assert checks.check_plug_ins() == []
    settings.EXPLAINER, settings.DETECTOR = "openai_chat", "nowhere"
    assert [problem.msg for problem in checks.check_plug_ins()] == [
        "DETECTOR: 'nowhere' is not one of baseline_forest",
        "EXPLAINER: 'openai_chat' is not one of evidence",
    ]


@pytest.mark.parametrize("path", ["/api/v1/ingest", "/elastic/mine", "/v1/logs", "mine"])
def test_no_package_can_take_a_path_of_somebody_else(monkeypatch, path):
    monkeypatch.setattr(routes, "load_table", lambda table, group: {path: object()})
    before = dict(routes.PATHS)
    with pytest.raises(PluginError, match="is not a free path"):
        routes.free_paths()
    assert before == routes.PATHS

"""Alert rules and dashboard ask for figures that ``/metrics`` really has, with labels that they really carry."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from django.test import Client

from tests.deployment import ROOT
from triage.views import counts

PLACE = ROOT / "deploy/observability"
METRIC = re.compile(r"\bwinnow_[a-z_]+")
RULES = yaml.safe_load((PLACE / "alerts.yaml").read_text())["groups"][0]["rules"]
PANELS = json.loads((PLACE / "dashboard.json").read_text())["panels"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [one["expr"] for panel in PANELS for one in panel["targets"]]


def offered() -> set[str]:
    """Return the names of all series, also of those that have no line in an empty installation."""
    return set(re.findall(r"winnow_[a-z_]+", (ROOT / "triage/views/counts.py").read_text()))


@pytest.mark.once
def test_every_figure_that_is_asked_for_exists():
    wanted = {name for text in EXPRESSIONS for name in METRIC.findall(text)}
    assert len(wanted) >= 12
    assert wanted - offered() == set()


@pytest.mark.once
def test_every_rule_says_what_to_do():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "fix"}, rule["alert"]
        assert re.fullmatch(r"\d+[mh]", rule["for"]), rule["alert"]


@pytest.mark.once
def test_prometheus_reads_the_rules():
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        ["promtool", "check", "rules", PLACE / "alerts.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.django_db
def test_figures_of_the_state_are_there_and_true(settings):
    text = Client().get("/metrics").text
    assert 'winnow_workers_alive{role="pipeline"} 0.0' in text
    assert "winnow_oldest_waiting_seconds 0.0" in text
    assert "winnow_broker_up 1" in text
    assert re.search(r"^winnow_disk_free_bytes [1-9]\d+$", text, re.MULTILINE)
    assert "winnow_champion{" not in text  # nothing serves while Winnow learns
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r"[a-z_]+(?:\{.*\})? -?[\d.e+-]+", line), line
    assert counts.CONTENT_TYPE.startswith("text/plain; version=0.0.4")

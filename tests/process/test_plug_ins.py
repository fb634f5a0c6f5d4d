"""The package of the guide for extending Winnow at work in a running Winnow: each of its plug-ins does its part."""

import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.deployment import ROOT, Deployment, environment_for

pytestmark = [pytest.mark.process, pytest.mark.once, pytest.mark.timeout(180)]
FILE = re.compile(r"^`([\w.]+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r'^\[project\.entry-points\."([\w.]+)"\]\n((?:.+\n)+)', re.MULTILINE)


def put_in_place(directory: Path) -> None:
    """Leave the files of the guide in a directory as an installer does."""
    files = dict(FILE.findall((ROOT / "docs/extend.md").read_text()))
    about = directory / "acme_winnow-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-winnow\nVersion: 1.0\n")
    groups = (f"[{group}]\n{rows.replace(chr(34), '')}" for group, rows in ENTRY.findall(files.pop("pyproject.toml")))
    (about / "entry_points.txt").write_text("\n".join(groups))
    for name, text in files.items():
        (directory / name).write_text(text)


def send(deployment: Deployment, body: bytes) -> tuple[int, dict[str, object]]:
    headers = {"Authorization": f"Bearer {deployment.token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{deployment.port}/acme/pipes", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def outcome(deployment: Deployment) -> dict[str, object]:
    """Return what each plug-in did, once the alert is explained."""
    questions = {
        "detector": "ModelVersion.objects.get(status='champion').detector",
        "parsers": "list(Event.objects.values_list('parser', flat=True).distinct())",
        "explanations": "list(Explanation.objects.values_list('explainer', 'failure'))",
    }
    expression = "{" + ", ".join(f"{name!r}: {question}" for name, question in questions.items()) + "}"
    for _ in range(40):
        found: dict[str, object] = deployment.query(expression)
        if found["explanations"]:
            break
        time.sleep(0.5)
    return found


def door(number: int, more: str = "") -> str:
    return (
        f"DOOR 2026-11-23T08:{number // 60 % 60:02}:{number % 60:02}Z b{number % 5}{more} badge=47{number % 9}1 granted"
    )


def test_a_body_becomes_an_alert_through_four_plug_ins(tmp_path: Path):
    put_in_place(tmp_path / "plug-ins")
    environment = environment_for(
        tmp_path, {}, PYTHONPATH=f"{tmp_path / 'plug-ins'}:{ROOT}", DETECTOR="acme_length", EXPLAINER="acme_plain",
        LEARN_MIN_EVENTS="200", DATABASE_URL="", REDIS_URL="",
    )  # fmt: skip
    deployment = Deployment(environment, ())
    try:
        assert send(deployment, b"") == (400, {"error": {"code": "no_data", "message": "No data"}})
        body = "|".join(door(number) for number in range(400)).encode()
        assert send(deployment, body) == (200, {"accepted": 400, "rejected": 0, "errors": []})
        assert json.loads(deployment.manage("drain", "--timeout", "60"))["events"] == 400
        deployment.manage("train")
        assert send(deployment, door(0, more="long" * 8).encode())[0] == 200
        counts = json.loads(deployment.manage("drain", "--timeout", "60"))
        assert (counts["accepted"], counts["events"], counts["flagged"], counts["alerts"]) == (401, 401, 1, 1)
        assert outcome(deployment) == {
            "detector": "acme_length", "parsers": ["acme_door"], "explanations": [["acme_plain", ""]],
        }  # fmt: skip
    finally:
        deployment.close()

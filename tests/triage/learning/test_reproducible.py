"""The same window and seed give the same artefact: in two processes that hash strings differently."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import hashlib, json, random, sys
from triage.contracts import ParsedEvent
from triage.learning import train
from triage.registry import artefact

rng = random.Random(7)
users, hosts = ["alice", "bob", "carol", "dave"], [f"srv-{n}" for n in range(6)]
events = [
    ParsedEvent(
        1.7e9 + 13 * n, "event", "ecs_json", f"{rng.choice(users)} ran job {rng.randrange(40)} on {rng.choice(hosts)}",
        {"user.name": rng.choice(users), "host.name": rng.choice(hosts), "event.action": rng.choice(["run", "stop"]),
         "process.args": [rng.choice("abcdef"), rng.choice("abcdef")], "http.response.bytes": rng.randrange(9_000)},
    )
    for n in range(600)
]
rng.shuffle(events)
candidate = train(events, alert_budget=0.01, random_state=int(sys.argv[1]))
body = artefact.to_bytes(candidate.detector.state())
manifest = candidate.manifest
print(json.dumps([hashlib.sha256(body).hexdigest(), manifest["window"]["events_sha256"], manifest["code_sha256"]]))
"""


def trained(hash_seed: str, random_state: str = "0") -> list[object]:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CODE, random_state]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_two_processes_train_the_same_artefact() -> None:
    first = trained("1")
    assert trained("2") == first
    assert trained("3", random_state="1")[0] != first[0]

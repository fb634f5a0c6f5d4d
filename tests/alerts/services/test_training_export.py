"""Rows for fine-tuning: whose answers count, what is hidden, how they are split, and that nothing is half-written."""

import datetime as dt
import hashlib
import json

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command

from alerts.models import Alert, AuditEntry, Explanation, Verdict
from alerts.services import audit, training_export
from alerts.services.training_export import ExportError
from tests.factories import make_source
from triage.explainers import answers, prompting

pytestmark = pytest.mark.django_db
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def source():
    return make_source()


def decided(source, number, *, value="tp_impact", user=None, days=None, **columns):
    """Store an alert of its own user, decided by a person (or by automation when there is none)."""
    name, seen = f"canary{number}", START + dt.timedelta(days=number if days is None else days)
    alert = Alert.objects.create(
        **{
            "fingerprint": f"{number:064}", "title": f"Login of {name}", "entity": f"user:{name}", "source": source,
            "user_name": name, "host_name": f"canaryhost{number}", "source_ip": f"203.0.113.{number}",
            "status": "closed", "first_seen_at": seen, "last_seen_at": seen, "severity": "medium",
            "techniques": ["T1110"],
        } | columns
    )  # fmt: skip
    Verdict.objects.create(alert=alert, value=value, decided_by="person" if user else "automation", user=user)
    return alert


def explained(alert, *, suggests="tp_impact", grounded=2, **columns):
    """Store a model's explanation of an alert with a struck claim among three."""
    name, host, address = alert.user_name, alert.host_name, alert.source_ip
    texts = [
        ("event", f"user.name (untrusted text): {name}"), ("event", f"host.name: {host}"),
        ("event", f"source.ip: {address}"),
        ("event", f"message (untrusted text): {name} logged in with password=hunter2canary"),
        ("context", "1 event is in this alert, at 2026-03-01T14:02:11Z."),
    ]  # fmt: skip
    login = f"{name} logged in on {host} from {address}."
    answer = {
        "what_happened": [
            {"text": login, "evidence": [1, 2, 3], "status": "grounded", "problems": []},
            {"text": f"{name} stole the crown.", "evidence": [1], "status": "struck", "problems": ["x"]},
        ],
        "why_it_matters": [{"text": f"{host} is new.", "evidence": [2], "status": "grounded", "problems": []}],
        "why_it_may_be_benign": [],
        "next_checks": [f"Ask {name}."], "techniques": ["T1110"], "suggested_verdict": suggests, "confidence": "high",
        "severity": "high",
    }  # fmt: skip
    return Explanation.objects.create(
        **{
            "alert": alert, "explainer": "openai_chat", "model": "tiny", "prompt_version": prompting.VERSION,
            "answer": answer, "suggested_verdict": suggests, "purpose": "explain", "tier": "small", "claims": 3,
            "grounded": grounded,
            "evidence": [
                {"number": n, "origin": origin, "text": text} for n, (origin, text) in enumerate(texts, 1)
            ],
        } | columns
    )  # fmt: skip


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(tmp_path, user):
    out = tmp_path / "out"
    return training_export.export(out=out, user=user), out


def test_an_answer_that_a_person_confirmed_becomes_a_row(source, tmp_path, alice, dana):
    explained(decided(source, 1, user=alice, value="tp_no_impact"))
    done, out = run(tmp_path, dana)
    (row,) = read(out / "sft_train.jsonl")
    system, user, assistant = row["messages"]
    assert system == {"role": "system", "content": prompting.system_prompt()}
    assert user["role"] == "user"
    assert "Severity band: medium. Candidate techniques by rule: T1110 (Brute Force)." in user["content"]
    assert "[1] (event) user.name (untrusted text): USER_1" in user["content"]
    assert "[4] (event) message (untrusted text): USER_1 logged in with password=[secret]" in user["content"]
    told = json.loads(assistant["content"])
    answers.parse(assistant["content"])
    assert told["what_happened"] == [{"text": "USER_1 logged in on HOST_1 from IP_EXT_1a.", "evidence": [1, 2, 3]}]
    assert (told["next_checks"], told["suggested_verdict"], told["severity"]) == (["Ask USER_1."], "tp_impact", "high")
    assert read(out / "kto_train.jsonl") == [{"messages": row["messages"], "kto_tag": True}]
    assert done.rows == {
        "sft_train.jsonl": 1, "pairs_train.jsonl": 0, "kto_train.jsonl": 1, "sft_validation.jsonl": 0,
        "pairs_validation.jsonl": 0, "kto_validation.jsonl": 0,
    }  # fmt: skip


def test_a_pair_is_one_that_agrees_and_one_that_does_not(source, tmp_path, alice, dana):
    alert = decided(source, 1, user=alice, value="fp_logic")
    explained(alert, suggests="tp_impact", grounded=1)
    explained(alert, suggests="benign_tp", tier="large")
    _, out = run(tmp_path, dana)
    (pair,) = read(out / "pairs_train.jsonl")
    assert json.loads(pair["chosen"]["content"])["suggested_verdict"] == "benign_tp"
    assert json.loads(pair["rejected"]["content"])["suggested_verdict"] == "tp_impact"
    assert [message["role"] for message in pair["messages"]] == ["system", "user"]
    assert len(read(out / "sft_train.jsonl")) == 1
    assert [row["kto_tag"] for row in read(out / "kto_train.jsonl")] == [False, True]


def test_what_does_not_count_is_left_out_and_counted(source, tmp_path, alice, dana):
    explained(decided(source, 1, user=alice))
    explained(decided(source, 2))
    overruled = decided(source, 3, user=alice)
    Verdict.objects.create(alert=overruled, value="tp_impact", decided_by="automation")
    explained(overruled)
    explained(decided(source, 4, user=alice, value="undetermined"))
    explained(decided(source, 5, user=alice, value="duplicate"))
    explained(decided(source, 6, user=alice, origin="blind_audit", inclusion_probability=0.1))
    explained(decided(source, 7, user=alice, injection_suspected=True))
    explained(decided(source, 8, user=alice), inherited=True)
    explained(decided(source, 9, user=alice), failure="ungrounded")
    explained(decided(source, 10, user=alice), claims=None, grounded=None)
    explained(decided(source, 11, user=alice), prompt_version="v0")
    explained(decided(source, 12, user=alice), suggests="undetermined")
    explained(decided(source, 13, user=alice), purpose="", explainer="evidence")
    done, out = run(tmp_path, dana)
    assert len(read(out / "kto_train.jsonl")) == 1
    assert {why: n for why, n in done.left_out.items() if n} == {
        "alerts whose newest decision is an automation's": 2,
        "alerts whose decision takes no side": 2,
        "blind audits": 1,
        "alerts with text suspected to speak to its reader": 1,
        "explanations that failed, were taken over, or were not checked": 3,
        "explanations by a prompt that is not here any more": 1,
        "explanations that take no side, or of which nothing stands": 1,
    }


def test_the_latest_fifth_of_incidents_is_for_validation_and_none_is_in_both(source, tmp_path, alice, dana):
    for number in range(10):
        explained(decided(source, number, user=alice))
    again = decided(source, 50, user=alice, days=8.1, entity="user:canary8")  # an hour or two after alert 8
    explained(again)
    late = decided(source, 60, user=alice, days=9, fingerprint=f"{3:064}")  # goes on from incident 3
    explained(late)
    done, _ = run(tmp_path, dana)
    assert (done.rows["kto_train.jsonl"], done.rows["kto_validation.jsonl"]) == (8, 3)
    assert done.left_out["alerts of earlier incidents that go on into validation's time"] == 1


def test_no_name_address_or_secret_is_in_any_byte(source, tmp_path, alice, dana):
    for number in range(6):
        explained(decided(source, number, user=alice, host_name=f"CORP\\canaryhost{number}"))
    _, out = run(tmp_path, dana)
    for path in out.iterdir():
        assert b"canary" not in path.read_bytes().lower(), path
        assert b"203.0.113." not in path.read_bytes(), path


def test_the_same_database_gives_the_same_bytes(source, tmp_path, alice, dana):
    for number in range(6):
        explained(decided(source, number, user=alice))
    one = training_export.export(out=tmp_path / "one", user=dana)
    two = training_export.export(out=tmp_path / "two", user=dana)
    assert one.sha256 == two.sha256


def test_the_card_and_the_description_fit_the_files(source, tmp_path, alice, dana):
    explained(decided(source, 1, user=alice))
    done, out = run(tmp_path, dana)
    info = json.loads((out / "dataset_info.json").read_text())
    assert {entry["file_name"] for entry in info.values()} == set(done.rows)
    assert info["winnow_pairs_train"]["ranking"] is True
    assert info["winnow_kto_train"]["columns"] == {"messages": "messages", "kto_tag": "kto_tag"}
    card = (out / "README.md").read_text()
    assert "| tp_impact | 1 |" in card
    assert f"| tiny, prompt {prompting.VERSION} | 1 |" in card
    content = (out / "kto_train.jsonl").read_bytes()
    assert f"| kto_train.jsonl | {hashlib.sha256(content).hexdigest()} |" in card
    assert (out.stat().st_mode & 0o077) == 0


def test_it_is_in_the_audit_trail_and_without_the_entry_there_is_no_export(source, tmp_path, alice, dana, monkeypatch):
    explained(decided(source, 1, user=alice))
    done, _ = run(tmp_path, dana)
    entry = AuditEntry.objects.get(action="export.training")
    assert (entry.actor, entry.details["rows"], entry.details["sha256"]) == ("dana", done.rows, done.sha256)

    def broken(**_):
        raise RuntimeError

    monkeypatch.setattr(audit, "record_person", broken)
    with pytest.raises(RuntimeError):
        training_export.export(out=tmp_path / "second", user=dana)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_nothing_to_export_writes_nothing(source, tmp_path, dana):
    with pytest.raises(ExportError, match="no alert was decided by a person yet"):
        run(tmp_path, dana)
    explained(decided(source, 2))
    with pytest.raises(ExportError, match="1 alerts whose newest decision is an automation's"):
        run(tmp_path, dana)
    assert list(tmp_path.iterdir()) == []
    assert not AuditEntry.objects.filter(action="export.training").exists()


def test_a_directory_with_something_in_it_is_left_alone(source, tmp_path, alice, dana):
    explained(decided(source, 1, user=alice))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(ExportError, match="is not an empty directory"):
        run(tmp_path, dana)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_an_analyst_may_not_export(source, tmp_path, alice, dana):
    explained(decided(source, 1, user=alice))
    with pytest.raises(PermissionDenied):
        run(tmp_path, alice)
    with pytest.raises(CommandError, match="only a lead or an admin"):
        call_command("export_training", str(tmp_path / "out"), "--user=alice")
    with pytest.raises(CommandError, match="no user nobody"):
        call_command("export_training", str(tmp_path / "out"), "--user=nobody")
    assert list(tmp_path.iterdir()) == []
    call_command("export_training", str(tmp_path / "out"), "--user=dana")
    assert (tmp_path / "out" / "README.md").exists()

"""What people confirmed, as rows to fine-tune a language model with: pseudonymised, split, audited.

Handed: who exports and where to. Hands on: a directory of JSON lines (supervised, preference pairs, KTO), the
``dataset_info.json`` of LLaMA-Factory and a card, or an error and nothing written. Only alerts that a person decided
count, and of their explanations only a language model's own that were held against the evidence. Left out and counted:
alerts on which text was suspected to speak to its reader, blind audits, answers that others took over, decisions that
take no side.
"""

import datetime as dt
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch

from alerts.models import Alert, AlertOrigin, DecidedBy, Explanation, Verdict
from alerts.permissions import has_role
from alerts.services import audit
from triage.explainers import prompting, training_rows
from triage.explainers.training_rows import Said
from triage.learning.ranking import connected
from triage.learning.ranking_facts import AlertFacts
from triage.models import Role, User

#: Share of the incidents, the latest, that are kept for validation.
VALIDATION_SHARE = 0.2
CHUNK = 500
KINDS: dict[str, Callable[[list[Said]], Iterator[dict[str, Any]]]] = {
    "sft": training_rows.sft,
    "pairs": training_rows.pairs,
    "kto": training_rows.kto,
}
SPLITS = ("train", "validation")
_TAGS = {
    "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
    "system_tag": "system",
}  # fmt: skip
_NOTES = (
    "- Every decision is a person's. Supervised rows hold answers that take the same side as the decision, without",
    "  claims that the evidence does not bear; pairs hold one that does and one that does not; KTO rows hold every",
    "  answer and whether it does. No text was written for this.",
    "- Names, addresses and hosts are pseudonyms, made anew for each row; credentials are removed. Pseudonyms are not",
    "  anonymity: what happened, when, and in which order is as it was.",
    "- Validation holds the latest fifth of the incidents; no incident is in both parts, and no training alert began",
    "  later.",
    "- Analysts decide on what was flagged, in the order in which it was shown, often having read the answer. A model",
    "  trained on this learns their habits with their judgement.",
)


class ExportError(RuntimeError):
    """Nothing was exported, and why."""


@dataclass(slots=True)
class Exported:
    """What was written: rows of each file, its sha256, what was left out and why, and what the rows are about."""

    rows: dict[str, int] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    first: dt.datetime | None = None
    last: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class _Decided:
    alert: Alert
    said: list[Said]


def export(*, out: Path, user: User) -> Exported:
    """Write the rows to a new directory; raise ``PermissionDenied``, or :class:`ExportError` with nothing written."""
    if not has_role(user, Role.LEAD):
        raise PermissionDenied("only a lead or an admin may export training data")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} is not an empty directory")
    done = Exported()
    decided = list(_decided(done))
    split = _split([one.alert for one in decided], done)
    files = _files(decided, split, done)
    if not sum(done.rows.values()):
        raise ExportError(f"there is nothing to export: {_why_nothing(done)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        whole = Path(scratch) / "data"
        whole.mkdir(mode=0o700)
        files["dataset_info.json"] = _dataset_info(done)
        done.sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        for name, content in (files | {"README.md": _card(done).encode()}).items():
            (whole / name).write_bytes(content)
        details = {"rows": done.rows, "sha256": done.sha256, "left_out": dict(done.left_out)}
        with transaction.atomic():
            audit.record_person(action="export.training", user=user, details=details)
            if out.exists():
                out.rmdir()
            os.replace(whole, out)  # last: without the entry there is no export
    return done


def _decided(done: Exported) -> Iterator[_Decided]:
    """Yield alerts with the explanations that count, oldest first."""
    newest = Prefetch("verdicts", queryset=Verdict.standing.order_by("-id"), to_attr="newest")
    told = Prefetch("explanations", queryset=Explanation.objects.order_by("id"), to_attr="told")
    alerts = Alert.objects.filter(verdicts__isnull=False).distinct().order_by("first_seen_at", "id")
    for alert in alerts.prefetch_related(newest, told).iterator(chunk_size=CHUNK):
        verdict: Verdict = alert.newest[0]
        why_not = _why_not(alert, verdict)
        if why_not:
            done.left_out[why_not] += 1
            continue
        said = [one for row in alert.told if (one := _said(alert, row, verdict.value, done)) is not None]
        if said:
            done.verdicts[verdict.value] += 1
            yield _Decided(alert, said)


def _why_not(alert: Alert, verdict: Verdict) -> str:
    """Return why nothing of an alert is exported, empty when something may be."""
    if verdict.decided_by != DecidedBy.PERSON:
        return "alerts whose newest decision is an automation's"
    if alert.origin == AlertOrigin.BLIND_AUDIT:
        return "blind audits"
    if alert.injection_suspected:
        return "alerts with text suspected to speak to its reader"
    if training_rows.agrees("tp_impact", verdict.value) is None:
        return "alerts whose decision takes no side"
    return ""


def _said(alert: Alert, row: Explanation, decided: str, done: Exported) -> Said | None:
    """Return an explanation as training sees it; None when it does not count, with the reason counted."""
    if not row.purpose:  # the evidence explainer
        return None
    if row.failure or row.inherited or not row.claims or row.grounded is None:
        done.left_out["explanations that failed, were taken over, or were not checked"] += 1
        return None
    if row.prompt_version not in prompting.registry():
        done.left_out["explanations by a prompt that is not here any more"] += 1
        return None
    request = training_rows.request_of(
        row.evidence, severity=alert.severity, techniques=alert.techniques, known=_known(alert)
    )
    said = training_rows.said(
        request, row.answer, decided=decided, version=row.prompt_version, grounded=row.grounded / row.claims
    )
    if said is None:
        done.left_out["explanations that take no side, or of which nothing stands"] += 1
        return None
    done.models[f"{row.model}, prompt {row.prompt_version}"] += 1
    return said


def _known(alert: Alert) -> list[tuple[str, str]]:
    kind, _, value = alert.entity.partition(":")
    named = [("user", alert.user_name), ("host", alert.host_name), ("address", alert.source_ip)]
    return named + ([(kind, value)] if kind in {"user", "host", "address"} else [])


def _split(alerts: list[Alert], done: Exported) -> list[str]:
    """Return for each alert its part: whole incidents, the latest for validation, nothing later in training."""
    facts = [
        AlertFacts(
            fingerprint=one.fingerprint,
            arrived_at=one.created_at.timestamp(),
            seen_at=one.first_seen_at.timestamp(),
            entity=one.entity,
        )
        for one in alerts
    ]
    incidents = connected(facts)
    began: dict[int, float] = {}
    for incident, one in zip(incidents, facts, strict=True):
        began[incident] = min(began.get(incident, one.seen_at), one.seen_at)
    ordered = sorted(began, key=lambda incident: (began[incident], incident))
    late = set(ordered[len(ordered) - int(VALIDATION_SHARE * len(ordered)) :])
    cut = min((began[incident] for incident in late), default=float("inf"))
    parts = []
    for incident, one in zip(incidents, facts, strict=True):
        part = "validation" if incident in late else "train" if one.seen_at < cut else ""
        done.left_out["alerts of earlier incidents that go on into validation's time"] += not part
        parts.append(part)
    return parts


def _files(decided: list[_Decided], split: list[str], done: Exported) -> dict[str, bytes]:
    """Return the files of rows; a line in which a credential is left is left out."""
    files = {}
    for part in SPLITS:
        chosen = [one for one, own in zip(decided, split, strict=True) if own == part]
        for one in chosen:
            done.first = min(done.first or one.alert.first_seen_at, one.alert.first_seen_at)
            done.last = max(done.last or one.alert.first_seen_at, one.alert.first_seen_at)
        for kind, rows_of in KINDS.items():
            name = f"{kind}_{part}.jsonl"
            rows = (row for one in chosen for row in rows_of(one.said))
            written = list(_clean(rows, done))
            done.rows[name] = len(written)
            files[name] = b"".join(line + b"\n" for line in written)
    return files


def _clean(rows: Iterable[dict[str, Any]], done: Exported) -> Iterator[bytes]:
    for row in rows:
        texts = [message["content"] for message in row["messages"]]
        texts += [row[name]["content"] for name in ("chosen", "rejected") if name in row]
        if any(training_rows.has_secret(text) for text in texts):
            done.left_out["rows in which a credential was found at the end"] += 1
            continue
        yield orjson.dumps(row)


def _dataset_info(done: Exported) -> bytes:
    """Return LLaMA-Factory's description of the files (its ``data/README.md``: sharegpt with role tags)."""
    info: dict[str, Any] = {}
    for name in done.rows:
        kind = name.partition("_")[0]
        columns = {"messages": "messages"}
        columns |= {"chosen": "chosen", "rejected": "rejected"} if kind == "pairs" else {}
        columns |= {"kto_tag": "kto_tag"} if kind == "kto" else {}
        entry: dict[str, Any] = {"file_name": name, "formatting": "sharegpt", "columns": columns, "tags": _TAGS}
        info[f"winnow_{name.removesuffix('.jsonl')}"] = entry | ({"ranking": True} if kind == "pairs" else {})
    return orjson.dumps(info, option=orjson.OPT_INDENT_2)


def _card(done: Exported) -> str:
    """Return the data set's card."""
    assert done.first is not None
    assert done.last is not None

    today = dt.datetime.now(dt.UTC).date().isoformat()

    def table(counted: Iterable[tuple[str, int]]) -> list[str]:
        return [f"| {name} | {n:,} |" for name, n in counted] or ["| none | 0 |"]

    lines = [
        "# Explanations of security alerts, with what analysts decided",
        "",
        f"Made by Winnow on {today} from alerts of {done.first:%Y-%m-%d} to {done.last:%Y-%m-%d}.",
        "Licence and allowed uses: to be filled in by the owner of the logs.",
        "",
        "| file | rows |", "|---|---|", *table(done.rows.items()), "",
        "| decision | alerts |", "|---|---|", *table(sorted(done.verdicts.items())), "",
        "| model that answered | answers |", "|---|---|", *table(sorted(done.models.items())), "",
        "| left out | number |", "|---|---|", *table((k, n) for k, n in sorted(done.left_out.items()) if n), "",
        *_NOTES, "",
        "| file | sha256 |", "|---|---|", *[f"| {name} | {value} |" for name, value in sorted(done.sha256.items())], "",
    ]  # fmt: skip
    return "\n".join(lines)


def _why_nothing(done: Exported) -> str:
    told = "; ".join(f"{n:,} {why}" for why, n in sorted(done.left_out.items()) if n)
    return told or "no alert was decided by a person yet"

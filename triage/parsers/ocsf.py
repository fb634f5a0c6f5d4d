"""OCSF events, any class of versions 1.0 to 1.5.

Handed: an object with a numeric ``class_uid`` and its metadata. Hands on: actor, user, device, endpoints, process,
file, request, query, API call and finding in ECS terms; the rest under ``ocsf.``. Format: Open Cybersecurity Schema
Framework, schema.ocsf.io.
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, as_number, put, summarise
from triage.parsers.ocsf_classes import ACTIVITIES, CATEGORIES, ROWS
from triage.parsers.web_access import read_target

_LEVELS = {1: "info", 2: "notice", 3: "warning", 4: "error", 5: "critical", 6: "critical"}
_ACCOUNT_CLASSES = frozenset({3001, 3005, 3006})
_LOGIN_CLASSES = frozenset({3002, 3003})
_FINDINGS = frozenset({2001, 2002, 2003, 2004, 2005, 2006, 2007})
_PROCESS = 1007


class Ocsf(DocumentParser):
    """Open Cybersecurity Schema Framework."""

    name = "ocsf"
    layout = Layout(
        prefix="ocsf.",
        times=("time", "time_dt", "metadata.original_time", "start_time", "finding_info.created_time"),
        constant=(("event.module", "ocsf"),),
        rows=ROWS,
        bulky=frozenset({"unmapped", "observables", "enrichments", "raw_data", "evidences", "resources"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if as_number(content.get("class_uid")) is None:
            return 0
        return 95 if not {"metadata", "type_uid", "activity_id", "category_uid"}.isdisjoint(content) else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        uid = as_number(content["class_uid"]) or 0
        fields["event.dataset"] = f"ocsf.{_word(content.get('class_name')) or uid}"
        fields["event.category"] = CATEGORIES.get(uid) or CATEGORIES.get(uid // 1000, "host")
        if uid in _FINDINGS:
            fields["event.kind"] = "alert"
        _add_action(uid, content, fields)
        _add_outcome(content, fields)
        _settle_users(uid, fields)
        _settle_process(uid, fields)
        level = _LEVELS.get(as_number(content.get("severity_id")) or 0)
        if level:
            fields["log.level"] = level
        for name in ("network.transport", "cloud.provider"):
            word = fields.get(name)
            if type(word) is str:
                fields[name] = word.lower()
        target = fields.get("url.original")
        if type(target) is str and "url.path" not in fields:
            read_target(target, fields)
        told = content.get("message")
        if "host.name" not in fields and uid in _LOGIN_CLASSES and "destination.domain" in fields:
            fields["host.name"] = fields["destination.domain"]
        return told if type(told) is str and told else summarise(fields, "user.target.name", "destination.domain")


def _word(value: Any) -> str:
    return value.lower().replace(" ", "_")[:64] if type(value) is str else ""


def _add_action(uid: int, content: dict[str, Any], fields: Fields) -> None:
    """The called operation, else the activity by name, else what its number stands for."""
    if "event.action" in fields:
        return
    name = content.get("activity_name")
    kind = content.get("type_name")
    if type(name) is str and name not in ("", "Unknown", "Other"):
        fields["event.action"] = name
    elif type(kind) is str and ": " in kind:
        fields["event.action"] = kind.rpartition(": ")[2]
    else:
        activity = as_number(content.get("activity_id"))
        known = ACTIVITIES.get(uid, {}).get(activity or 0)
        if known:
            fields["event.action"] = known


def _add_outcome(content: dict[str, Any], fields: Fields) -> None:
    """``status_id`` 1 is success and 2 failure; ``action_id`` 2 and some dispositions mean it was stopped."""
    status = as_number(content.get("status_id"))
    word = content.get("status")
    if status in (1, 2):
        fields["event.outcome"] = "success" if status == 1 else "failure"
    elif word in ("Success", "Failure"):
        fields["event.outcome"] = "success" if word == "Success" else "failure"
    elif as_number(content.get("action_id")) == 2 or as_number(content.get("disposition_id")) == 2:
        fields["event.outcome"] = "failure"
    if fields.get("event.outcome") == "success" and "error.code" in fields:
        fields["ocsf.status_code"] = fields.pop("error.code")
    code = fields.get("http.response.status_code")
    if "event.outcome" not in fields and type(code) is int:
        fields["event.outcome"] = "success" if code < 400 else "failure"


def _settle_users(uid: int, fields: Fields) -> None:
    """``user`` is who a login is for, but whom an account change is made to; ``actor.user`` did it."""
    for part in ("name", "id", "email", "domain"):
        actor, user = fields.pop("ocsf.by." + part, None), fields.pop("ocsf.who." + part, None)
        if uid in _ACCOUNT_CLASSES:
            told = ((actor, "user."), (user, "user.target."))
        elif uid in _LOGIN_CLASSES:
            told = (
                (user if user is not None else actor, "user."),
                (actor if user is not None else None, "user.effective."),
            )
        else:
            told = (
                (actor if actor is not None else user, "user."),
                (user if actor is not None else None, "user.target."),
            )
        for value, prefix in told:
            if value is not None and value != fields.get("user." + part):
                fields[prefix + part] = value


def _settle_process(uid: int, fields: Fields) -> None:
    """The process of a process event is its subject and the actor's its parent; elsewhere the actor's did it."""
    for part in ("name", "pid", "command_line", "executable"):
        actor = fields.pop("ocsf.actor_process." + part, None)
        if actor is None:
            continue
        subject = "process.parent." if uid == _PROCESS else "process."
        if subject + part not in fields:
            put(fields, subject + part, actor)

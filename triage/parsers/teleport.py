"""Teleport audit events.

Handed: an object with ``event``, a ``code`` like ``T1000W`` and ``time``. Hands on: user, session, node and outcome in
ECS terms; the rest under ``teleport.``. Format: Teleport documentation, "Audit Events"; the last letter of a code is
I (information), W (warning) or E (error).
"""

import re
from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, summarise

_CODE = re.compile(r"T[A-Z]{0,6}\d{3,4}[IWED]\Z")
_LEVELS = {"I": "info", "W": "warning", "E": "error", "D": "debug"}
_CATEGORIES = (
    (("user.login", "auth", "mfa_auth", "device.authenticate"), "authentication"),
    (("user.", "role.", "bot.", "access_list.", "saml.", "oidc.", "github.", "join_token."), "iam"),
    (("session.command", "exec", "session.disk"), "process"),
    (("session.network", "port"), "network"),
    (("db.",), "database"),
    (("scp.", "sftp"), "file"),
    (("session.",), "session"),
    (("kube.",), "api"),
)


class Teleport(DocumentParser):
    """Audit log events."""

    name = "teleport"
    layout = Layout(
        prefix="teleport.",
        times=("time",),
        constant=(("event.module", "teleport"), ("event.dataset", "teleport.audit"), ("event.provider", "teleport")),
        rows=(
            ("event.action", ("event",)),
            ("event.code", ("code",)),
            ("event.id", ("uid",)),
            ("user.name", ("user",)),
            ("user.effective.name", ("login",)),
            ("source.ip", ("addr.remote", "src_addr")),
            ("destination.ip", ("addr.local", "dst_addr")),
            ("destination.port", ("dst_port",)),
            ("host.name", ("server_hostname",)),
            ("host.id", ("server_id",)),
            ("process.name", ("program",)),
            ("process.pid", ("pid",)),
            ("process.command_line", ("command", "exec.command")),
            ("process.exit_code", ("exitCode",)),
            ("file.path", ("path",)),
            ("error.message", ("error", "exitError")),
            ("user_agent.original", ("user_agent",)),
            ("orchestrator.cluster.name", ("cluster_name",)),
        ),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        code = content.get("code")
        if type(code) is not str or type(content.get("event")) is not str or _CODE.match(code) is None:
            return 0
        return 95 if "time" in content and not {"ei", "uid", "cluster_name"}.isdisjoint(content) else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        action = str(fields.get("event.action", ""))
        fields["event.category"] = next(
            (known for starts, known in _CATEGORIES if action.startswith(starts)), "session"
        )
        code = str(content["code"])
        fields["log.level"] = _LEVELS[code[-1]]
        success = content.get("success")
        if type(success) is bool:
            fields["event.outcome"] = "success" if success else "failure"
        elif code[-1] == "E" or fields.get("error.message"):
            fields["event.outcome"] = "failure"
        return summarise(fields, "process.command_line")

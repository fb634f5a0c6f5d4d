"""HashiCorp Vault (and OpenBao) audit entries.

Handed: an object with ``type`` request or response, ``auth`` and ``request``. Hands on: who asked which path for
what, from where, and how it ended, in ECS terms; the rest under ``hashicorp_vault.audit.``. Format: Vault
documentation, "Audit devices". Secrets in it are hashed by Vault.
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, summarise


class Vault(DocumentParser):
    """Audit device entries."""

    name = "vault"
    layout = Layout(
        prefix="hashicorp_vault.audit.",
        times=("time",),
        constant=(("event.module", "hashicorp_vault"), ("event.dataset", "hashicorp_vault.audit")),
        rows=(
            ("event.action", ("request.operation",)),
            ("event.id", ("request.id",)),
            ("user.name", ("auth.metadata.username", "auth.display_name", "request.data.username")),
            ("user.id", ("auth.entity_id",)),
            ("source.ip", ("request.remote_address",)),
            ("source.port", ("request.remote_port",)),
            ("url.path", ("request.path",)),
            ("user_agent.original", ("request.headers.user-agent",)),
            ("error.message", ("error", "response.data.error")),
        ),
        bulky=frozenset({"response"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        request = content.get("request")
        if content.get("type") not in ("request", "response") or not isinstance(request, dict):
            return 0
        return 95 if "operation" in request and "path" in request else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        path = fields.get("url.path")
        login = type(path) is str and path.startswith("auth/") and "login" in path
        fields["event.category"] = "authentication" if login else "api"
        fields["event.kind"] = "event"
        if fields.get("error.message"):
            fields["event.outcome"] = "failure"
        elif content["type"] == "response":
            fields["event.outcome"] = "success"
        return summarise(fields, "url.path")

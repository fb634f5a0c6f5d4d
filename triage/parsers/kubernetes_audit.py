"""Kubernetes API server audit events.

Handed: an object of kind ``Event`` of the audit API (or one with its telling keys). Hands on: who asked the API for
what, from where, and the answer, in ECS terms; the rest under ``kubernetes.audit.``. Format: Kubernetes reference,
"kube-apiserver Audit Configuration (v1)".
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, summarise
from triage.parsers.web_access import read_target


class KubernetesAudit(DocumentParser):
    """Audit events, one by one; an ``EventList`` is cut into them before."""

    name = "kubernetes_audit"
    layout = Layout(
        prefix="kubernetes.audit.",
        times=("requestReceivedTimestamp", "stageTimestamp", "timestamp", "metadata.creationTimestamp"),
        constant=(
            ("event.module", "kubernetes"),
            ("event.dataset", "kubernetes.audit_logs"),
            ("event.category", "api"),
            ("orchestrator.type", "kubernetes"),
        ),
        rows=(
            ("event.action", ("verb",)),
            ("event.id", ("auditID",)),
            ("user.name", ("user.username",)),
            ("user.id", ("user.uid",)),
            ("user.group.name", ("user.groups",)),
            ("user.effective.name", ("impersonatedUser.username",)),
            ("source.ip", ("sourceIPs",)),
            ("user_agent.original", ("userAgent",)),
            ("url.original", ("requestURI",)),
            ("http.response.status_code", ("responseStatus.code",)),
            ("error.message", ("responseStatus.message",)),
            ("error.code", ("responseStatus.reason",)),
            ("orchestrator.resource.type", ("objectRef.resource",)),
            ("orchestrator.resource.name", ("objectRef.name",)),
            ("orchestrator.namespace", ("objectRef.namespace",)),
            ("orchestrator.api_version", ("objectRef.apiVersion",)),
        ),
        bulky=frozenset({"requestObject", "responseObject"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if "auditID" not in content and "stage" not in content:
            return 0
        version = content.get("apiVersion")
        if content.get("kind") == "Event" and isinstance(version, str) and version.startswith("audit.k8s.io/"):
            return 97
        return 92 if "verb" in content and ("requestURI" in content or "objectRef" in content) else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        target = fields.get("url.original")
        if type(target) is str:
            read_target(target, fields)
        _add_outcome(content, fields)
        return summarise(fields, "orchestrator.resource.type", "orchestrator.namespace", "orchestrator.resource.name")


def _add_outcome(content: dict[str, Any], fields: Fields) -> None:
    status = fields.get("http.response.status_code")
    notes = content.get("annotations")
    forbidden = isinstance(notes, dict) and notes.get("authorization.k8s.io/decision") == "forbid"
    if forbidden or (type(status) is int and status >= 400):
        fields["event.outcome"] = "failure"
    elif type(status) is int:
        fields["event.outcome"] = "success"

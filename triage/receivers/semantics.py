"""What attributes and labels of other worlds are called in ECS.

Handed: attribute names by the OpenTelemetry semantic conventions (1.27 and the older ones still sent), or Loki
labels, with their values. Hands on: values under ECS names, and the rest under their own. A value of a type that
its ECS field does not take stays under its own name. Severity: OpenTelemetry logs data model, "SeverityNumber".
"""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

#: Names that both worlds share.
SAME = (
    "client.port", "cloud.account.id", "cloud.availability_zone", "cloud.provider", "cloud.region",
    "container.id", "container.image.name", "container.name", "container.runtime", "destination.port",
    "dns.question.name", "error.message", "error.type", "event.action", "event.category", "event.code", "event.outcome",
    "file.directory", "file.extension", "file.name", "file.path", "file.size", "host.id", "host.ip", "host.mac",
    "host.name", "host.type", "http.request.method", "http.response.status_code", "log.file.name", "log.file.path",
    "log.level", "network.transport", "network.type", "process.command_line", "process.pid", "process.title",
    "process.working_directory", "server.port", "service.name", "service.version", "source.port", "tls.cipher",
    "tls.server.ja3s", "tls.client.ja3", "tls.client.server_name", "url.domain", "url.fragment", "url.full",
    "url.original", "url.path", "url.port", "url.query", "url.scheme", "user.domain", "user.email", "user.full_name",
    "user.hash", "user.id", "user.name", "user.roles", "user_agent.name", "user_agent.original", "user_agent.version",
)  # fmt: skip
#: OpenTelemetry's name -> ECS.
ATTRIBUTES: dict[str, str] = {
    **{name: name for name in SAME},
    "code.file.path": "log.origin.file.name",
    "code.filepath": "log.origin.file.name",
    "code.function": "log.origin.function",
    "code.function.name": "log.origin.function",
    "code.line.number": "log.origin.file.line",
    "code.lineno": "log.origin.file.line",
    "container.image.tags": "container.image.tag",
    "deployment.environment": "service.environment",
    "deployment.environment.name": "service.environment",
    "enduser.id": "user.id",
    "event.name": "event.action",
    "exception.message": "error.message",
    "exception.stacktrace": "error.stack_trace",
    "exception.type": "error.type",
    "host.arch": "host.architecture",
    "http.method": "http.request.method",
    "http.request.body.size": "http.request.body.bytes",
    "http.response.body.size": "http.response.body.bytes",
    "http.scheme": "url.scheme",
    "http.status_code": "http.response.status_code",
    "http.target": "url.original",
    "http.url": "url.full",
    "http.user_agent": "user_agent.original",
    "k8s.cluster.name": "orchestrator.cluster.name",
    "k8s.namespace.name": "orchestrator.namespace",
    "k8s.pod.name": "orchestrator.resource.name",
    "log.record.original": "event.original",
    "log.record.uid": "event.id",
    "net.peer.port": "source.port",
    "network.peer.port": "source.port",
    "network.protocol.name": "network.protocol",
    "os.description": "host.os.full",
    "os.name": "host.os.name",
    "os.type": "host.os.type",
    "os.version": "host.os.version",
    "process.command_args": "process.args",
    "process.executable.name": "process.name",
    "process.executable.path": "process.executable",
    "process.owner": "user.name",
    "process.parent_pid": "process.parent.pid",
    "service.instance.id": "service.node.name",
    "thread.id": "process.thread.id",
    "thread.name": "process.thread.name",
}
#: An address is an IP or a name: (ECS field of an IP, ECS field of a name). The party that asks is the source.
ADDRESSES: dict[str, tuple[str, str]] = {
    "client.address": ("source.ip", "source.domain"),
    "source.address": ("source.ip", "source.domain"),
    "http.client_ip": ("source.ip", "source.domain"),
    "network.peer.address": ("source.ip", "source.domain"),
    "net.peer.ip": ("source.ip", "source.domain"),
    "net.sock.peer.addr": ("source.ip", "source.domain"),
    "destination.address": ("destination.ip", "destination.domain"),
    "server.address": ("destination.ip", "destination.domain"),
}
#: Loki's labels and the metadata that its agents attach -> ECS. Several may name the same; the first one counts.
LABELS: dict[str, str] = {
    "host": "host.name",
    "hostname": "host.name",
    "host_name": "host.name",
    "nodename": "host.name",
    "node_name": "host.name",
    "computer": "host.name",
    "filename": "log.file.path",
    "level": "log.level",
    "detected_level": "log.level",
    "severity": "log.level",
    "severity_text": "log.level",
    "service_name": "service.name",
    "service_version": "service.version",
    "container": "container.name",
    "container_name": "container.name",
    "container_id": "container.id",
    "namespace": "orchestrator.namespace",
    "k8s_namespace_name": "orchestrator.namespace",
    "pod": "orchestrator.resource.name",
    "k8s_pod_name": "orchestrator.resource.name",
    "cluster": "orchestrator.cluster.name",
    "k8s_cluster_name": "orchestrator.cluster.name",
    "trace_id": "trace.id",
    "traceID": "trace.id",
    "span_id": "span.id",
    "syslog_identifier": "process.name",
}
_NUMBERS = frozenset(
    {
        "client.port", "destination.port", "file.size", "http.request.body.bytes", "http.response.body.bytes",
        "http.response.status_code", "log.origin.file.line", "process.parent.pid", "process.pid", "process.thread.id",
        "server.port", "source.port", "url.port",
    }
)  # fmt: skip
_LISTS = frozenset({"container.image.tag", "host.ip", "host.mac", "process.args", "user.roles", "event.category"})
#: SeverityNumber 1 to 24, four of each, in the words of the other parsers.
LEVELS = ("trace", "debug", "info", "warning", "error", "critical")
_WORDS = {"warn": "warning", "fatal": "critical", "err": "error", "information": "info", "crit": "critical"}


def level_of(number: int, text: str) -> str:
    """Return the log level of a severity number, else of its text.

    >>> level_of(17, ""), level_of(0, "Warn"), level_of(99, "")
    ('error', 'warning', '')
    """
    return LEVELS[(number - 1) // 4] if 1 <= number <= 24 else level_word(text)


def level_word(text: str) -> str:
    """Return a level in lower case and in one spelling."""
    word = text[:32].lower()
    return _WORDS.get(word, word)


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """Return whether a short text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def split(attributes: Mapping[str, Any], ecs: dict[str, Any], rest: dict[str, Any]) -> None:
    """Add OpenTelemetry attributes to the fields with an ECS name and to those without."""
    for name, value in attributes.items():
        target = ATTRIBUTES.get(name)
        if target is not None and _fits(target, value):
            ecs[target] = value
        elif name in ADDRESSES and type(value) is str and len(value) <= 255:
            ecs[ADDRESSES[name][0 if is_address(value) else 1]] = value
        elif value is not None:
            rest[name] = value


def split_labels(labels: Mapping[str, str], ecs: dict[str, Any], rest: dict[str, Any]) -> None:
    """Add Loki labels or structured metadata in the same way."""
    for name, value in labels.items():
        target = LABELS.get(name)
        if target is None or not value or target in ecs:
            rest[name] = value
        else:
            ecs[target] = level_word(value) if target == "log.level" else value


def _fits(target: str, value: Any) -> bool:
    kind = type(value)
    if target in _NUMBERS:
        return kind is int
    return kind is str or (kind is list and target in _LISTS)

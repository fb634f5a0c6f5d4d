"""What Elasticsearch clients ask before they send, and the answers that make them send.

Handed: the method, the path's segments and the request. Hands on: ``(status, value)``, or ``None`` for what is not
served. Nothing is kept: templates, policies, pipelines and aliases are acknowledged and forgotten, and a question
for one by name is answered "not found", so that a client installs it and goes on. Who asks what: Beats
(``libbeat/idxmgmt``, ``libbeat/template``), Logstash (``http_client.rb``), Vector, Fluentd and the official clients.
"""

import re
from typing import Any

from triage.intake.http import Request

Answer = tuple[int, Any]
Path = tuple[str, ...]

CLUSTER_NAME = "winnow"
CLUSTER_UUID = "d2lubm93LWludGFrZQ0000"
#: What Beats and Logstash accept: a release of 8; a newer Beat is told its own version, or it would refuse.
VERSION = (8, 19, 0)
OPENSEARCH_VERSION = "2.19.0"
#: Two Logstash plug-ins name only their HTTP library; this version and a distribution satisfy both.
UNDECIDED_VERSION = "7.17.28"
_BEAT = re.compile(r"^Elastic-[A-Za-z]{1,32}/(\d{1,3})\.(\d{1,3})\.(\d{1,3})\b")
_BUILD = {
    "build_type": "docker",
    "build_hash": "0000000000000000000000000000000000000000",
    "build_date": "2025-01-01T00:00:00.000000000Z",
    "build_snapshot": False,
    "lucene_version": "9.12.1",
}
LICENSE = {
    "status": "active",
    "uid": "00000000-0000-0000-0000-000000000000",
    "type": "basic",
    "issue_date": "2025-01-01T00:00:00.000Z",
    "issue_date_in_millis": 1_735_689_600_000,
    "max_nodes": 1_000,
    "max_resource_units": None,
    "issued_to": CLUSTER_NAME,
    "issuer": CLUSTER_NAME,
    "start_date_in_millis": -1,
}
XPACK = {
    "build": {"hash": _BUILD["build_hash"], "date": _BUILD["build_date"]},
    "license": {"uid": LICENSE["uid"], "type": "basic", "mode": "basic", "status": "active"},
    "features": {
        "ilm": {"available": True, "enabled": True},
        "data_streams": {"available": True, "enabled": True},
        "security": {"available": True, "enabled": True},
        "monitoring": {"available": False, "enabled": False},
    },
    "tagline": "You know, for X",
}
HEALTH = {
    "cluster_name": CLUSTER_NAME,
    "status": "green",
    "timed_out": False,
    "number_of_nodes": 1,
    "number_of_data_nodes": 1,
    "active_primary_shards": 1,
    "active_shards": 1,
    "relocating_shards": 0,
    "initializing_shards": 0,
    "unassigned_shards": 0,
    "delayed_unassigned_shards": 0,
    "number_of_pending_tasks": 0,
    "number_of_in_flight_fetch": 0,
    "task_max_waiting_in_queue_millis": 0,
    "active_shards_percent_as_number": 100.0,
}
#: There are no nodes to go to: a client that looks for them stays with the address it was given.
NODES = {"_nodes": {"total": 0, "successful": 0, "failed": 0}, "cluster_name": CLUSTER_NAME, "nodes": {}}
STATS = {
    "_nodes": {"total": 1, "successful": 1, "failed": 0},
    "cluster_name": CLUSTER_NAME,
    "cluster_uuid": CLUSTER_UUID,
    "status": "green",
    "indices": {"count": 0},
    "nodes": {"count": {"total": 1}},
}
FIXED: dict[Path, Any] = {
    ("_license",): {"license": LICENSE},
    ("_xpack", "license"): {"license": LICENSE},
    ("_xpack",): XPACK,
    ("_cluster", "health"): HEALTH,
    ("_cluster", "settings"): {"persistent": {}, "transient": {}},
    ("_cluster", "stats"): STATS,
    ("_ilm", "status"): {"operation_mode": "RUNNING"},
}
#: What clients install, and the list of it.
INSTALLED: dict[Path, Any] = {
    ("_index_template",): {"index_templates": []},
    ("_component_template",): {"component_templates": []},
    ("_template",): {},
    ("_ingest", "pipeline"): {},
    ("_data_stream",): {"data_streams": []},
    ("_ilm", "policy"): {},
    ("_alias",): {},
    ("_aliases",): {},
    ("_logstash", "pipeline"): {},
    ("_plugins", "_ism", "policies"): {"policies": [], "total_policies": 0},
    ("_opendistro", "_ism", "policies"): {"policies": [], "total_policies": 0},
}
#: What may be set on an index.
OF_AN_INDEX = frozenset({"_settings", "_mapping", "_mappings", "_alias", "_aliases"})
ACKNOWLEDGED = {"acknowledged": True}


def answer(method: str, path: Path, request: Request) -> Answer | None:
    """Return the answer to a request that is neither a bulk nor a document, ``None`` when there is none."""
    if method in ("GET", "HEAD"):
        return _read(path, request)
    if method in ("PUT", "POST"):
        return _install(method, path)
    return None


def _read(path: Path, request: Request) -> Answer | None:
    if not path:
        return 200, info(request.header(b"user-agent"))
    if path in FIXED:
        return 200, FIXED[path]
    if path[:2] == ("_cluster", "health"):
        return 200, HEALTH
    if path[0] == "_nodes":
        return 200, NODES
    if path in INSTALLED:
        return 200, INSTALLED[path]
    if path == ("_security", "_authenticate"):
        return 200, _identity(request)
    return None


def _install(method: str, path: Path) -> Answer | None:
    if path == ("_aliases",) and method == "POST":
        return 200, {"acknowledged": True, "errors": False}
    name = next((path[len(kind) :] for kind in INSTALLED if path[: len(kind)] == kind), ())
    if name and not any(part.startswith("_") and part != "_lifecycle" for part in name):
        return 200, ACKNOWLEDGED
    if not path or path[0].startswith("_") or method != "PUT":
        return None
    if len(path) == 1:
        return 200, {"acknowledged": True, "shards_acknowledged": True, "index": path[0]}
    return (200, ACKNOWLEDGED) if path[1] in OF_AN_INDEX else None


def _identity(request: Request) -> dict[str, Any]:
    """Return who the token stands for, as a user of Elasticsearch."""
    realm = {"name": "winnow", "type": "winnow"}
    return {
        "username": request.source.name if request.source else "",
        "roles": ["winnow_intake"],
        "full_name": None,
        "email": None,
        "metadata": {},
        "enabled": True,
        "authentication_realm": realm,
        "lookup_realm": realm,
        "authentication_type": "token",
    }


def info(user_agent: str) -> dict[str, Any]:
    """Return the cluster's name and version, as the kind of client that asks needs them."""
    tagline = "You Know, for Search"
    if "opensearch" in user_agent.lower():
        tagline = "The OpenSearch Project: https://opensearch.org/"
        version = {"distribution": "opensearch", "number": OPENSEARCH_VERSION, **_wire("7.10.0", "7.0.0")}
    elif user_agent.startswith("Manticore"):
        number = {"number": UNDECIDED_VERSION, "build_flavor": "default", "distribution": "opensearch"}
        version = {**number, **_wire("6.8.0", "6.0.0-beta1")}
    else:
        version = {"number": _version_for(user_agent), "build_flavor": "default", **_wire("7.17.0", "7.0.0")}
    return {
        "name": CLUSTER_NAME,
        "cluster_name": CLUSTER_NAME,
        "cluster_uuid": CLUSTER_UUID,
        "version": version,
        "tagline": tagline,
    }


def _wire(wire: str, index: str) -> dict[str, Any]:
    return {**_BUILD, "minimum_wire_compatibility_version": wire, "minimum_index_compatibility_version": index}


def _version_for(user_agent: str) -> str:
    """Return the version; a Beat refuses a cluster that is older than itself."""
    found = _BEAT.match(user_agent)
    own = tuple(int(part) for part in found.groups()) if found else VERSION
    return ".".join(str(part) for part in max(own, VERSION))

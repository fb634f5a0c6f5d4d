"""What clients ask before they send, and that nothing they set up is taken for data."""

import pytest

from triage.intake import elastic
from triage.models import RawBatch


@pytest.fixture
def ask(intake):
    def send(method, path, body=b"", **headers):
        headers = {"authorization": f"Bearer {intake.token}", **{n.replace("_", "-"): v for n, v in headers.items()}}
        answer = intake.send(method, "/elastic" + path, [body], headers)
        assert answer.headers[b"x-elastic-product"] == b"Elasticsearch"
        assert intake.body_reads == 0
        return answer

    yield send
    assert RawBatch.objects.count() == 0


@pytest.mark.parametrize("path", ["", "/", "//"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_cluster_names_itself(ask, method, path):
    answer = ask(method, path)
    assert answer.status == 200
    if method == "HEAD":
        assert answer.body == b""
        return
    assert answer.json["version"]["number"] == "8.19.0"
    assert answer.json["version"]["build_flavor"] == "default"
    assert answer.json["tagline"] == "You Know, for Search"
    assert answer.json["cluster_name"] == "winnow"
    assert len(answer.json["cluster_uuid"]) == 22


@pytest.mark.parametrize(
    ("user_agent", "number", "distribution"),
    [
        ("Elastic-Filebeat/8.4.0 (linux; amd64; abc; 2022-08-19)", "8.19.0", None),
        ("Elastic-Winlogbeat/9.2.1 (windows; amd64)", "9.2.1", None),
        ("Elastic-Filebeat/99999.1.1", "8.19.0", None),
        ("elasticsearch-py/9.5.1 (Python/3.11)", "8.19.0", None),
        ("logstash/8.12.0 (OS=Linux) logstash-output-elasticsearch/11.22.2", "8.19.0", None),
        ("opensearch-py/3.2.0 (Python 3.11)", "2.19.0", "opensearch"),
        ("fluent-plugin-opensearch/1.1.5", "2.19.0", "opensearch"),
        ("Manticore 0.9.1", "7.17.28", "opensearch"),
    ],
)
def test_the_version_is_one_the_client_accepts(ask, user_agent, number, distribution):
    version = ask("GET", "/", user_agent=user_agent).json["version"]
    assert (version["number"], version.get("distribution")) == (number, distribution)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/_license?human=false", {"license": {"status": "active", "type": "basic"}}),
        ("/_xpack/license", {"license": {"status": "active"}}),
        ("/_xpack", {"features": {"ilm": {"available": True, "enabled": True}}}),
        ("/_cluster/health", {"status": "green", "timed_out": False}),
        ("/_cluster/health/my-index?wait_for_status=yellow", {"status": "green"}),
        ("/_cluster/settings", {"persistent": {}, "transient": {}}),
        ("/_cluster/stats", {"cluster_name": "winnow"}),
        ("/_nodes/http", {"nodes": {}}),
        ("/_nodes", {"nodes": {}}),
        ("/_nodes/_all/http", {"nodes": {}}),
        ("/_security/_authenticate", {"username": "edge", "enabled": True}),
        ("/_ilm/status", {"operation_mode": "RUNNING"}),
        ("/_ilm/policy", {}),
        ("/_index_template", {"index_templates": []}),
        ("/_component_template", {"component_templates": []}),
        ("/_data_stream", {"data_streams": []}),
        ("/_template", {}),
        ("/_ingest/pipeline", {}),
        ("/_alias", {}),
        ("/_cluster/health?filter_path=status", {"status": "green"}),
        ("/?filter_path=version.number", {"version": {"number": "8.19.0"}}),
    ],
)
def test_what_is_read(ask, path, part):
    def holds(value, wanted):
        if isinstance(wanted, dict) and wanted:
            return all(name in value and holds(value[name], inner) for name, inner in wanted.items())
        return value == wanted

    answer = ask("GET", path)
    assert answer.status == 200
    assert answer.headers[b"content-type"] == b"application/json"
    assert holds(answer.json, part)
    if "filter_path" in path:
        assert answer.json == part
    assert (ask("HEAD", path).status, ask("HEAD", path).body) == (200, b"")


NAMED = [
    "/_index_template/filebeat-8",
    "/_component_template/logs-settings",
    "/_template/logstash",
    "/_ilm/policy/filebeat",
    "/_ingest/pipeline/filebeat-8.12.0-system-auth-pipeline",
    "/_data_stream/logs-x-y",
    "/_alias/a",
    "/_plugins/_ism/policies/p",
]


@pytest.mark.parametrize("path", NAMED)
def test_what_is_set_up_is_acknowledged_and_forgotten(ask, path):
    for _ in range(2):
        assert ask("HEAD", path).status == 404
        missing = ask("GET", path)
        assert (missing.status, missing.json["error"]["type"]) == (404, "resource_not_found_exception")
        done = ask("PUT", path, b'{"index_patterns":["x"]}')
        assert (done.status, done.json) == (200, {"acknowledged": True})


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PUT", "/logs-000001", {"acknowledged": True, "shards_acknowledged": True, "index": "logs-000001"}),
        (
            "PUT",
            "/<logs-{now/d}-000001>",
            {"acknowledged": True, "shards_acknowledged": True, "index": "<logs-{now/d}-000001>"},
        ),
        ("PUT", "/i/_settings", {"acknowledged": True}),
        ("PUT", "/i/_mapping", {"acknowledged": True}),
        ("PUT", "/i/_alias/a", {"acknowledged": True}),
        ("PUT", "/_data_stream/d/_lifecycle", {"acknowledged": True}),
        ("POST", "/_aliases", {"acknowledged": True, "errors": False}),
    ],
)
def test_indices_and_aliases_are_acknowledged(ask, method, path, expected):
    answer = ask(method, path, b"{}")
    assert (answer.status, answer.json) == (200, expected)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/my-index", 404, "index_not_found_exception"),
        ("HEAD", "/my-index", 404, None),
        ("GET", "/my-index/_mapping", 404, "index_not_found_exception"),
        ("GET", "/_anything/else", 404, "resource_not_found_exception"),
        ("GET", "/_search", 404, "resource_not_found_exception"),
        ("DELETE", "/my-index", 404, "index_not_found_exception"),
        ("DELETE", "/_index_template/x", 404, "resource_not_found_exception"),
        ("POST", "/_search", 400, "illegal_argument_exception"),
        ("POST", "/my-index/_search", 400, "illegal_argument_exception"),
        ("POST", "/my-index/type/_search", 400, "illegal_argument_exception"),
        ("POST", "/_msearch", 400, "illegal_argument_exception"),
        ("POST", "/_count", 400, "illegal_argument_exception"),
        ("POST", "/_refresh", 400, "illegal_argument_exception"),
        ("POST", "/i/_refresh", 400, "illegal_argument_exception"),
        ("POST", "/i/_update/1", 400, "illegal_argument_exception"),
        ("POST", "/_monitoring/bulk", 400, "illegal_argument_exception"),
        ("POST", "/_index_template/_simulate", 400, "illegal_argument_exception"),
        ("POST", "/_ingest/pipeline/x/_simulate", 400, "illegal_argument_exception"),
        ("POST", "/", 400, "illegal_argument_exception"),
        ("POST", "/i", 400, "illegal_argument_exception"),
        ("PUT", "/_cluster/settings", 400, "illegal_argument_exception"),
        ("PUT", "/i/_doc", 400, "illegal_argument_exception"),
        ("POST", "/i/_create", 400, "illegal_argument_exception"),
        ("POST", "/a/b/c/_bulk", 400, "illegal_argument_exception"),
        ("OPTIONS", "/_bulk", 405, "method_not_allowed_exception"),
        ("GET", "/_bulk", 405, "method_not_allowed_exception"),
        ("DELETE", "/i/_bulk", 405, "method_not_allowed_exception"),
    ],
)
def test_what_is_not_served_is_refused_in_form(ask, method, path, status, kind):
    answer = ask(method, path, b"{}")
    assert answer.status == status
    if kind:
        assert (answer.json["status"], answer.json["error"]["type"]) == (status, kind)
        assert isinstance(answer.json["error"]["reason"], str)
    else:
        assert answer.body == b""


def test_documents_cannot_be_read_back(ask):
    missing = ask("GET", "/i/_doc/1")
    assert (missing.status, missing.json) == (404, {"_index": "i", "_id": "1", "found": False})
    deleted = ask("DELETE", "/i/_doc/1")
    assert (deleted.status, deleted.json) == (404, {"_index": "i", "_id": "1", "result": "not_found"})


def test_tables_are_empty(ask):
    text = ask("GET", "/_cat/indices?v", accept="text/plain, application/json")
    assert (text.status, text.body, text.headers[b"content-type"]) == (200, b"", b"text/plain; charset=UTF-8")
    assert ask("GET", "/_cat/indices?format=json").json == []
    assert ask("GET", "/_cat/nodes", accept="application/json").json == []


def test_pretty_is_for_people(ask):
    assert b'\n  "status": "green"' in ask("GET", "/_cluster/health?pretty").body
    assert b"\n" not in ask("GET", "/_cluster/health?pretty=false").body


def test_replies_have_the_type_the_client_speaks(ask):
    answer = ask("GET", "/", accept="application/vnd.elasticsearch+json;compatible-with=9")
    assert answer.headers[b"content-type"] == b"application/vnd.elasticsearch+json;compatible-with=9"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/elastic", ()),
        ("/elastic//a///b/", ("a", "b")),
        ("/elastic/<a-{now/d{yyyy/MM}}>/_bulk", ("<a-{now/d{yyyy/MM}}>", "_bulk")),
        ("/elastic/<a", ("<a",)),
    ],
)
def test_the_names_of_a_path(path, expected):
    assert elastic.segments(path) == expected
    assert len(elastic.segments("/elastic" + "/a" * 1_000)) <= elastic.MAX_SEGMENTS

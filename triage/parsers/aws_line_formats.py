"""The columns of AWS's text logs, and what each means in ECS terms.

Handed: the words of a line and the names of its columns, as AWS names them. Hands on: filled fields and the line's
time. Columns without an ECS name stay under the log's own prefix.
"""

from triage.contracts import Fields
from triage.parsers.layouts import as_number, put
from triage.parsers.web_access import add_status, read_target

Columns = tuple[str, ...]


def _columns(names: str) -> Columns:
    return tuple(names.split())


FLOW_V2: Columns = _columns("""
version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action
log-status
""")
ALB: Columns = _columns("""
type time elb client:port target:port request_processing_time target_processing_time response_processing_time
elb_status_code target_status_code received_bytes sent_bytes request user_agent ssl_cipher ssl_protocol
target_group_arn trace_id domain_name chosen_cert_arn matched_rule_priority request_creation_time
actions_executed redirect_url error_reason target:port_list target_status_code_list classification
classification_reason conn_trace_id
""")
NLB: Columns = _columns("""
type version time elb listener client:port target:port connection_time tls_handshake_time received_bytes
sent_bytes incoming_tls_alert chosen_cert_arn chosen_cert_serial tls_cipher tls_protocol_version
tls_named_group domain_name alpn_fe_protocol alpn_be_protocol alpn_client_preference_list
tls_connection_creation_time
""")
CLASSIC: Columns = _columns("""
time elb client:port target:port request_processing_time backend_processing_time response_processing_time
elb_status_code backend_status_code received_bytes sent_bytes request user_agent ssl_cipher ssl_protocol
""")
S3: Columns = _columns("""
bucket_owner bucket time remote_ip requester request_id operation key request_uri http_status error_code
bytes_sent object_size total_time turn_around_time referrer user_agent version_id host_id signature_version
ssl_cipher authentication_type host_header tls_version access_point_arn acl_required
""")
CLOUDFRONT: Columns = _columns("""
date clock x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)
cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken
x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status
fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len
sc-range-start sc-range-end
""")
_NAMES = {
    "account-id": "cloud.account.id",
    "instance-id": "cloud.instance.id",
    "region": "cloud.region",
    "az-id": "cloud.availability_zone",
    "srcaddr": "source.ip",
    "pkt-srcaddr": "source.nat.ip",
    "srcport": "source.port",
    "dstaddr": "destination.ip",
    "dstport": "destination.port",
    "packets": "source.packets",
    "bytes": "source.bytes",
    "flow-direction": "network.direction",
    "client:port": "source.ip",
    "target:port": "destination.ip",
    "user_agent": "user_agent.original",
    "domain_name": "url.domain",
    "trace_id": "trace.id",
    "sent_bytes": "http.response.body.bytes",
    "remote_ip": "source.ip",
    "requester": "user.id",
    "request_id": "event.id",
    "operation": "event.action",
    "error_code": "error.code",
    "bytes_sent": "http.response.body.bytes",
    "referrer": "http.request.referrer",
    "host_header": "url.domain",
    "c-ip": "source.ip",
    "c-port": "source.port",
    "cs-method": "http.request.method",
    "x-host-header": "url.domain",
    "cs(Referer)": "http.request.referrer",
    "cs(User-Agent)": "user_agent.original",
    "x-edge-request-id": "event.id",
    "sc-bytes": "http.response.bytes",
    "sc-content-len": "http.response.body.bytes",
}
_TRANSPORTS = {"1": "icmp", "6": "tcp", "17": "udp", "47": "gre", "50": "esp", "58": "ipv6-icmp", "132": "sctp"}
_STATUS = ("elb_status_code", "http_status", "sc-status")
_REQUEST = ("request", "request_uri")


def fill(columns: Columns, values: list[str], fields: Fields, prefix: str) -> str:
    """Fill the fields of a line; return its time as text, empty when it has none."""
    told = {column: value for column, value in zip(columns, values, strict=False) if value not in ("-", "")}
    for column, value in told.items():
        known = _NAMES.get(column)
        if known is None or not put(fields, known, value):
            fields[prefix + column] = value
    _settle(told, fields, prefix)
    fields["event.category"] = "network" if "srcaddr" in columns or "listener" in columns else "web"
    return _time_of(told)


def _settle(told: dict[str, str], fields: Fields, prefix: str) -> None:
    """Read the columns that say more than one thing, and drop them in their first form."""
    for key in _REQUEST:
        if key in told:
            _read_request(told[key], fields)
            fields.pop(prefix + key, None)
    for key in _STATUS:
        status = as_number(told.get(key))
        if status is not None:
            add_status(status, fields)
            fields.pop(prefix + key, None)
    if "cs-uri-stem" in told:
        _read_parts(told, fields)
    transport = _TRANSPORTS.get(told.get("protocol", ""))
    if transport:
        fields["network.transport"] = transport
    _read_verdict(told, fields)
    requester = told.get("requester", "")
    if requester.startswith("arn:") and "/" in requester:
        put(fields, "user.name", requester.rpartition("/")[2])
    for key in _TIMES:
        fields.pop(prefix + key, None)


def _read_request(request: str, fields: Fields) -> None:
    """``GET https://host:443/path?query HTTP/1.1``; the method is missing where the request was broken."""
    method, blank, rest = request.partition(" ")
    target, version_blank, version = rest.rpartition(" ")
    if not blank:
        return
    if not version_blank or not version.startswith("HTTP/"):
        target, version = rest, ""
    if method.isascii() and method.isupper() and method != "-":
        fields["http.request.method"] = method
    if target and target != "-":
        read_target(target.strip(), fields)
    if version:
        fields["http.version"] = version.removeprefix("HTTP/")


def _read_parts(told: dict[str, str], fields: Fields) -> None:
    query = told.get("cs-uri-query")
    read_target(told["cs-uri-stem"] + (f"?{query}" if query else ""), fields)
    if "url.domain" not in fields and "cs(Host)" in told:
        fields["url.domain"] = told["cs(Host)"]
    agent = fields.get("user_agent.original")
    if type(agent) is str:
        fields["user_agent.original"] = agent.replace("%2520", " ").replace("%20", " ")


def _read_verdict(told: dict[str, str], fields: Fields) -> None:
    verdict = told.get("action")
    if verdict in ("ACCEPT", "REJECT"):
        fields["event.action"] = verdict.lower()
        fields["event.outcome"] = "success" if verdict == "ACCEPT" else "failure"
        fields.pop("aws.vpcflow.action", None)


_TIMES = ("time", "date", "clock")


def _time_of(told: dict[str, str]) -> str:
    """All of these logs are in UTC, whether they say so or not."""
    if "date" in told and "clock" in told:
        return f"{told['date']}T{told['clock']}Z"
    stamp = told.get("time") or told.get("start") or told.get("end") or ""
    return stamp + "Z" if "T" in stamp and not stamp.endswith("Z") else stamp

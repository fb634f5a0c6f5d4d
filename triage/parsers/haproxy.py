"""HAProxy: HTTP and TCP log lines, connections that failed before a request, and state changes of servers.

Handed: a message without its syslog header, or a bare line. Hands on: client, request and status, frontend and
server (``haproxy.``), bytes and duration. ``event.outcome`` comes from the status, or from an error HAProxy names.
Format: HAProxy Configuration Manual, chapter "Logging".
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, web_access

_BEGIN = (
    r"(?P<client>[0-9A-Fa-f:.]{2,45}|unix):(?P<port>\d{1,5}) "
    r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d{4})?)\] "
    r"(?P<frontend>[^\s/:]{1,128})"
)
_TRAFFIC = re.compile(
    _BEGIN + r" (?P<backend>[^\s/]{1,128})/(?P<server>\S{1,128}) (?P<timers>[+-]?\d{1,10}(?:/[+-]?\d{1,10}){2,4}) "
    r"(?:(?P<status>-1|\d{3}) \+?(?P<size>\d{1,18}) \S{1,1024} \S{1,1024}|\+?(?P<tcpsize>\d{1,18})) "
    r"(?P<end>[\w-]{2,4}) \d{1,9}(?:/\+?\d{1,9}){3,4} \d{1,9}/\d{1,9}(?P<rest>.*)",
    re.DOTALL,
)
_ERROR = re.compile(_BEGIN + r"/(?P<bind>[^\s:]{1,128}): (?P<said>.{1,400})", re.DOTALL)
_CONNECT = re.compile(
    r"Connect from (?P<client>[0-9A-Fa-f:.]{2,45}):(?P<port>\d{1,5}) to (?P<server>[0-9A-Fa-f:.]{2,45}):"
    r"(?P<serverport>\d{1,5}) \((?P<frontend>[^\s/()]{1,128})/(?P<mode>\w{2,8})\)"
)
_STATE = re.compile(
    r"(?:\[\w{5,8}\] {1,4}(?:\(\d{1,9}\) : |\d{1,3}/\d{6} \(\d{1,9}\) : )?)?"
    r"(?:Backup )?Server (?P<backend>[^\s/]{1,128})/(?P<server>\S{1,128}) (?:is|was) (?P<state>UP|DOWN)\b"
)
_REQUEST = re.compile(r'"([A-Za-z_-]{1,32}) (\S{1,8192})(?: HTTP/(\d(?:\.\d)?))?"?\s{0,4}\Z')
_TIME = re.compile(r"[0-9A-Fa-fnuix:.]{2,45}:\d{1,5} \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.")


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    return app == "haproxy" or (app == "" and " [" in text[:54] and _TIME.match(text) is not None)


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    traffic = _TRAFFIC.match(text)
    if traffic is not None:
        return _read_traffic(traffic, fields)
    error = _ERROR.match(text)
    if error is not None:
        fields["event.category"] = "network"
        _add_client(error, fields)
        fields["haproxy.bind_name"] = error["bind"]
        said = error["said"].lower()
        fields["error.message"] = error["said"]
        if "fail" in said or "error" in said or "reject" in said or "timeout" in said:
            fields["event.outcome"] = "failure"
        return error["time"]
    return _read_connect(text, fields)


def _read_traffic(line: re.Match[str], fields: Fields) -> str:
    fields["event.category"] = "network" if line["status"] is None else "web"
    _add_client(line, fields)
    fields["haproxy.backend_name"] = line["backend"]
    fields["haproxy.server_name"] = line["server"]
    fields["haproxy.termination_state"] = line["end"]
    total = int(line["timers"].rpartition("/")[2].lstrip("+"))
    if total >= 0:
        fields["event.duration"] = total * 1_000_000
    if line["status"] is None:
        fields["destination.bytes"] = int(line["tcpsize"])
        return line["time"]
    fields["http.response.bytes"] = int(line["size"])
    if line["status"].isdigit() and line["status"] != "000":
        web_access.add_status(int(line["status"]), fields)
    request = _REQUEST.search(line["rest"][-9_000:])
    if request is not None:
        fields["http.request.method"] = request[1].upper()
        web_access.read_target(request[2], fields)
        if request[3]:
            fields["http.version"] = request[3]
    return line["time"]


def _add_client(line: re.Match[str], fields: Fields) -> None:
    addresses.put(fields, "source", line["client"], line["port"])
    fields["haproxy.frontend_name"] = line["frontend"].rstrip("~")


def _read_connect(text: str, fields: Fields) -> str | None:
    connect = _CONNECT.match(text)
    if connect is not None:
        fields["event.category"] = "network"
        _add_client(connect, fields)
        addresses.put(fields, "destination", connect["server"], connect["serverport"])
        return ""
    state = _STATE.match(text)
    if state is None:
        return None
    fields["haproxy.backend_name"] = state["backend"]
    fields["haproxy.server_name"] = state["server"]
    fields["event.action"] = "server_" + state["state"].lower()
    return ""
